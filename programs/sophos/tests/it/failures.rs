//! What goes wrong between here and the service, and what the program makes of it.

use sophos_sandbox::{Fault, Sandbox};

use crate::program::{Program, with_sandbox};

fn sandbox() -> Sandbox {
    Sandbox::builder().endpoints(120).start().unwrap()
}

/// Two pages of fifty and a short one.
const LIST: &str = "endpoint list --all --page-size 50 -o ndjson";

#[test]
fn a_429_is_waited_for_and_then_answered() {
    let sandbox = sandbox();
    let program = with_sandbox(&sandbox, "tenant");
    sandbox.set_faults([Fault::rate_limit()
        .retry_after("0")
        .on("/endpoint")
        .times(2)]);
    assert_eq!(program.line(LIST).success().rows().len(), 120);
    sandbox.set_faults([Fault::rate_limit()
        .retry_after("0")
        .on("/endpoint")
        .always()]);
    let outcome = with_sandbox(&sandbox, "tenant")
        .line("endpoint list --max-retries 1")
        .status(1);
    assert!(outcome.stderr.contains("status 429"), "{outcome}");
    let at_once = with_sandbox(&sandbox, "tenant").env("SOPHOS_RATE_LIMIT_RETRY", "no");
    sandbox.clear_requests();
    at_once.line("endpoint list").status(1);
    let lists = sandbox
        .requests()
        .into_iter()
        .filter(|request| request.path.ends_with("/endpoints"));
    assert_eq!(lists.count(), 1);
}

#[test]
fn a_401_gets_one_new_token() {
    let sandbox = sandbox();
    sandbox.set_faults([Fault::unauthorized().on("/endpoint").times(1)]);
    assert_eq!(
        with_sandbox(&sandbox, "tenant")
            .line(LIST)
            .success()
            .rows()
            .len(),
        120
    );
    let tokens = |sandbox: &Sandbox| {
        sandbox
            .requests()
            .iter()
            .filter(|request| request.path.ends_with("/token"))
            .count()
    };
    assert_eq!(tokens(&sandbox), 2);
    sandbox.clear_requests();
    sandbox.set_faults([Fault::unauthorized().on("/endpoint").always()]);
    let outcome = with_sandbox(&sandbox, "tenant")
        .line("endpoint list")
        .status(1);
    assert!(outcome.stderr.contains("401"), "{outcome}");
    assert_eq!(tokens(&sandbox), 2);
}

#[test]
fn a_page_that_fails_leaves_what_was_delivered_and_exits_3() {
    let sandbox = sandbox();
    for sync in ["", "--sync"] {
        let program = with_sandbox(&sandbox, "tenant");
        sandbox.set_faults([Fault::drop_body().on("/endpoint").after(1).always()]);
        let outcome = program
            .line(&format!("{LIST} --max-retries 0 {sync}"))
            .status(3);
        assert_eq!(outcome.rows().len(), 50);
        assert!(
            outcome
                .stderr
                .contains("the list is incomplete: 50 printed"),
            "{outcome}"
        );

        sandbox.set_faults([Fault::drop_body().on("/endpoint").after(1).always()]);
        let json = program
            .line(&format!(
                "endpoint list --all --page-size 50 -o json --max-retries 0 {sync}"
            ))
            .status(3)
            .json();
        assert_eq!(json["items"].as_array().unwrap().len(), 50);
        assert_eq!(json["errors"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_connection_cut_in_the_first_body_is_an_error_without_data() {
    let sandbox = sandbox();
    sandbox.set_faults([Fault::drop_body().on("/endpoint").always()]);
    for format in ["table", "json", "ndjson", "csv"] {
        let outcome = with_sandbox(&sandbox, "tenant")
            .line(&format!("endpoint list --max-retries 0 -o {format}"))
            .status(1);
        assert_eq!(outcome.stdout, "");
    }
}

#[test]
fn text_that_is_no_json_names_the_place_where_it_breaks() {
    let server = testkit::Server::start(|request| {
        crate::program::introduction(request)
            .unwrap_or_else(|| testkit::Reply::json(r#"{"items":[{"id":"a"},{"id":}],"pages":{}}"#))
    });
    let program = crate::program::with_server(&server);
    for sync in ["", " --sync"] {
        let outcome = program
            .line(&format!("endpoint list -o json{sync}"))
            .status(1);
        assert_eq!(outcome.stdout, "", "a broken list is not a short one");
        assert!(outcome.stderr.contains("items[1].id"), "{outcome}");
    }
}

#[test]
fn an_account_of_an_unknown_kind_is_told() {
    for (who, told) in [
        (r#"{"id":"x","idType":"galaxy"}"#, "belongs to a `galaxy`"),
        (r#"{"id":"x"}"#, "does not say what kind of account"),
    ] {
        let server = testkit::Server::start(move |request| {
            if request.path().starts_with("/whoami") {
                return testkit::Reply::json(who);
            }
            crate::program::introduction(request).unwrap_or_else(|| testkit::Reply::json("{}"))
        });
        let program = crate::program::with_server(&server);
        let outcome = program.line("endpoint list").status(1);
        assert!(outcome.stderr.contains(told), "{outcome}");
    }
}

#[test]
fn malformed_json_names_its_place() {
    let server = testkit::Server::start(|request| {
        crate::program::introduction(request).unwrap_or_else(|| {
            testkit::Reply::json(r#"{"id":"a","health":{"threats":{"status":["bad"]}}}"#)
        })
    });
    let program = crate::program::with_server(&server);
    let outcome = program
        .line("endpoint get 5b0c8f1e-4d3a-4b6c-8f21-0a9b8c7d6e5f")
        .status(1);
    assert!(
        outcome.stderr.contains("health.threats.status"),
        "{outcome}"
    );
}

#[test]
fn a_closed_port_is_one_error_with_its_cause() {
    let address = testkit::refused_addr();
    let program = Program::new()
        .env("SOPHOS_CLIENT_ID", "x")
        .env("SOPHOS_CLIENT_SECRET", "y")
        .env("SOPHOS_AUTH_URL", format!("http://{address}/token"))
        .env("SOPHOS_GLOBAL_URL", format!("http://{address}"));
    let outcome = program.line("endpoint list --max-retries 0").status(1);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("caused by:"), "{outcome}");
    assert!(outcome.stderr.contains("hint:"), "{outcome}");
}

#[test]
fn errors_are_json_where_the_data_is() {
    let sandbox = sandbox();
    let program = with_sandbox(&sandbox, "tenant");
    let outcome = program
        .line("endpoint get 00000000-0000-4000-8000-000000000000 -o json")
        .status(1);
    assert_eq!(outcome.stdout, "");
    let report: serde_json::Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!(report["error"]["exitCode"], 1);
    assert_eq!(report["error"]["details"]["status"], 404);
    assert!(report["error"]["details"]["correlationId"].is_string());
}

#[test]
fn an_html_503_is_one_line() {
    let sandbox = sandbox();
    sandbox.set_faults([Fault::html_503().on("/endpoint").always()]);
    let outcome = with_sandbox(&sandbox, "tenant")
        .line("endpoint list --max-retries 0")
        .status(1);
    let errors: Vec<&str> = outcome
        .stderr
        .lines()
        .filter(|line| line.starts_with("error:"))
        .collect();
    assert_eq!(errors.len(), 1, "{outcome}");
    assert!(errors[0].contains("status 503"), "{outcome}");
}

#[test]
fn odd_pages_are_followed_to_the_end() {
    let sandbox = sandbox();
    let program = with_sandbox(&sandbox, "tenant");
    let all = program.line(LIST).success().stdout;
    for fault in [
        Fault::short_page().on("/endpoint").times(2),
        Fault::empty_page().on("/endpoint").after(1).times(1),
        Fault::max_page_size(20).on("/endpoint"),
    ] {
        sandbox.set_faults([fault]);
        assert_eq!(program.line(LIST).success().stdout, all);
    }
    sandbox.set_faults([Fault::repeat_key().on("/endpoint").after(1).always()]);
    let outcome = program.line(LIST);
    assert!(
        outcome.stderr.contains("repeated a page"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let program = Program::new();
    for format in ["ndjson", "table", "json"] {
        let mut child = program
            .std_command(&[
                "--sandbox",
                "endpoint",
                "list",
                "-o",
                format,
                "--fields",
                "id",
            ])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = testkit::watchdog(std::time::Duration::from_secs(60), move || {
            child.wait_with_output().unwrap()
        });
        assert!(
            matches!(output.status.code(), Some(0 | 141)),
            "{format}: {output:?}"
        );
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{format}");
    }
}
