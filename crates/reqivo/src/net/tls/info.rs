use rustls::{HandshakeKind, ProtocolVersion};

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2, RFC 5246.
    Tls12,
    /// TLS 1.3, RFC 8446.
    Tls13,
}

impl TlsVersion {
    /// Returns the name, such as `TLSv1.3`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

/// What the peers of a TLS connection agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    version: TlsVersion,
    cipher_suite: String,
    alpn: Option<Vec<u8>>,
    resumed: bool,
    certificates: Vec<Vec<u8>>,
}

impl TlsInfo {
    /// What a finished handshake led to.
    pub(crate) fn of(connection: &rustls::ClientConnection) -> Self {
        let suite = connection.negotiated_cipher_suite();
        let name = suite.and_then(|suite| suite.suite().as_str()).unwrap_or("");
        let certificates = connection.peer_certificates().unwrap_or_default();
        Self {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
                _ => TlsVersion::Tls13,
            },
            // As IANA has it.
            cipher_suite: name.replacen("TLS13_", "TLS_", 1),
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            certificates: certificates.iter().map(|it| it.to_vec()).collect(),
        }
    }

    /// Returns the version of TLS.
    #[must_use]
    pub fn version(&self) -> TlsVersion {
        self.version
    }

    /// Returns the name of the cipher suite as IANA registered it, such as `TLS_AES_128_GCM_SHA256`.
    #[must_use]
    pub fn cipher_suite(&self) -> &str {
        &self.cipher_suite
    }

    /// Returns the application protocol that the server chose, such as `http/1.1`; nothing when it chose none.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// Returns whether an earlier session was resumed, which spares the exchange of certificates.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Returns the certificates that the server showed, its own one first, in DER.
    pub fn peer_certificates(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.certificates.iter().map(Vec::as_slice)
    }
}
