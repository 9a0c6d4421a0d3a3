//! The async and the blocking client give the same bytes.

use crate::program::{Outcome, Program, with_sandbox};

#[test]
fn both_faces_print_the_same_bytes() {
    let program = Program::new();
    for line in [
        "--sandbox endpoint list",
        "--sandbox endpoint list -o json",
        "--sandbox endpoint list -o ndjson",
        "--sandbox endpoint list -o csv",
        "--sandbox endpoint list --limit 60 -o json",
        "--sandbox endpoint list --page-size 7 -o json",
        "--sandbox alerts list -o json",
        "--sandbox alerts list -o csv --severity high --since 30d",
        "--sandbox tenants list -o json",
        "--sandbox --sandbox-kind partner tenants list -o csv",
        "--sandbox --sandbox-kind organization tenants list -o json",
        "--sandbox --sandbox-kind partner endpoint list --all-tenants --all -o ndjson",
        "--sandbox --sandbox-kind partner endpoint list --all-tenants --all -o json",
        "--sandbox --sandbox-kind partner alerts list --all-tenants -o table",
        "--sandbox endpoint get 00000000-0000-4000-8000-000000000000 -o json",
        "--sandbox config test",
    ] {
        let asynchronous = without_request_ids(program.line(line));
        let blocking = without_request_ids(program.line(&format!("{line} --sync")));
        assert_eq!(asynchronous, blocking, "{line}");
        assert_ne!(asynchronous.status, Some(2), "{asynchronous}");
    }
}

#[test]
fn both_faces_send_the_same_requests() {
    let sandbox = sophos_sandbox::Sandbox::builder()
        .endpoints(120)
        .start()
        .unwrap();
    let program = with_sandbox(&sandbox, "tenant");
    let recorded = |line: &str| {
        sandbox.clear_requests();
        let outcome: Outcome = program.line(line);
        let sent: Vec<_> = sandbox
            .requests()
            .into_iter()
            .map(|request| {
                (
                    request.method,
                    request.path,
                    request.query,
                    request.headers,
                    request.body,
                )
            })
            .collect();
        (outcome, sent)
    };
    for line in [
        "endpoint list --all -o json",
        "endpoint list --page-size 50 --all -o csv",
        "alerts list",
    ] {
        assert_eq!(
            recorded(line),
            recorded(&format!("--sync {line}")),
            "{line}"
        );
    }
}

/// Tenants are asked at the same time, so which request gets which id is chance.
fn without_request_ids(outcome: Outcome) -> Outcome {
    let masked = |text: &str| {
        let mut text = text.to_owned();
        for name in ["correlationId", "requestId"] {
            let mut parts = text.split(name);
            let mut out = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let id = part
                    .find(|letter: char| letter.is_ascii_hexdigit())
                    .unwrap_or(part.len());
                let rest = part.get(id + 36..).unwrap_or_default();
                out.push_str(&format!("{name}{}ID{rest}", &part[..id]));
            }
            text = out;
        }
        text
    };
    Outcome {
        stdout: masked(&outcome.stdout),
        stderr: masked(&outcome.stderr),
        ..outcome
    }
}
