use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use super::stream::Stream;
use crate::error::{Error, ErrorKind, Phase, TlsProblem};

/// Which certificates a session trusts. The default is what the operating system trusts.
///
/// TLS 1.2 is the minimum, and host names are always checked.
#[derive(Clone, Debug, Default)]
pub struct TlsConfig {
    added: Vec<CertificateDer<'static>>,
    only_added: bool,
}

impl TlsConfig {
    /// The certificates that the operating system trusts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the certificates in this PEM text as authorities too.
    ///
    /// # Errors
    ///
    /// When the text holds no certificate or is malformed.
    pub fn add_roots_pem(mut self, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        let before = self.added.len();
        for certificate in CertificateDer::pem_slice_iter(pem.as_ref()) {
            let certificate = certificate
                .map_err(|error| Error::builder("malformed pem certificate").with_source(error))?;
            self.added.push(certificate);
        }
        match self.added.len() == before {
            true => Err(Error::builder("no certificate in the pem text")),
            false => Ok(self),
        }
    }

    /// Trusts this DER certificate as an authority too.
    #[must_use]
    pub fn add_root_der(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.added.push(CertificateDer::from(der.into()));
        self
    }

    /// Trusts only the added certificates, not those of the operating system.
    #[must_use]
    pub fn only_added_roots(mut self) -> Self {
        self.only_added = true;
        self
    }

    fn build(&self) -> Result<ClientConfig, rustls::Error> {
        // Explicit, so that another crate's choice of a process-wide provider does not matter.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if self.only_added {
            let mut roots = RootCertStore::empty();
            for certificate in &self.added {
                roots.add(certificate.clone())?;
            }
            builder.with_root_certificates(roots)
        } else {
            let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(
                self.added.iter().cloned(),
                provider,
            )?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
        };
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// The TLS side of a session. The trusted certificates are loaded at the first use.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    config: TlsConfig,
    connector: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    pub(crate) fn new(config: TlsConfig) -> Self {
        Self {
            config,
            connector: OnceLock::new(),
        }
    }

    pub(crate) async fn handshake(
        &self,
        host: &Host<&str>,
        stream: Stream,
    ) -> Result<TlsStream<Stream>, Error> {
        let failed = || Error::new(ErrorKind::Tls, Phase::Tls);
        let config = match self.connector.get() {
            Some(config) => Arc::clone(config),
            None => {
                // Reads files of the system, hence not on the thread that drives the runtime.
                let config = self.config.clone();
                let built = tokio::task::spawn_blocking(move || config.build())
                    .await
                    .map_err(|error| failed().with_source(error))?
                    .map_err(|error| {
                        failed()
                            .with_message("no usable trusted certificates")
                            .with_source(error)
                    })?;
                Arc::clone(self.connector.get_or_init(|| Arc::new(built)))
            }
        };
        let name = match host {
            Host::Domain(name) => ServerName::try_from((*name).to_owned())
                .map_err(|error| Error::builder("host is no tls server name").with_source(error))?,
            Host::Ipv4(address) => ServerName::from(std::net::IpAddr::from(*address)),
            Host::Ipv6(address) => ServerName::from(std::net::IpAddr::from(*address)),
        };
        TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| failed().with_source(error))
    }
}

/// Finds out why a handshake failed.
pub(crate) fn problem(error: &Error) -> TlsProblem {
    let mut cause = std::error::Error::source(error);
    while let Some(current) = cause {
        // An IO error shows its own cause, not itself, in its chain.
        let inner = current
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(error) = inner.or_else(|| current.downcast_ref::<rustls::Error>()) {
            return match error {
                rustls::Error::InvalidCertificate(error) => certificate_problem(error),
                rustls::Error::AlertReceived(rustls::AlertDescription::ProtocolVersion)
                | rustls::Error::PeerIncompatible(_) => TlsProblem::Version,
                rustls::Error::AlertReceived(_) => TlsProblem::Alert,
                _ => TlsProblem::Other,
            };
        }
        cause = current.source();
    }
    TlsProblem::Other
}

fn certificate_problem(error: &CertificateError) -> TlsProblem {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsProblem::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsProblem::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsProblem::WrongHost
        }
        CertificateError::Revoked => TlsProblem::Revoked,
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsProblem::Untrusted,
        _ => TlsProblem::Other,
    }
}
