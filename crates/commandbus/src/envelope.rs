//! The JSON messages of the queues, written and read as the table of fields says.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::command::Command;
use crate::ids::{CommandId, CorrelationId};

#[derive(Serialize)]
struct CommandMessage<'a> {
    domain: &'a str,
    command_type: &'a str,
    command_id: CommandId,
    correlation_id: CorrelationId,
    data: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
}

/// Writes the message of a command.
pub(crate) fn command(command: &Command, correlation_id: CorrelationId) -> String {
    json(&CommandMessage {
        domain: &command.domain,
        command_type: &command.command_type,
        command_id: command.command_id,
        correlation_id,
        data: command.data.raw(),
        reply_to: command.reply_to.as_deref(),
        max_attempts: command.max_attempts,
    })
}

/// The outcome a reply tells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReplyBody<'a> {
    /// The handler's result, or null.
    Success(Option<&'a RawValue>),
    /// A business rule refused.
    Failed(ReplyError<'a>),
    /// An operator cancelled.
    Canceled(&'a str),
}

/// The error of a failed command, written at the top level and in `result`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyError<'a> {
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    /// An object.
    pub(crate) details: &'a RawValue,
}

#[derive(Serialize)]
struct ReplyMessage<'a> {
    command_id: CommandId,
    correlation_id: Option<CorrelationId>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ReplyResult<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ReplyResult<'a> {
    Success(Option<&'a RawValue>),
    Failed {
        error_code: &'a str,
        error_message: &'a str,
        error_details: &'a RawValue,
    },
}

/// Writes a reply.
pub(crate) fn reply(
    command_id: CommandId,
    correlation_id: Option<CorrelationId>,
    body: ReplyBody<'_>,
) -> String {
    let mut message = ReplyMessage {
        command_id,
        correlation_id,
        outcome: "SUCCESS",
        result: None,
        reason: None,
        error_code: None,
        error_message: None,
    };
    match body {
        ReplyBody::Success(result) => message.result = Some(ReplyResult::Success(result)),
        ReplyBody::Failed(error) => {
            message.outcome = "FAILED";
            message.error_code = Some(error.code);
            message.error_message = Some(error.message);
            message.result = Some(ReplyResult::Failed {
                error_code: error.code,
                error_message: error.message,
                error_details: error.details,
            });
        }
        ReplyBody::Canceled(reason) => {
            message.outcome = "CANCELED";
            message.reason = Some(reason);
        }
    }
    json(&message)
}

fn json(message: &impl Serialize) -> String {
    // Texts, ids, numbers and raw JSON always have a JSON form.
    serde_json::to_string(message).unwrap_or_else(|_| "{}".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::payload::Payload;

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn command_messages_leave_out_what_was_not_given() {
        let id = CommandId::random();
        let correlation = CorrelationId::random();
        let plain = Command::new("orders", "Ship", id);
        assert_eq!(
            value(&command(&plain, correlation)),
            json!({"domain": "orders", "command_type": "Ship", "command_id": id, "correlation_id": correlation, "data": {}})
        );
        let full = plain
            .data(Payload::from_json(r#"{"n":123456789012345678901234567890.5}"#).unwrap())
            .reply_to("r")
            .max_attempts(7);
        let text = command(&full, correlation);
        assert!(text.contains("123456789012345678901234567890.5"));
        assert_eq!(value(&text)["reply_to"], "r");
        assert_eq!(value(&text)["max_attempts"], 7);
    }

    #[test]
    fn replies_have_the_fields_of_their_outcome() {
        let id = CommandId::random();
        assert_eq!(
            value(&reply(id, None, ReplyBody::Success(None))),
            json!({"command_id": id, "correlation_id": null, "outcome": "SUCCESS", "result": null})
        );
        let details = Payload::from(json!({"a": 1}));
        let error = ReplyError {
            code: "C",
            message: "m",
            details: details.raw(),
        };
        assert_eq!(
            value(&reply(id, None, ReplyBody::Failed(error))),
            json!({
                "command_id": id, "correlation_id": null, "outcome": "FAILED",
                "result": {"error_code": "C", "error_message": "m", "error_details": {"a": 1}},
                "error_code": "C", "error_message": "m"
            })
        );
        assert_eq!(
            value(&reply(id, None, ReplyBody::Canceled("why"))),
            json!({"command_id": id, "correlation_id": null, "outcome": "CANCELED", "reason": "why"})
        );
    }
}
