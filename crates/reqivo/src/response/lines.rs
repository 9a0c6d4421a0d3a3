use std::borrow::BorrowMut;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::Response;
use super::reading::Content;
use super::text::Decoder;
use crate::error::{Error, Phase};
use crate::proto::{LimitKind, ProtocolError};

/// The lines of a body, as they arrive.
pub(super) struct Lines<R> {
    /// Where more comes from; nothing after its end.
    content: Option<Content<R>>,
    splitter: Splitter,
}

impl<R> Lines<R> {
    pub(super) fn new(content: Content<R>, decoder: Decoder, limit: u64) -> Self {
        Self {
            content: Some(content),
            splitter: Splitter {
                decoder,
                text: String::new(),
                start: 0,
                searched: 0,
                after_return: false,
                limit,
            },
        }
    }
}

impl<R: BorrowMut<Response> + Unpin> Stream for Lines<R> {
    type Item = Result<String, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let failed = loop {
            match this.splitter.next() {
                Ok(Some(line)) => return Poll::Ready(Some(Ok(line))),
                Ok(None) => {}
                Err(error) => break error,
            }
            let Some(content) = &mut this.content else {
                return Poll::Ready(this.splitter.last().map(Ok));
            };
            let pushed = match ready!(Pin::new(content).poll_next(cx)) {
                Some(Ok(piece)) => this.splitter.push(&piece, false),
                Some(Err(error)) => Err(error),
                None => {
                    this.content = None;
                    this.splitter.push(b"", true)
                }
            };
            if let Err(error) = pushed {
                break error;
            }
        };
        this.splitter.clear();
        let failed = match this.content.take() {
            Some(content) => content.about(failed),
            None => failed,
        };
        Poll::Ready(Some(Err(failed)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.splitter.has_line()), None)
    }
}

/// Splits text at LF, CR and CRLF.
struct Splitter {
    decoder: Decoder,
    text: String,
    /// Where the current line begins.
    start: usize,
    /// Up to where there is no line end.
    searched: usize,
    /// Whether a line feed would belong to the line end before.
    after_return: bool,
    limit: u64,
}

impl Splitter {
    /// Takes in more. All lines that were there were given out before, so what is left is the start of one.
    fn push(&mut self, bytes: &[u8], last: bool) -> Result<(), Error> {
        if self.start > 0 {
            self.text.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.decoder.push(bytes, last, &mut self.text);
        if self.after_return && !self.text.is_empty() {
            self.after_return = false;
            if self.text.starts_with('\n') {
                self.start = 1;
                self.searched = 1;
            }
        }
        Ok(())
    }

    fn has_line(&self) -> bool {
        self.line_end().is_some()
    }

    fn line_end(&self) -> Option<usize> {
        let rest = self.text.as_bytes().get(self.searched..)?;
        memchr::memchr2(b'\r', b'\n', rest).map(|at| self.searched + at)
    }

    fn next(&mut self) -> Result<Option<String>, Error> {
        let end = self.line_end();
        let length = end.unwrap_or(self.text.len()) - self.start;
        if length as u64 > self.limit {
            let error = ProtocolError::limit(LimitKind::BufferedBytes, self.limit);
            return Err(Error::protocol(error, Phase::Body));
        }
        let Some(end) = end else {
            self.searched = self.text.len();
            return Ok(None);
        };
        let line = self.text[self.start..end].to_owned();
        let rest = &self.text.as_bytes()[end..];
        self.after_return = rest == b"\r";
        self.start = end + if rest.starts_with(b"\r\n") { 2 } else { 1 };
        self.searched = self.start;
        Ok(Some(line))
    }

    /// What follows the last line end, if anything does.
    fn last(&mut self) -> Option<String> {
        let rest = self.text.get(self.start..).unwrap_or_default().to_owned();
        self.clear();
        Some(rest).filter(|rest| !rest.is_empty())
    }

    fn clear(&mut self) {
        self.text = String::new();
        (self.start, self.searched) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Encoding;
    use super::*;

    fn lines(pieces: &[&[u8]], charset: &str, limit: u64) -> Result<Vec<String>, Error> {
        let decoder = Encoding::declared(Some(charset)).decoder();
        // The stream is not needed for this.
        let mut splitter = Lines::<Response>::new(Content::ended(), decoder, limit).splitter;
        let mut lines = Vec::new();
        for piece in pieces {
            splitter.push(piece, false)?;
            while let Some(line) = splitter.next()? {
                lines.push(line);
            }
        }
        splitter.push(b"", true)?;
        while let Some(line) = splitter.next()? {
            lines.push(line);
        }
        lines.extend(splitter.last());
        Ok(lines)
    }

    #[test]
    fn lines_end_with_line_feed_return_or_both_at_every_split() {
        let body =
            "\u{feff}one\ntwo\rthr\u{e4}e\r\n\r\n\n\r\rl\u{1f600}st\u{2028}x\u{b}\u{85}".as_bytes();
        let expected = [
            "one",
            "two",
            "thr\u{e4}e",
            "",
            "",
            "",
            "",
            "l\u{1f600}st\u{2028}x\u{b}\u{85}",
        ];
        for step in 1..=body.len() {
            let pieces: Vec<&[u8]> = body.chunks(step).collect();
            assert_eq!(
                lines(&pieces, "utf-8", 1000).unwrap(),
                expected,
                "step {step}"
            );
        }
        for at in 0..=body.len() {
            let (a, b) = body.split_at(at);
            assert_eq!(lines(&[a, b], "utf-8", 1000).unwrap(), expected, "at {at}");
        }
    }

    #[test]
    fn the_last_line_needs_no_end_and_an_end_starts_no_line() {
        let all = |body: &str| lines(&[body.as_bytes()], "utf-8", 1000).unwrap();
        assert!(all("").is_empty());
        assert_eq!(all("a"), ["a"]);
        for end in ["\n", "\r", "\r\n"] {
            assert_eq!(all(&format!("a{end}")), ["a"]);
            assert_eq!(all(end), [""]);
        }
    }

    #[test]
    fn a_line_is_bounded_wherever_its_end_is() {
        for body in ["12345678\nx", "x\n12345678", "x\r12345678\r"] {
            for step in [1, 3, 100] {
                let pieces: Vec<&[u8]> = body.as_bytes().chunks(step).collect();
                assert!(
                    lines(&pieces, "utf-8", 7).unwrap_err().is_limit(),
                    "{body:?}"
                );
                assert_eq!(lines(&pieces, "utf-8", 8).unwrap().len(), 2);
            }
        }
    }

    #[cfg(feature = "charset")]
    #[test]
    fn wide_encodings_are_split_at_their_own_line_ends() {
        let body: Vec<u8> = "a\u{0a0a}b\nc"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for step in 1..=body.len() {
            let pieces: Vec<&[u8]> = body.chunks(step).collect();
            assert_eq!(
                lines(&pieces, "utf-16le", 1000).unwrap(),
                ["a\u{0a0a}b", "c"]
            );
        }
    }
}
