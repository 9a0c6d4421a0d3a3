use std::collections::HashMap;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use super::pin::{Digests, Pin};
use super::problem::PinMismatch;

/// Decides about the certificate of a server: trust, host name, pins.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) trust: Trust,
    pub(super) any_name: bool,
    pub(super) pins: Pins,
    pub(super) provider: Arc<CryptoProvider>,
}

/// Who says which authorities are trusted.
#[derive(Debug)]
pub(super) enum Trust {
    Platform(rustls_platform_verifier::Verifier),
    Roots(Arc<WebPkiServerVerifier>),
    /// Everybody is believed.
    Anyone,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Pins {
    pub(super) all: Vec<Pin>,
    /// Instead of those for all; names in lower case.
    pub(super) hosts: HashMap<String, Vec<Pin>>,
}

impl Verifier {
    fn trusts(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let inner: &dyn ServerCertVerifier = match &self.trust {
            Trust::Platform(verifier) => verifier,
            Trust::Roots(verifier) => &**verifier,
            Trust::Anyone => return Ok(()),
        };
        match inner.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Ok(_) => Ok(()),
            // The name is what `Roots` checks last.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.any_name && matches!(self.trust, Trust::Roots(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether a pin fits the certificate of the server, or that of an authority which it leads to.
    fn is_pinned(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<bool, rustls::Error> {
        let pins = self.pins.of(name);
        if pins.is_empty() || Digests::of(certificate)?.matches(pins) {
            return Ok(true);
        }
        // Anybody can add a certificate to those that he sends; it counts if it vouches for his own.
        let mut authorities = RootCertStore::empty();
        for authority in intermediates {
            if Digests::of(authority).is_ok_and(|it| it.matches(pins)) {
                authorities.add(authority.clone().into_owned())?;
            }
        }
        if authorities.is_empty() {
            return Ok(false);
        }
        let chain = verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(certificate)?,
            &authorities,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        );
        Ok(chain.is_ok())
    }
}

impl Pins {
    fn of(&self, name: &ServerName<'_>) -> &[Pin] {
        let own = match self.hosts.is_empty() {
            true => None,
            false => self.hosts.get(&name.to_str().to_ascii_lowercase()),
        };
        own.unwrap_or(&self.all)
    }
}

#[deny(clippy::missing_trait_methods)]
impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.trusts(end_entity, intermediates, server_name, ocsp_response, now)?;
        match self.is_pinned(end_entity, intermediates, server_name, now)? {
            true => Ok(ServerCertVerified::assertion()),
            false => {
                let error = OtherError(Arc::new(PinMismatch));
                Err(CertificateError::Other(error).into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> Option<&[rustls::DistinguishedName]> {
        None
    }
}
