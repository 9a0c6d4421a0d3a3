use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, OtherError};

use crate::error::{Error, TlsProblem};

/// None of the certificates of a server was pinned.
#[derive(Debug)]
pub(super) struct PinMismatch;

impl fmt::Display for PinMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server shows none of the pinned certificates")
    }
}

impl std::error::Error for PinMismatch {}

/// The server chose an application protocol that is not spoken here.
#[derive(Debug)]
pub(super) struct UnknownProtocol;

impl fmt::Display for UnknownProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server chose another application protocol than http/1.1")
    }
}

impl std::error::Error for UnknownProtocol {}

/// Finds out why TLS failed.
pub(crate) fn problem(error: &Error) -> TlsProblem {
    let mut cause = std::error::Error::source(error);
    while let Some(current) = cause {
        if current.is::<UnknownProtocol>() {
            return TlsProblem::Version;
        }
        let inner = current.downcast_ref::<io::Error>().and_then(of_io);
        if let Some(error) = inner.or_else(|| current.downcast_ref()) {
            return of_tls(error);
        }
        cause = current.source();
    }
    TlsProblem::Other
}

/// The TLS error in an IO error, which shows its own cause, not itself, in its chain.
pub(crate) fn of_io(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn of_tls(error: &rustls::Error) -> TlsProblem {
    match error {
        rustls::Error::InvalidCertificate(error) => of_certificate(error),
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(_)
        | rustls::Error::NoApplicationProtocol => TlsProblem::Version,
        rustls::Error::AlertReceived(_) => TlsProblem::Alert,
        rustls::Error::InvalidCertRevocationList(_) => TlsProblem::RevocationUnknown,
        _ => TlsProblem::Other,
    }
}

fn of_certificate(error: &CertificateError) -> TlsProblem {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsProblem::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsProblem::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsProblem::WrongHost
        }
        CertificateError::Revoked => TlsProblem::Revoked,
        CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => TlsProblem::RevocationUnknown,
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsProblem::Untrusted,
        CertificateError::Other(OtherError(error)) if error.is::<PinMismatch>() => {
            TlsProblem::PinMismatch
        }
        // The certificate of an authority of its own, as tools make it for tests; the type is not exported.
        CertificateError::Other(OtherError(error)) if error.to_string() == "CaUsedAsEndEntity" => {
            TlsProblem::Untrusted
        }
        _ => TlsProblem::Other,
    }
}
