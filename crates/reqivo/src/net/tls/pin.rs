use std::fmt;

use base64::Engine;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};

use crate::error::Error;

/// The SHA-256 digest of a certificate, or of the public key in it, that a server must show.
///
/// A pin of the key outlives a certificate that is renewed with the same key, hence is the better choice. This prints
/// the pin of the key of a server:
///
/// ```sh
/// openssl s_client -connect example.com:443 </dev/null 2>/dev/null | openssl x509 -pubkey -noout \
///   | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl base64
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin {
    of: PinOf,
    digest: [u8; 32],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum PinOf {
    PublicKey,
    Certificate,
}

impl Pin {
    /// Pins a public key: the digest of the `SubjectPublicKeyInfo` in DER, as in RFC 7469.
    #[must_use]
    pub const fn public_key(sha256: [u8; 32]) -> Self {
        Self {
            of: PinOf::PublicKey,
            digest: sha256,
        }
    }

    /// Pins a certificate: the digest of its DER form.
    #[must_use]
    pub const fn certificate(sha256: [u8; 32]) -> Self {
        Self {
            of: PinOf::Certificate,
            digest: sha256,
        }
    }

    /// Pins a public key by its digest as text: base64, also with `sha256/` or `sha256//` before it, or hexadecimal,
    /// also with colons.
    ///
    /// # Errors
    ///
    /// When the text is not the form of a SHA-256 digest.
    pub fn parse_public_key(text: &str) -> Result<Self, Error> {
        parse(text).map(Self::public_key)
    }

    /// Pins a certificate by its digest as text, in the forms of [`parse_public_key`](Self::parse_public_key).
    ///
    /// # Errors
    ///
    /// When the text is not the form of a SHA-256 digest.
    pub fn parse_certificate(text: &str) -> Result<Self, Error> {
        parse(text).map(Self::certificate)
    }

    /// Returns the pin of the public key in a certificate in DER.
    ///
    /// # Errors
    ///
    /// When it is not a certificate.
    pub fn of_public_key_in(certificate: &[u8]) -> Result<Self, Error> {
        let certificate = CertificateDer::from(certificate);
        let digests = Digests::of(&certificate)
            .map_err(|error| Error::builder("not a certificate").with_source(error))?;
        Ok(Self::public_key(digests.public_key))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = base64::engine::general_purpose::STANDARD.encode(self.digest);
        write!(f, "{:?}(sha256/{text})", self.of)
    }
}

/// What a certificate can be pinned by.
pub(super) struct Digests {
    public_key: [u8; 32],
    certificate: [u8; 32],
}

impl Digests {
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Self, rustls::Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        Ok(Self {
            public_key: Sha256::digest(parsed.subject_public_key_info()).into(),
            certificate: Sha256::digest(certificate).into(),
        })
    }

    pub(super) fn matches(&self, pins: &[Pin]) -> bool {
        pins.iter().any(|pin| match pin.of {
            PinOf::PublicKey => pin.digest == self.public_key,
            PinOf::Certificate => pin.digest == self.certificate,
        })
    }
}

fn parse(text: &str) -> Result<[u8; 32], Error> {
    let text = text.trim();
    let engine = base64::engine::general_purpose::STANDARD;
    let decoded =
        |digits: &str| -> Option<[u8; 32]> { engine.decode(digits).ok()?.try_into().ok() };
    // A slash may as well be the first digit.
    hexadecimal(text)
        .or_else(|| decoded(text.strip_prefix("sha256/").unwrap_or(text)))
        .or_else(|| decoded(text.strip_prefix("sha256//")?))
        .ok_or_else(|| Error::builder("a pin is no sha-256 digest in base64 or hexadecimal"))
}

fn hexadecimal(text: &str) -> Option<[u8; 32]> {
    let mut digits = text.bytes().filter(|byte| *byte != b':').map(|byte| {
        let digit = char::from(byte).to_digit(16)?;
        u8::try_from(digit).ok()
    });
    let mut digest = [0; 32];
    for byte in &mut digest {
        *byte = digits.next()?? << 4 | digits.next()??;
    }
    digits.next().is_none().then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_may_begin_with_a_slash() {
        let digests = [[0xff; 32], [0xfc; 32]];
        for digest in digests {
            let base64 = base64::engine::general_purpose::STANDARD.encode(digest);
            assert!(base64.starts_with('/'));
            for prefix in ["", "sha256/", "sha256//"] {
                assert_eq!(
                    parse(&format!("{prefix}{base64}")).unwrap(),
                    digest,
                    "{prefix}"
                );
            }
        }
    }

    #[test]
    fn pins_are_read_from_the_usual_texts() {
        let digest: [u8; 32] = Sha256::digest(b"key").into();
        let base64 = base64::engine::general_purpose::STANDARD.encode(digest);
        let hex: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        for text in [
            base64.clone(),
            format!("sha256/{base64}"),
            format!("sha256//{base64}"),
            format!(" {base64}\n"),
            hex.concat(),
            hex.join(":").to_uppercase(),
        ] {
            let pin = Pin::parse_public_key(&text).unwrap();
            assert_eq!(pin, Pin::public_key(digest), "{text}");
        }
        assert_eq!(
            Pin::parse_certificate(&base64).unwrap(),
            Pin::certificate(digest)
        );
        assert_eq!(
            format!("{:?}", Pin::public_key(digest)),
            format!("PublicKey(sha256/{base64})")
        );
        for text in [
            "",
            "sha256/",
            "abc",
            &base64[1..],
            &hex[..31].concat(),
            &format!("sha1/{base64}"),
            &format!("{}0", hex.concat()),
        ] {
            assert!(
                Pin::parse_public_key(text).unwrap_err().is_builder(),
                "{text:?}"
            );
        }
    }
}
