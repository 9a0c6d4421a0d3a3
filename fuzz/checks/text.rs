//! No `Content-Type` and no body makes reading text panic, and the lines of a body are those of its text, however it
//! arrives.
//!
//! The first line is the value of `Content-Type`, the rest is the body.

use bytes::Bytes;
use reqivo::middleware::{HopRequest, HopResponse, Middleware, Next, Reply};
use reqivo::{Error, Session};

struct Answer {
    content_type: Vec<u8>,
    body: Bytes,
    piece: usize,
}

impl Middleware for Answer {
    async fn handle(&self, request: HopRequest, _: Next<'_>) -> Result<HopResponse, Error> {
        let reply = Reply::ok(self.body.clone()).header("Content-Type", &self.content_type);
        request.reply(reply.pieces(self.piece))
    }
}

async fn read(content_type: &[u8], body: &Bytes, piece: usize) -> Result<(), Error> {
    let answer = Answer {
        content_type: content_type.to_vec(),
        body: body.clone(),
        piece,
    };
    let session = Session::builder().transport(answer).build()?;
    let mut response = session.get("http://localhost/").send().await?;
    let mut lines = Vec::new();
    {
        let mut stream = response.iter_lines();
        while let Some(line) = std::future::poll_fn(|cx| {
            futures_core::Stream::poll_next(std::pin::Pin::new(&mut stream), cx)
        })
        .await
        {
            lines.push(line?);
        }
    }
    let mut response = session.get("http://localhost/").send().await?;
    let text = response.text().await?;
    let normal = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut expected: Vec<&str> = normal.split('\n').collect();
    if expected.last() == Some(&"") {
        expected.pop();
    }
    assert!(lines == expected, "{lines:?} and {text:?}");
    Ok(())
}

pub(crate) fn check(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n');
    let (content_type, body) = input.split_at(end.unwrap_or(input.len()));
    let body = Bytes::copy_from_slice(body.get(1..).unwrap_or_default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    for piece in [1, 3, usize::MAX] {
        match runtime.block_on(read(content_type, &body, piece)) {
            Ok(()) => {}
            // A value that no server could send.
            Err(error) => assert!(error.is_builder() || error.is_protocol(), "{error}"),
        }
    }
}
