//! Certificates, good and bad.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
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
    /// What its identities send beside their own certificate.
    chain: Vec<CertificateDer<'static>>,
}

impl Authority {
    /// Makes a new authority with a key of its own.
    ///
    /// # Panics
    ///
    /// When the key cannot be made.
    pub fn new() -> Self {
        let params = authority_params("testkit authority");
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params
            .self_signed(&key)
            .expect("the authority can be signed");
        Self {
            der: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
            chain: Vec::new(),
        }
    }

    /// Makes an authority whose certificate this one signed. Its identities send that certificate too.
    ///
    /// # Panics
    ///
    /// When the key cannot be made.
    #[must_use]
    pub fn intermediate(&self) -> Self {
        let params = authority_params("testkit intermediate");
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("the authority can be signed");
        let mut chain = vec![certificate.der().clone()];
        chain.extend(self.chain.iter().cloned());
        Self {
            der: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
            chain,
        }
    }

    /// Returns a revocation list of this authority as PEM text, valid until the end of 2098.
    ///
    /// # Panics
    ///
    /// When it cannot be signed.
    pub fn crl(&self, revoked: &[&Identity]) -> String {
        self.crl_until(revoked, 2098)
    }

    /// Returns a revocation list of this authority as PEM text, valid until the end of 2001.
    ///
    /// # Panics
    ///
    /// When it cannot be signed.
    pub fn outdated_crl(&self, revoked: &[&Identity]) -> String {
        self.crl_until(revoked, 2001)
    }

    fn crl_until(&self, revoked: &[&Identity], year: i32) -> String {
        let revoked = revoked.iter().map(|identity| RevokedCertParams {
            serial_number: SerialNumber::from(identity.serial),
            revocation_time: date_time_ymd(2001, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        CertificateRevocationListParams {
            this_update: date_time_ymd(2001, 1, 1),
            next_update: date_time_ymd(year, 12, 31),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)
        .and_then(|list| list.pem())
        .expect("a list can be signed")
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

    /// Issues a certificate for a client with an RSA key, always the same one.
    pub fn rsa_client(&self, name: &str) -> Identity {
        let mut params = params(name, &[]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue_for(params, KeyPair::from_pem(RSA_KEY).expect("a key of ours"))
    }

    fn issue(&self, params: CertificateParams) -> Identity {
        self.issue_for(params, KeyPair::generate().expect("a key can be made"))
    }

    fn issue_for(&self, mut params: CertificateParams, key: KeyPair) -> Identity {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        params.serial_number = Some(SerialNumber::from(serial));
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("it can be signed");
        let mut identity = Identity::new(&certificate, &key);
        identity.serial = serial;
        identity.chain.extend(self.chain.iter().cloned());
        identity
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
    serial: u64,
    alpn: Vec<Vec<u8>>,
    client_root: Option<CertificateDer<'static>>,
    versions: &'static [&'static SupportedProtocolVersion],
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

    /// Makes a certificate such as [`self_signed`](Self::self_signed) that is also that of an authority, as
    /// `openssl req -x509` makes it.
    ///
    /// # Panics
    ///
    /// When the key cannot be made.
    pub fn self_signed_authority() -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = params("testkit self-signed", &["localhost", "127.0.0.1"]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("it can be signed");
        Self::new(&certificate, &key)
    }

    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        Self {
            chain: vec![certificate.der().clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            serial: 0,
            alpn: Vec::new(),
            client_root: None,
            versions: rustls::ALL_VERSIONS,
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

    /// Makes the server speak TLS 1.2 only.
    #[must_use]
    pub fn only_tls12(mut self) -> Self {
        self.versions = ONLY_TLS12;
        self
    }

    /// Makes the server speak TLS 1.3 only.
    #[must_use]
    pub fn only_tls13(mut self) -> Self {
        self.versions = ONLY_TLS13;
        self
    }

    /// Sends this certificate too, after the others; it need not have to do with them.
    #[must_use]
    pub fn also_sending(mut self, certificate: &[u8]) -> Self {
        self.chain.push(CertificateDer::from(certificate.to_vec()));
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

    /// Returns the private key in the older form of its kind, DER encoded: SEC1 for a curve, PKCS#1 for RSA.
    pub fn traditional_key_der(&self) -> &[u8] {
        // The last part of PKCS#8 is an octet string, whose content runs to the end (RFC 5958, without attributes).
        let der = self.key.secret_der();
        let content = |at: usize| match der.get(at + 1) {
            Some(0x82) => at + 4,
            Some(0x81) => at + 3,
            _ => at + 2,
        };
        let fits = |at: &usize| {
            let from = content(*at);
            let length = match from - at {
                4 => usize::from(der[at + 2]) << 8 | usize::from(der[at + 3]),
                3 => usize::from(der[at + 2]),
                _ => usize::from(der[at + 1]),
            };
            der[*at] == 4 && from + length == der.len()
        };
        let at = (0..der.len().saturating_sub(4)).find(fits);
        at.map_or(&[], |at| &der[content(at)..])
    }

    pub(crate) fn server_config(self) -> Arc<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.versions)
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

fn authority_params(name: &str) -> CertificateParams {
    let mut params = params(name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = Vec::new();
    params
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

/// A key of no worth: RSA keys take long to make.
const RSA_KEY: &str = include_str!("rsa_key.pem");

const ONLY_TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
const ONLY_TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
