//! Text: charsets and byte order marks.

/// The `charset` parameter of a media type, without quotes.
pub(super) fn charset_of(content_type: &str) -> Option<String> {
    parameters(content_type).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("charset") {
            return None;
        }
        let value = value.trim();
        let quoted = value.strip_prefix('"').map(|rest| {
            let rest = rest.strip_suffix('"').unwrap_or(rest);
            rest.replace('\\', "")
        });
        // Single quotes are none by the standard, and are sent all the same.
        Some(quoted.unwrap_or_else(|| value.trim_matches('\'').to_owned()))
    })
}

/// The parameters of a media type: what stands between semicolons that are not quoted.
fn parameters(content_type: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = content_type.split(move |at: char| {
        match at {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        at == ';' && !quoted
    });
    parts.skip(1)
}

/// How bytes become text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encoding {
    #[cfg(feature = "charset")]
    encoding: &'static encoding_rs::Encoding,
    #[cfg(not(feature = "charset"))]
    latin: bool,
    /// Whether a byte order mark of another encoding wins.
    mark_wins: bool,
}

impl Encoding {
    /// The encoding that a header field names; an unknown one is UTF-8. A byte order mark wins.
    pub(super) fn declared(charset: Option<&str>) -> Self {
        Self {
            mark_wins: true,
            ..Self::asked(charset.unwrap_or("utf-8"))
        }
    }
}

#[cfg(feature = "charset")]
impl Encoding {
    /// The encoding that the caller asks for; an unknown one is UTF-8.
    pub(super) fn asked(charset: &str) -> Self {
        let encoding = encoding_rs::Encoding::for_label(charset.as_bytes());
        Self {
            encoding: encoding.unwrap_or(encoding_rs::UTF_8),
            // Which of the two byte orders `utf-16` is, only the mark says.
            mark_wins: charset.trim().eq_ignore_ascii_case("utf-16"),
        }
    }

    pub(super) fn decode(self, body: &[u8]) -> String {
        let (text, ..) = match self.mark_wins {
            true => self.encoding.decode(body),
            false => {
                let (text, errors) = self.encoding.decode_with_bom_removal(body);
                (text, self.encoding, errors)
            }
        };
        text.into_owned()
    }

    /// Whether the body is UTF-8, so that it may be read as such without being copied.
    #[cfg(feature = "json")]
    pub(super) fn is_plain_utf8(self, body: &[u8]) -> bool {
        self.encoding == encoding_rs::UTF_8 && encoding_rs::Encoding::for_bom(body).is_none()
    }

    pub(super) fn decoder(self) -> Decoder {
        Decoder(match self.mark_wins {
            true => self.encoding.new_decoder(),
            false => self.encoding.new_decoder_with_bom_removal(),
        })
    }
}

/// Decodes text that arrives in pieces.
#[cfg(feature = "charset")]
pub(super) struct Decoder(encoding_rs::Decoder);

#[cfg(feature = "charset")]
impl Decoder {
    /// Appends the text of a piece.
    pub(super) fn push(&mut self, bytes: &[u8], last: bool, text: &mut String) {
        let room = self.0.max_utf8_buffer_length(bytes.len());
        text.reserve(room.unwrap_or(bytes.len()));
        let mut rest = bytes;
        loop {
            let (result, read, _) = self.0.decode_to_string(rest, text, last);
            rest = &rest[read..];
            match result {
                encoding_rs::CoderResult::InputEmpty => return,
                encoding_rs::CoderResult::OutputFull => text.reserve(rest.len() + 16),
            }
        }
    }
}

#[cfg(not(feature = "charset"))]
impl Encoding {
    /// The encoding that the caller asks for; an unknown one is UTF-8.
    pub(super) fn asked(charset: &str) -> Self {
        let latin = ["iso-8859-1", "latin1", "us-ascii"];
        Self {
            latin: latin
                .iter()
                .any(|it| it.eq_ignore_ascii_case(charset.trim())),
            mark_wins: false,
        }
    }

    pub(super) fn decode(self, body: &[u8]) -> String {
        let mut text = String::new();
        self.decoder().push(body, true, &mut text);
        text
    }

    /// Whether the body is UTF-8, so that it may be read as such without being copied.
    #[cfg(feature = "json")]
    pub(super) fn is_plain_utf8(self, body: &[u8]) -> bool {
        !self.latin && !body.starts_with(MARK)
    }

    pub(super) fn decoder(self) -> Decoder {
        Decoder {
            encoding: self,
            held: Vec::new(),
            started: false,
        }
    }
}

/// Decodes text that arrives in pieces.
#[cfg(not(feature = "charset"))]
pub(super) struct Decoder {
    encoding: Encoding,
    /// The start of a mark or of a character that is not whole yet.
    held: Vec<u8>,
    started: bool,
}

#[cfg(not(feature = "charset"))]
impl Decoder {
    /// Appends the text of a piece.
    pub(super) fn push(&mut self, bytes: &[u8], last: bool, text: &mut String) {
        let joined;
        let mut bytes = match self.held.is_empty() {
            true => bytes,
            false => {
                self.held.extend_from_slice(bytes);
                joined = std::mem::take(&mut self.held);
                &joined
            }
        };
        if !self.started {
            if !last && bytes.len() < MARK.len() && MARK.starts_with(bytes) {
                self.held = bytes.to_vec();
                return;
            }
            self.started = true;
            if let Some(rest) = bytes.strip_prefix(MARK)
                && (self.encoding.mark_wins || !self.encoding.latin)
            {
                self.encoding.latin = false;
                bytes = rest;
            }
        }
        if self.encoding.latin {
            text.extend(bytes.iter().copied().map(char::from));
            return;
        }
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            let rest = chunk.invalid();
            let at_end = rest.as_ptr_range().end == bytes.as_ptr_range().end;
            let unfinished =
                std::str::from_utf8(rest).is_err_and(|error| error.error_len().is_none());
            if rest.is_empty() {
                continue;
            } else if at_end && unfinished && !last {
                self.held = rest.to_vec();
            } else {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }
}

#[cfg(not(feature = "charset"))]
const MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charset_parameters_are_found_whatever_their_case_and_quotes() {
        for (text, charset) in [
            ("text/html; charset=utf-8", Some("utf-8")),
            ("text/html;CHARSET=\"ISO-8859-1\"", Some("ISO-8859-1")),
            ("text/html; a=b ; Charset = latin1 ", Some("latin1")),
            ("text/html; charset='utf-8'", Some("utf-8")),
            ("text/html; a=\"; charset=x\"; charset=y", Some("y")),
            ("text/html; a=\"\\\"; charset=x\"; charset=y", Some("y")),
            ("text/html; charset=\"u\\tf-8\"", Some("utf-8")),
            ("text/html; charset=\"utf-8", Some("utf-8")),
            ("text/html; charset=", Some("")),
            ("text/html", None),
            ("charset=utf-8", None),
        ] {
            assert_eq!(charset_of(text).as_deref(), charset, "{text}");
        }
    }

    fn declared(body: &[u8], charset: Option<&str>) -> String {
        Encoding::declared(charset).decode(body)
    }

    #[test]
    fn text_follows_the_mark_then_the_charset_then_utf8_and_never_fails() {
        assert_eq!(declared(b"\xe4", Some("ISO-8859-1")), "\u{e4}");
        let marked = b"\xef\xbb\xbfa\xc3\xa4";
        assert_eq!(declared(marked, Some("iso-8859-1")), "a\u{e4}");
        let broken = declared(b"a\xc3\xa4\xff", Some("no-such-charset"));
        assert_eq!(broken, "a\u{e4}\u{fffd}");
        assert_eq!(declared(b"\xc3\xa4", None), "\u{e4}");
        assert_eq!(declared(b"\xc3", None), "\u{fffd}");
    }

    #[cfg(feature = "charset")]
    #[test]
    fn what_the_caller_asks_for_beats_the_mark() {
        let asked = |body: &[u8], charset: &str| Encoding::asked(charset).decode(body);
        assert_eq!(
            asked(b"\xef\xbb\xbfa", "windows-1252"),
            "\u{ef}\u{bb}\u{bf}a"
        );
        assert_eq!(asked(b"\xef\xbb\xbfa", "utf-8"), "a");
        assert_eq!(asked(b"\xfe\xff\0a", "UTF-16"), "a");
        assert_eq!(asked(b"\xff\xfea\0", "utf-16"), "a");
        assert_eq!(asked(b"\0a", "utf-16be"), "a");
        assert_eq!(declared(b"\xff\xfea\0", Some("utf-8")), "a");
        assert_eq!(declared(b"\x82\xa0", Some("Shift_JIS")), "\u{3042}");
    }

    proptest::proptest! {
        #[test]
        fn text_in_pieces_is_the_same_as_at_once(
            body in proptest::collection::vec(
                proptest::prop_oneof![
                    proptest::sample::select(vec![0xef_u8, 0xbb, 0xbf, 0xc3, 0xa4, 0xff, 0xfe, 0, b'a', b'\n', 0xf0, 0x9f]),
                    proptest::prelude::any::<u8>(),
                ],
                0..40,
            ),
            step in 1_usize..9,
            charset in proptest::sample::select(vec!["utf-8", "iso-8859-1", "utf-16", "shift_jis", "gb18030", ""]),
        ) {
            for encoding in [Encoding::declared(Some(charset)), Encoding::asked(charset)] {
                let mut decoder = encoding.decoder();
                let mut text = String::new();
                for piece in body.chunks(step) {
                    decoder.push(piece, false, &mut text);
                }
                decoder.push(b"", true, &mut text);
                proptest::prop_assert_eq!(text, encoding.decode(&body));
            }
        }
    }
}
