//! The hook that reads a vendor's error bodies.

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::ErrorKind;

/// What a service says about a failure in the body of its response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorDetails {
    /// A short code, such as `notFound`.
    pub code: Option<String>,
    /// A message for people.
    pub message: Option<String>,
    /// The id by which the service's support finds the call.
    pub correlation_id: Option<String>,
    /// The id of this one request.
    pub request_id: Option<String>,
    /// Overrides the kind that follows from the status, where a vendor uses statuses oddly. It does
    /// not change what is retried.
    pub kind: Option<ErrorKind>,
}

/// Reads a vendor's error body.
pub trait ErrorDecoder: Send + Sync + 'static {
    /// Returns what the response says about the failure.
    ///
    /// Must not fail: a body that is not understood gives empty details. For a body that is not
    /// JSON, the client takes its first 500 characters as the message if the decoder finds none.
    fn decode(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ErrorDetails;
}

/// Reads the JSON error bodies that most services send.
///
/// It takes the first text found in `message`, `error_description`, `detail`, `title` and
/// `error.message`; the code from `error`, `errorCode`, `code`, `error.code` and `type`; the ids
/// from `correlationId`, `trackingId`, `traceId` and `requestId`, else from the headers
/// `X-Correlation-ID` and `X-Request-ID`.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonErrorDecoder;

impl ErrorDecoder for JsonErrorDecoder {
    fn decode(&self, _status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ErrorDetails {
        let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let nested = value.get("error").filter(|error| error.is_object());
        let header = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        ErrorDetails {
            code: text(&value, &["error", "errorCode", "code"])
                .or_else(|| nested.and_then(|nested| text(nested, &["code", "status"])))
                .or_else(|| text(&value, &["type"])),
            message: text(&value, &["message", "error_description", "detail", "title"])
                .or_else(|| nested.and_then(|nested| text(nested, &["message"]))),
            correlation_id: text(&value, &["correlationId", "trackingId", "traceId"])
                .or_else(|| header("x-correlation-id")),
            request_id: text(&value, &["requestId"]).or_else(|| header("x-request-id")),
            kind: None,
        }
    }
}

/// Returns the first of `names` that is a non-empty text or a number.
fn text(value: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| match value.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(body: &str) -> ErrorDetails {
        JsonErrorDecoder.decode(StatusCode::BAD_REQUEST, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn the_usual_bodies_are_understood() {
        let bodies = [
            (
                r#"{"error":"notFound","message":"no such thing"}"#,
                "notFound",
                "no such thing",
            ),
            (
                r#"{"errorCode":"x.y","message":"m","trackingId":"t"}"#,
                "x.y",
                "m",
            ),
            (
                r#"{"error":"invalid_client","error_description":"bad secret"}"#,
                "invalid_client",
                "bad secret",
            ),
            (
                r#"{"type":"about:blank","title":"Bad Request","detail":"d"}"#,
                "about:blank",
                "d",
            ),
            (r#"{"error":{"code":7,"message":"nested"}}"#, "7", "nested"),
        ];
        for (body, code, message) in bodies {
            let details = decode(body);
            assert_eq!(details.code.as_deref(), Some(code), "{body}");
            assert_eq!(details.message.as_deref(), Some(message), "{body}");
        }
    }

    #[test]
    fn what_is_not_understood_gives_nothing() {
        for body in [
            "",
            "<html>",
            "null",
            "[1]",
            r#"{"message":""}"#,
            r#"{"error":null}"#,
        ] {
            assert_eq!(decode(body), ErrorDetails::default(), "{body}");
        }
    }
}
