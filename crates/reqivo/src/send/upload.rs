use crate::error::{Error, Phase, TimeLimit};
use crate::net::clock::{self, Clock};
use crate::net::exchange::Exchange;
use crate::net::upload::Upload;
use crate::outgoing::{Checked, Framing, Outgoing};
use crate::request::Parts;
use crate::request_body::{Body, Opened};

/// Makes the body ready and looks for mistakes in the request. There is no upload for bytes that go out as they are.
pub(super) async fn prepare(
    outgoing: Outgoing<'_>,
    parts: &Parts,
    clock: &Clock,
) -> Result<(Option<Box<Upload>>, Checked), Error> {
    let body = parts.body.as_ref();
    let mut upload = match body {
        // Boxed: it would make every request's future larger.
        Some(body) if body.whole().is_none() => Some(Box::pin(open(outgoing, body, clock)).await?),
        _ => None,
    };
    let checked = outgoing.check(framing(upload.as_deref(), body))?;
    if let Some(wait) = checked.expect {
        let upload = upload.get_or_insert_with(|| {
            let bytes = body.and_then(Body::whole).cloned().unwrap_or_default();
            Box::new(Upload::new(Opened::whole(bytes)))
        });
        upload.ask_leave(wait);
    }
    Ok((upload, checked))
}

async fn open(outgoing: Outgoing<'_>, body: &Body, clock: &Clock) -> Result<Box<Upload>, Error> {
    // A file may take its time, and a named pipe waits for its other end.
    let total = clock.phase(TimeLimit::Total);
    let mut opened = clock::until(total, Phase::Build, body.open()).await??;
    if opened.length.is_none()
        && opened.trailers.is_empty()
        && let Some(length) = outgoing.given_length()
    {
        opened = opened.with_length(length);
    }
    Ok(Box::new(Upload::new(opened)))
}

/// How the end of the body is told.
pub(super) fn framing<'a>(upload: Option<&'a Upload>, body: Option<&'a Body>) -> Framing<'a> {
    match (upload, body) {
        (Some(upload), _) => match upload.length() {
            Some(length) => Framing::Length(length),
            None => Framing::Chunked(upload.trailers()),
        },
        (None, Some(body)) => Framing::Length(body.length().unwrap_or(0)),
        (None, None) => Framing::Absent,
    }
}

/// A body that is sent once and was not begun can still be sent.
pub(super) fn give_back(exchange: &mut Exchange, parts: &Parts) {
    if let Some(unused) = exchange.take_unused()
        && let Some(body) = &parts.body
        && let Some(opened) = unused.into_untouched()
    {
        body.restore(opened);
    }
}
