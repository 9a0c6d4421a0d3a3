//! Certificates, good and bad.

use std::{fmt, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};

/// A certificate authority that lives as long as the test.
///
/// A client trusts its servers after it was given [`der`](Self::der) or [`pem`](Self::pem) as a root.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    /// Makes a new authority with a key of its own.
    ///
    /// # Panics
    ///
    /// When the key cannot be made.
    pub fn new() -> Self {
        let mut params = params("testkit authority", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.extended_key_usages = Vec::new();
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params
            .self_signed(&key)
            .expect("the authority can be signed");
        Self {
            der: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Returns the certificate of the authority, DER encoded.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the certificate of the authority as PEM text.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Issues a certificate for `localhost` and `127.0.0.1` that is valid now.
    pub fn good(&self) -> Identity {
        self.issue(params("testkit good", &["localhost", "127.0.0.1"]))
    }

    /// Issues a certificate for the given host names and addresses, and no others.
    pub fn for_hosts(&self, hosts: &[&str]) -> Identity {
        self.issue(params("testkit hosts", hosts))
    }

    /// Issues a certificate for `elsewhere.invalid` only.
    pub fn wrong_host(&self) -> Identity {
        self.issue(params("testkit wrong host", &["elsewhere.invalid"]))
    }

    /// Issues a certificate that was valid until the end of 2001.
    pub fn expired(&self) -> Identity {
        let mut params = params("testkit expired", &["localhost", "127.0.0.1"]);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2001, 12, 31);
        self.issue(params)
    }

    /// Issues a certificate that will be valid from the year 2999.
    pub fn not_yet_valid(&self) -> Identity {
        let mut params = params("testkit not yet valid", &["localhost", "127.0.0.1"]);
        params.not_before = date_time_ymd(2999, 1, 1);
        params.not_after = date_time_ymd(2999, 12, 31);
        self.issue(params)
    }

    /// Issues a certificate for a client, for servers made with [`Identity::require_client`].
    pub fn client(&self, name: &str) -> Identity {
        let mut params = params(name, &[]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params)
    }

    fn issue(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("it can be signed");
        Identity::new(&certificate, &key)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// A certificate with its key: what a TLS server, or a client that must show one, presents.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    pem: String,
    key_pem: String,
    alpn: Vec<Vec<u8>>,
    client_root: Option<CertificateDer<'static>>,
}

impl Identity {
    /// Makes a certificate for `localhost` and `127.0.0.1` that is signed by nobody but itself.
    ///
    /// # Panics
    ///
    /// When the key cannot be made.
    pub fn self_signed() -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params("testkit self-signed", &["localhost", "127.0.0.1"])
            .self_signed(&key)
            .expect("it can be signed");
        Self::new(&certificate, &key)
    }

    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        Self {
            chain: vec![certificate.der().clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            alpn: Vec::new(),
            client_root: None,
        }
    }

    /// Sets the protocols the server offers by ALPN, most wanted first. Default: none, the extension is ignored.
    #[must_use]
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Makes the server demand a client certificate issued by `authority`.
    #[must_use]
    pub fn require_client(mut self, authority: &Authority) -> Self {
        self.client_root = Some(authority.der.clone());
        self
    }

    /// Returns the certificate, DER encoded.
    pub fn der(&self) -> &[u8] {
        self.chain.first().map_or(&[], AsRef::as_ref)
    }

    /// Returns the certificate as PEM text.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns the private key as PEM text (PKCS#8).
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Returns the private key, DER encoded (PKCS#8).
    pub fn key_der(&self) -> &[u8] {
        self.key.secret_der()
    }

    pub(crate) fn server_config(self) -> Arc<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider speaks TLS 1.2 and 1.3");
        let builder = match self.client_root {
            None => builder.with_no_client_auth(),
            Some(root) => {
                let mut roots = RootCertStore::empty();
                roots.add(root).expect("the authority is a usable root");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .expect("one root is enough");
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(self.chain, self.key)
            .expect("certificate and key agree");
        config.alpn_protocols = self.alpn;
        Arc::new(config)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("alpn", &self.alpn)
            .finish_non_exhaustive()
    }
}

fn params(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("the host names are valid");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 12, 31);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params
}
