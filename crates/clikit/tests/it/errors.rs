use std::error::Error as _;
use std::io;

use clikit::output::Format;
use clikit::{Capture, Class, Error, Exit, ReportForm, Terminals};
use secrecy::SecretString;

fn sample() -> Error {
    let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
    Error::wrap(Class::Api, refused)
        .context("token request failed")
        .context("cannot list devices")
        .with_hint("is the service running?")
        .with_detail("status", 503)
}

#[test]
fn the_class_decides_the_exit_status() {
    let codes = [
        (Class::User, 2),
        (Class::Config, 1),
        (Class::Auth, 1),
        (Class::Api, 1),
        (Class::Internal, 1),
        (Class::Partial, 3),
        (Class::Interrupted, 130),
        (Class::BrokenPipe, 141),
    ];
    for (class, code) in codes {
        assert_eq!(Error::new(class, "x").exit().code(), code, "{class}");
    }
    assert_eq!(Exit::Success.code(), 0);
}

#[test]
fn a_report_shows_the_error_its_causes_and_the_next_step() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    assert_eq!(sample().report(&console, ReportForm::Text), Exit::Failure);
    assert_eq!(
        capture.stderr(),
        "error: cannot list devices\ncaused by: token request failed\n\
         caused by: connection refused\nhint: is the service running?\n"
    );
    assert_eq!(capture.stdout(), "");
}

#[test]
fn a_report_is_one_line_of_json_where_the_data_is_json() {
    assert_eq!(ReportForm::from(Format::Ndjson), ReportForm::Json);
    assert_eq!(ReportForm::from(Format::Csv), ReportForm::Text);
    let (console, capture) = Capture::new("", Terminals::NONE);
    let error = Error::partial("1 of 3 tenants failed").with_failure("Initech: forbidden");
    assert_eq!(error.report(&console, ReportForm::Json), Exit::Partial);
    sample().report(&console, ReportForm::Json);
    let stderr = capture.stderr();
    let lines: Vec<serde_json::Value> = stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            serde_json::json!({"error": {
                "class": "partial", "exitCode": 3, "message": "1 of 3 tenants failed",
                "causes": [], "failures": ["Initech: forbidden"], "hints": [], "details": {},
            }}),
            serde_json::json!({"error": {
                "class": "api", "exitCode": 1, "message": "cannot list devices",
                "causes": ["token request failed", "connection refused"], "failures": [],
                "hints": ["is the service running?"], "details": {"status": 503},
            }}),
        ]
    );
}

#[test]
fn a_wrapped_error_keeps_its_text_and_its_chain() {
    let error = sample();
    let token = error.source().unwrap();
    assert_eq!(token.to_string(), "token request failed");
    let refused = token.source().unwrap();
    assert_eq!(refused.to_string(), "connection refused");
    assert!(refused.source().is_none());
    assert_eq!(error.class(), Class::Api);
}

#[test]
fn announced_secrets_are_masked_in_every_report() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    console.hide(&SecretString::from("hunter2-token"));
    let error = Error::auth("the service answered: bad token hunter2-token")
        .with_source(Error::api("sent hunter2-token"))
        .with_hint("hunter2-token is old")
        .with_detail("body", serde_json::json!({"token": ["hunter2-token"]}));
    error.report(&console, ReportForm::Text);
    error.report(&console, ReportForm::Json);
    console.warn("hunter2-token");
    assert!(
        !capture.stderr().contains("hunter2"),
        "{}",
        capture.stderr()
    );
    assert!(capture.stderr().contains("bad token ********"));
}

#[test]
fn text_of_the_service_cannot_draw_on_the_terminal() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    Error::api("said \x1b[2Jhello\nworld").report(&console, ReportForm::Text);
    assert_eq!(capture.stderr(), "error: said \u{fffd}[2Jhello world\n");
}

#[test]
fn a_broken_pipe_has_its_own_class_and_other_io_errors_do_not() {
    let gone = Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
    assert!(gone.is_broken_pipe());
    assert_eq!(
        Error::from(io::Error::other("disk full")).class(),
        Class::Internal
    );
}

#[test]
fn labels_are_coloured_on_a_terminal() {
    let (console, capture) = Capture::new("", Terminals::ALL);
    Error::user("no")
        .with_hint("yes")
        .report(&console, ReportForm::Text);
    assert_eq!(
        capture.stderr(),
        "\x1b[31merror\x1b[0m: no\n\x1b[36mhint\x1b[0m: yes\n"
    );
}
