use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::{ClientConfig, Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, SupportedProtocolVersion};

use super::info::TlsVersion;
use super::key_log::KeyLog;
use super::pin::Pin;
use super::verify::{Pins, Trust, Verifier};
use crate::error::Error;
use crate::net::route::{host_as_in_urls, new_settings_id};

/// How TLS is spoken: which servers are trusted, and what they are shown.
///
/// | setting | default |
/// |---|---|
/// | trusted authorities | those of the operating system |
/// | [`min_version`](Self::min_version), [`max_version`](Self::max_version) | TLS 1.2 to TLS 1.3 |
/// | [`client_certificate_pem`](Self::client_certificate_pem) | none |
/// | [`pin`](Self::pin) | none |
/// | [`add_crls_pem`](Self::add_crls_pem) | none: revocation is not checked |
/// | [`alpn`](Self::alpn) | `http/1.1` |
/// | [`without_resumption`](Self::without_resumption) | sessions are resumed, remembered by the [`Session`](crate::Session) |
/// | [`without_sni`](Self::without_sni) | servers are told the name of the host (RFC 6066) |
/// | [`key_log`](Self::key_log) | none |
///
/// ```
/// # fn example(authority: &[u8]) -> Result<(), reqivo::Error> {
/// use reqivo::{Session, TlsConfig, TlsVersion};
///
/// let tls = TlsConfig::new()
///     .add_roots_pem(authority)?
///     .only_added_roots()
///     .min_version(TlsVersion::Tls13);
/// let session = Session::builder().tls(tls).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct TlsConfig {
    /// What tells these settings from others; 0 for the default ones.
    pub(crate) id: u64,
    roots: Roots,
    added: Vec<CertificateDer<'static>>,
    crls: Vec<CertificateRevocationListDer<'static>>,
    unknown_revocation: bool,
    client: Option<Arc<CertifiedKey>>,
    pins: Pins,
    min: Option<TlsVersion>,
    max: Option<TlsVersion>,
    alpn: Option<Vec<Vec<u8>>>,
    no_sni: bool,
    /// What the certificates of hosts are checked for; both in lower case.
    names: HashMap<String, String>,
    no_resumption: bool,
    key_log: Option<KeyLog>,
    accept_any_certificate: bool,
    accept_any_name: bool,
    /// Used as it is.
    ready: Option<Arc<ClientConfig>>,
    /// Whether settings were made that `ready` leaves no room for.
    mixed: bool,
}

/// Which authorities are trusted beside the added ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Roots {
    #[default]
    System,
    #[cfg(feature = "webpki-roots")]
    Bundled,
    Added,
}

impl TlsConfig {
    /// The default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Speaks TLS as this configuration says, for what has no setting here: another crypto provider, a verifier or
    /// a source of client certificates of one's own, Encrypted Client Hello.
    ///
    /// All of it counts, ALPN included: protocols other than `http/1.1` must not be offered. Of the other settings only
    /// [`server_name`](Self::server_name) can be combined with it. [`rustls`](crate::rustls) is the version to use.
    #[must_use]
    pub fn from_rustls(config: impl Into<Arc<ClientConfig>>) -> Self {
        Self {
            id: new_settings_id(),
            ready: Some(config.into()),
            ..Self::default()
        }
    }

    /// Trusts the certificates in this PEM text as authorities too.
    ///
    /// # Errors
    ///
    /// When the text holds no certificate, or a malformed one.
    pub fn add_roots_pem(mut self, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        self.added.extend(certificates(pem.as_ref())?);
        Ok(self.changed())
    }

    /// Trusts this certificate in DER as an authority too.
    #[must_use]
    pub fn add_root_der(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.added.push(CertificateDer::from(der.into()));
        self.changed()
    }

    /// Trusts only the added certificates, not those of the operating system.
    #[must_use]
    pub fn only_added_roots(mut self) -> Self {
        self.roots = Roots::Added;
        self.changed()
    }

    /// Trusts the authorities that Mozilla trusts, as they were when this library was built, and the added certificates,
    /// instead of those of the operating system.
    #[cfg(feature = "webpki-roots")]
    #[must_use]
    pub fn bundled_roots(mut self) -> Self {
        self.roots = Roots::Bundled;
        self.changed()
    }

    /// Refuses servers whose certificate, or that of an authority on the way to it, is on one of the certificate revocation
    /// lists in this PEM text.
    ///
    /// Then every certificate must be covered by a list that is not out of date, unless
    /// [`allow_unknown_revocation_status`](Self::allow_unknown_revocation_status) lifts that. Nothing is downloaded.
    ///
    /// # Errors
    ///
    /// When the text holds no list, or a malformed one.
    pub fn add_crls_pem(mut self, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        let before = self.crls.len();
        for list in CertificateRevocationListDer::pem_slice_iter(pem.as_ref()) {
            let list = list.map_err(|error| {
                Error::builder("malformed pem revocation list").with_source(error)
            })?;
            self.crls.push(list);
        }
        match self.crls.len() == before {
            true => Err(Error::builder("no revocation list in the pem text")),
            false => Ok(self.changed()),
        }
    }

    /// Adds a certificate revocation list in DER; see [`add_crls_pem`](Self::add_crls_pem).
    #[must_use]
    pub fn add_crl_der(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.crls
            .push(CertificateRevocationListDer::from(der.into()));
        self.changed()
    }

    /// Accepts certificates about which the revocation lists say nothing, or lists that are out of date.
    #[must_use]
    pub fn allow_unknown_revocation_status(mut self) -> Self {
        self.unknown_revocation = true;
        self.changed()
    }

    /// Shows servers that ask for it (proxies are none) this certificate: a PEM text with the certificate and those of the authorities between
    /// it and the root, and one with its key (PKCS#8, PKCS#1 or SEC1, not encrypted). One text may hold
    /// both and be given twice.
    ///
    /// # Errors
    ///
    /// When certificate or key are missing, malformed or do not belong together, or when the kind of key is unknown.
    pub fn client_certificate_pem(
        self,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, Error> {
        let chain = certificates(chain.as_ref())?;
        let key = PrivateKeyDer::from_pem_slice(key.as_ref())
            .map_err(|error| Error::builder("no private key in the pem text").with_source(error))?;
        self.client_certificate(chain, key)
    }

    /// Shows servers that ask for it this certificate in DER, followed by those of the authorities between it and the root;
    /// the key is in PKCS#8, PKCS#1 or SEC1.
    ///
    /// # Errors
    ///
    /// As [`client_certificate_pem`](Self::client_certificate_pem).
    pub fn client_certificate_der<C: Into<Vec<u8>>>(
        self,
        chain: impl IntoIterator<Item = C>,
        key: impl Into<Vec<u8>>,
    ) -> Result<Self, Error> {
        let chain = chain.into_iter().map(|it| CertificateDer::from(it.into()));
        let key = PrivateKeyDer::try_from(key.into())
            .map_err(|reason| Error::builder("malformed private key").with_source(reason))?;
        self.client_certificate(chain.collect(), key)
    }

    /// Accepts only servers that show a certificate with this pin, or one of several. This is checked in addition to
    /// everything else.
    ///
    /// The pin of an authority counts if the server sends the certificate of the authority and its own one leads to it.
    #[must_use]
    pub fn pin(mut self, pin: Pin) -> Self {
        self.pins.all.push(pin);
        self.changed()
    }

    /// Like [`pin`](Self::pin), for one host; for that host the pins without a host do not count. Where
    /// [`server_name`](Self::server_name) gives a host another name, that one is meant.
    #[must_use]
    pub fn pin_host(mut self, host: &str, pin: Pin) -> Self {
        let host = host_as_in_urls(host);
        self.pins.hosts.entry(host).or_default().push(pin);
        self.changed()
    }

    /// Sets the oldest version that is spoken.
    #[must_use]
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.min = Some(version);
        self.changed()
    }

    /// Sets the newest version that is spoken.
    #[must_use]
    pub fn max_version(mut self, version: TlsVersion) -> Self {
        self.max = Some(version);
        self.changed()
    }

    /// Sets the application protocols that are offered (RFC 7301), the most wanted one first; none sends no offer.
    ///
    /// This version speaks `http/1.1` only, and building a session refuses to offer anything else.
    #[must_use]
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = Some(protocols.into_iter().map(Into::into).collect());
        self.changed()
    }

    /// Does not tell servers the name of the host before the connection is encrypted.
    #[must_use]
    pub fn without_sni(mut self) -> Self {
        self.no_sni = true;
        self.changed()
    }

    /// Asks this host for the certificate of another name, and checks that it is for that name. Where to connect to, and what
    /// the `Host` field says, stay as they are.
    #[must_use]
    pub fn server_name(mut self, host: &str, name: &str) -> Self {
        let (host, name) = (host_as_in_urls(host), host_as_in_urls(name));
        self.names.insert(host, name);
        self.id = new_settings_id();
        self
    }

    /// Makes a full handshake for every connection instead of resuming an earlier TLS session.
    #[must_use]
    pub fn without_resumption(mut self) -> Self {
        self.no_resumption = true;
        self.changed()
    }

    /// Calls a function with the secrets of each connection, as lines in the format of `SSLKEYLOGFILE`.
    ///
    /// Whoever has them can read everything that is sent and received. For debugging only.
    #[must_use]
    pub fn key_log(mut self, log: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.key_log = Some(KeyLog::new(log));
        self.changed()
    }

    /// Appends the secrets of each connection to a file, in the format of `SSLKEYLOGFILE`; see [`key_log`](Self::key_log).
    ///
    /// The environment variable of that name is not looked at; `std::env::var_os` gives its value to those who want it. A
    /// new file can be read by its owner only.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub fn key_log_file(mut self, path: impl AsRef<Path>) -> Result<Self, Error> {
        self.key_log = Some(KeyLog::file(path.as_ref())?);
        Ok(self.changed())
    }

    /// Accepts any certificate of any server: self-signed, expired, of another host.
    ///
    /// **Dangerous**: everybody on the way can read and change what is sent. Prefer to trust the authority of the server
    /// ([`add_roots_pem`](Self::add_roots_pem)). Where there is none, combine this with a [`pin`](Self::pin), which is still
    /// checked.
    #[must_use]
    pub fn dangerous_accept_invalid_certs(mut self) -> Self {
        self.accept_any_certificate = true;
        self.changed()
    }

    /// Accepts certificates of trusted authorities that are for other hosts.
    ///
    /// **Dangerous**: everybody who has some certificate can pose as the server. Prefer to check for the name that the
    /// certificate is for ([`server_name`](Self::server_name)).
    #[must_use]
    pub fn dangerous_accept_invalid_hostnames(mut self) -> Self {
        self.accept_any_name = true;
        self.changed()
    }

    fn client_certificate(
        mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, Error> {
        if chain.is_empty() {
            return Err(Error::builder("no client certificate"));
        }
        let certified = CertifiedKey::from_der(chain, key, &provider())
            .map_err(|error| Error::builder("unusable client certificate").with_source(error))?;
        self.client = Some(Arc::new(certified));
        Ok(self.changed())
    }

    fn changed(mut self) -> Self {
        self.id = new_settings_id();
        self.mixed = self.ready.is_some();
        self
    }
}

impl TlsConfig {
    /// Finds mistakes that can be found without reading the certificates of the system.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some(ready) = &self.ready {
            if self.mixed {
                return Err(Error::builder(
                    "a setting cannot be combined with a ready tls configuration",
                ));
            }
            check_alpn(&ready.alpn_protocols)?;
        }
        check_alpn(self.alpn.as_deref().unwrap_or_default())?;
        if self.versions().is_empty() {
            return Err(Error::builder("no version of tls is permitted"));
        }
        for name in self.names.values() {
            ServerName::try_from(name.as_str())
                .map_err(|error| Error::builder("no tls server name").with_source(error))?;
        }
        let nothing = match self.roots {
            Roots::Added => self.added.is_empty(),
            _ => false,
        };
        match nothing && !self.accept_any_certificate {
            true => Err(Error::builder("no certificate is trusted")),
            false => Ok(()),
        }
    }

    /// The name that a host must prove to have, when it is not its own.
    pub(super) fn name_for(&self, host: &str) -> Option<&str> {
        if self.names.is_empty() {
            return None;
        }
        self.names.get(host).map(String::as_str)
    }

    /// The settings for the way to a proxy that has none of its own, where they differ: what servers are shown is
    /// not for it.
    pub(crate) fn for_proxies(&self) -> Option<Self> {
        self.client.is_some().then(|| Self {
            client: None,
            ..self.clone()
        })
    }

    /// Whether [`build`](Self::build) reads files.
    pub(super) fn reads_files(&self) -> bool {
        self.roots == Roots::System && self.ready.is_none() && !self.accept_any_certificate
    }

    pub(super) fn build(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        if let Some(ready) = &self.ready {
            return Ok(Arc::clone(ready));
        }
        let provider = Arc::new(provider());
        let verifier = Verifier {
            trust: self.trust(&provider)?,
            any_name: self.accept_any_name,
            pins: self.pins.clone(),
            provider: Arc::clone(&provider),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.client {
            None => builder.with_no_client_auth(),
            Some(client) => {
                let client = SingleCertAndKey::from(Arc::clone(client));
                builder.with_client_cert_resolver(Arc::new(client))
            }
        };
        config.alpn_protocols = match &self.alpn {
            Some(protocols) => protocols.clone(),
            None => vec![HTTP_1.to_vec()],
        };
        config.enable_sni = !self.no_sni;
        if self.no_resumption {
            config.resumption = Resumption::disabled();
        }
        if let Some(log) = &self.key_log {
            config.key_log = Arc::new(log.clone());
        }
        Ok(Arc::new(config))
    }

    fn trust(&self, provider: &Arc<CryptoProvider>) -> Result<Trust, rustls::Error> {
        if self.accept_any_certificate {
            return Ok(Trust::Anyone);
        }
        if self.roots == Roots::System && self.crls.is_empty() && !self.accept_any_name {
            let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(
                self.added.iter().cloned(),
                Arc::clone(provider),
            )?;
            return Ok(Trust::Platform(verifier));
        }
        let mut roots = RootCertStore::empty();
        for certificate in &self.added {
            roots.add(certificate.clone())?;
        }
        match self.roots {
            Roots::System => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
            }
            #[cfg(feature = "webpki-roots")]
            Roots::Bundled => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Roots::Added => {}
        }
        let mut builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .with_crls(self.crls.iter().cloned());
        builder = match self.unknown_revocation {
            true => builder.allow_unknown_revocation_status(),
            false => builder.enforce_revocation_expiration(),
        };
        let verifier = builder
            .build()
            .map_err(|error| rustls::Error::Other(rustls::OtherError(Arc::new(error))))?;
        Ok(Trust::Roots(verifier))
    }

    fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let (min, max) = (self.min, self.max);
        [
            (TlsVersion::Tls13, &rustls::version::TLS13),
            (TlsVersion::Tls12, &rustls::version::TLS12),
        ]
        .into_iter()
        .filter(|(version, _)| min.is_none_or(|min| *version >= min))
        .filter(|(version, _)| max.is_none_or(|max| *version <= max))
        .map(|(_, supported)| supported)
        .collect()
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("roots", &self.roots)
            .field("added_roots", &self.added.len())
            .field("crls", &self.crls.len())
            .field("client_certificate", &self.client.is_some())
            .field("pins", &self.pins)
            .field("min_version", &self.min)
            .field("max_version", &self.max)
            .field("server_names", &self.names)
            .field("key_log", &self.key_log.is_some())
            .field("accept_invalid_certs", &self.accept_any_certificate)
            .field("accept_invalid_hostnames", &self.accept_any_name)
            .finish_non_exhaustive()
    }
}

/// Explicit, so that another crate's choice of a process-wide provider does not matter.
fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found =
        found.map_err(|error| Error::builder("malformed pem certificate").with_source(error))?;
    match found.is_empty() {
        true => Err(Error::builder("no certificate in the pem text")),
        false => Ok(found),
    }
}

fn check_alpn(protocols: &[Vec<u8>]) -> Result<(), Error> {
    match protocols.iter().any(|it| it != HTTP_1) {
        true => Err(Error::builder("alpn offers a protocol other than http/1.1")),
        false => Ok(()),
    }
}

pub(super) const HTTP_1: &[u8] = b"http/1.1";
