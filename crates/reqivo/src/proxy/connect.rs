//! Tunnels through HTTP proxies (RFC 9110 9.3.6).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use super::{Destination, ProxyServer};
use crate::error::{Error, ErrorKind, Phase};
use crate::outgoing::USER_AGENT;
use crate::proto::{Decoder, Event, Head, Limits, Tolerance, encode};

impl ProxyServer {
    /// Asks an HTTP proxy for a tunnel. `ends` is when the time for it is up.
    pub(crate) async fn open_tunnel<S>(
        &self,
        stream: &mut S,
        to: Destination<'_>,
        ends: Option<Instant>,
    ) -> Result<(), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let broken = |error: std::io::Error| self.failed().with_source(error);
        stream.write_all(&self.request(to)).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        let limits = Limits::default().body_bytes(None);
        let mut answer = Answer {
            decoder: Decoder::new(&Method::CONNECT, &limits, &Tolerance::default()),
            input: BytesMut::new(),
        };
        let head = loop {
            match answer.next(stream).await {
                Ok(Event::Head(head)) => break head,
                Ok(Event::Interim(_)) => {}
                Ok(_) => return Err(self.failed().with_message("the proxy sent no answer")),
                Err(Trouble::Io(error)) => return Err(broken(error)),
                Err(Trouble::Protocol(error)) => return Err(self.failed().with_source(error)),
            }
        };
        if !(200..300).contains(&head.status()) {
            return Err(self.refusal(head, answer, stream, ends).await);
        }
        // Whatever is at the far end waits for us to speak first.
        if !answer.input.is_empty() {
            return Err(self
                .failed()
                .with_text(format!("{self} sent data into an unused tunnel")));
        }
        tracing::debug!(proxy = %self, "tunnel is open");
        Ok(())
    }

    fn request(&self, to: Destination<'_>) -> Vec<u8> {
        let mut head = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
        if !self.headers.has(b"user-agent") {
            encode::field(&mut head, "User-Agent", USER_AGENT.as_bytes());
        }
        for (name, value) in self.headers.raw() {
            encode::field(&mut head, name, value);
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// An error with the answer, and as much of its body as comes soon.
    async fn refusal<S>(
        &self,
        head: Head,
        mut answer: Answer,
        stream: &mut S,
        ends: Option<Instant>,
    ) -> Error
    where
        S: AsyncRead + Unpin,
    {
        let status = StatusCode::from_u16(head.status()).unwrap_or_default();
        let mut body = BytesMut::new();
        let read = async {
            while let Ok(Event::Data(data)) = answer.next(stream).await {
                let room = MAX_BODY - body.len();
                body.extend_from_slice(data.get(..room).unwrap_or(&data));
                if body.len() >= MAX_BODY {
                    break;
                }
            }
        };
        let soon = Instant::now() + BODY_TIME;
        // The status is the news; a body that does not come takes nothing away from it.
        let _ = tokio::time::timeout_at(ends.map_or(soon, |ends| ends.min(soon)), read).await;
        let reason = status.canonical_reason().unwrap_or("unknown");
        self.failed()
            .with_text(format!(
                "{self} refused the tunnel with status {} ({})",
                status.as_u16(),
                reason.to_ascii_lowercase()
            ))
            .with_status(status)
            .with_reply(head.headers, Bytes::from(body))
    }

    /// An error from the talk with the proxy.
    pub(super) fn failed(&self) -> Error {
        Error::new(ErrorKind::Proxy, Phase::Proxy)
            .with_text(format!("{self} did not open a tunnel"))
    }
}

/// The proxy's side of the talk.
struct Answer {
    decoder: Decoder,
    input: BytesMut,
}

enum Trouble {
    Io(std::io::Error),
    Protocol(crate::proto::ProtocolError),
}

impl Answer {
    async fn next<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> Result<Event, Trouble> {
        loop {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => {}
                Err(error) => return Err(Trouble::Protocol(error)),
            }
            self.input.reserve(READ);
            let count = stream
                .read_buf(&mut self.input)
                .await
                .map_err(Trouble::Io)?;
            if count == 0 {
                return self
                    .decoder
                    .finish(&mut self.input)
                    .map_err(Trouble::Protocol);
            }
        }
    }
}

/// How much of the body of a refusal is kept.
const MAX_BODY: usize = 64 * 1024;
/// How long the body of a refusal is waited for.
const BODY_TIME: Duration = Duration::from_secs(2);
const READ: usize = 4096;

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};
    use url::Host;

    use super::super::{Environment, Proxies, Proxy};
    use super::*;

    fn server(proxy: Proxy) -> std::sync::Arc<ProxyServer> {
        let set = vec![Proxies::one(proxy).unwrap()];
        let proxies = Proxies::new(set, &Environment::Ignored, false).unwrap();
        let url = url::Url::parse("https://origin.example/").unwrap();
        proxies.choose(&url).unwrap().unwrap()
    }

    const TO: Destination<'static> = Destination::Name("origin.example", 443);

    /// What comes of an answer that is written in pieces, and what was asked.
    async fn talk(answer: &[u8], piece: usize, close: bool) -> (Result<(), Error>, String) {
        let proxy = Proxy::all("http://user:pw@proxy:1").unwrap();
        let proxy = server(proxy.header("X-Key", "7").unwrap());
        let (mut near, far): (_, DuplexStream) = duplex(16);
        let answer = answer.to_vec();
        let peer = async move {
            let mut far = far;
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(far.read_u8().await.unwrap());
            }
            for bytes in answer.chunks(piece) {
                if far.write_all(bytes).await.is_err() {
                    break;
                }
            }
            (String::from_utf8(asked).unwrap(), (!close).then_some(far))
        };
        let ours = async {
            let result = proxy.open_tunnel(&mut near, TO, None).await;
            // Whoever still writes is not read any more.
            drop(near);
            result
        };
        let (result, (asked, far)) = futures_join(ours, peer).await;
        drop(far);
        (result, asked)
    }

    async fn futures_join<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
        let (mut a, mut b) = (Box::pin(a), Box::pin(b));
        let (mut left, mut right) = (None, None);
        std::future::poll_fn(move |cx| {
            use std::task::Poll;
            if left.is_none()
                && let Poll::Ready(value) = a.as_mut().poll(cx)
            {
                left = Some(value);
            }
            if right.is_none()
                && let Poll::Ready(value) = b.as_mut().poll(cx)
            {
                right = Some(value);
            }
            match (left.take(), right.take()) {
                (Some(a), Some(b)) => Poll::Ready((a, b)),
                (a, b) => {
                    (left, right) = (a, b);
                    Poll::Pending
                }
            }
        })
        .await
    }

    #[tokio::test]
    async fn x2_a_tunnel_is_asked_for_and_opened_at_every_split_of_the_answer() {
        let answers: [&[u8]; 4] = [
            b"HTTP/1.1 200 Connection established\r\n\r\n",
            // A length means nothing here.
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Fine\r\n\r\n",
        ];
        for answer in answers {
            for piece in 1..=answer.len() {
                let (result, asked) = talk(answer, piece, false).await;
                result.unwrap();
                let (line, fields) = asked.split_once("\r\n").unwrap();
                assert_eq!(line, "CONNECT origin.example:443 HTTP/1.1");
                assert!(
                    fields.starts_with("Host: origin.example:443\r\n"),
                    "{fields}"
                );
                assert!(fields.contains("\r\nProxy-Authorization: Basic dXNlcjpwdw==\r\n"));
                assert!(
                    fields.contains("\r\nX-Key: 7\r\n") && fields.contains("User-Agent: reqivo/")
                );
            }
        }
    }

    #[tokio::test]
    async fn x2_refusals_carry_status_fields_and_body() {
        let body = "who are you?";
        for close in [false, true] {
            let framed = match close {
                true => format!("\r\n{body}"),
                false => format!("Content-Length: {}\r\n\r\n{body}", body.len()),
            };
            let answer =
                format!("HTTP/1.1 407 Nope\r\nProxy-Authenticate: Basic realm=\"x\"\r\n{framed}");
            let (result, _) = talk(answer.as_bytes(), 7, close).await;
            let error = result.unwrap_err();
            assert!(error.is_proxy() && error.phase() == Phase::Proxy, "{error}");
            assert_eq!(error.status().unwrap().as_u16(), 407);
            assert_eq!(error.body().unwrap(), body.as_bytes());
            assert!(error.headers().unwrap().contains("proxy-authenticate"));
            let shown = error.to_string();
            assert_eq!(
                shown,
                "http://proxy:1 refused the tunnel with status 407 (proxy authentication required)"
            );
        }
        let large = format!("HTTP/1.1 503 No\r\n\r\n{}", "x".repeat(200_000));
        let (result, _) = talk(large.as_bytes(), 9999, true).await;
        assert_eq!(result.unwrap_err().body().unwrap().len(), MAX_BODY);
    }

    #[tokio::test(start_paused = true)]
    async fn x2_a_refusal_is_told_although_its_body_does_not_come() {
        let answer = b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nsome";
        let (result, _) = talk(answer, 99, false).await;
        let error = result.unwrap_err();
        assert_eq!(error.status().unwrap().as_u16(), 403);
        assert_eq!(error.body().unwrap(), &b"some"[..]);
    }

    #[tokio::test]
    async fn x2_answers_that_are_none_are_errors() {
        let cases: [(&[u8], bool); 5] = [
            (b"", true),
            (b"SSH-2.0-OpenSSH_9\r\n", false),
            (b"HTTP/1.1 20", true),
            (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", false),
            (b"HTTP/1.1 200 OK\r\n\r\nsmuggled", false),
        ];
        for (answer, close) in cases {
            let (result, _) = talk(answer, 99, close).await;
            let error = result.unwrap_err();
            assert!(error.is_proxy() && error.status().is_none(), "{error}");
            assert!(error.to_string().contains("http://proxy:1"), "{error}");
        }
    }

    #[test]
    fn addresses_stand_in_brackets() {
        let host = Host::Ipv6("fd00::1".parse().unwrap());
        let to = Destination::new(&host, 8443);
        let head = server(Proxy::all("p").unwrap()).request(to);
        assert!(head.starts_with(b"CONNECT [fd00::1]:8443 HTTP/1.1\r\nHost: [fd00::1]:8443\r\n"));
    }
}
