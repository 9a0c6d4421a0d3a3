//! Changes: sent once, asked for first, shown instead of sent with `--dry-run`.

use sophos_sandbox::{Fault, Sandbox};

use crate::program::{Program, with_sandbox};

struct Fleet {
    sandbox: Sandbox,
    program: Program,
    ids: Vec<String>,
}

impl Fleet {
    fn new() -> Self {
        let sandbox = Sandbox::builder()
            .endpoints(80)
            .odd_records(false)
            .start()
            .unwrap();
        let program = with_sandbox(&sandbox, "tenant").env("SOPHOS_MAX_RETRIES", "0");
        let list = program
            .line("endpoint list --not-isolated --all --fields id -o ndjson")
            .success();
        let ids = list
            .rows()
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect();
        sandbox.clear_requests();
        Self {
            sandbox,
            program,
            ids,
        }
    }

    /// The changing requests that the service got.
    fn changes(&self) -> Vec<(String, String)> {
        let requests = self.sandbox.requests().into_iter();
        requests
            .filter(|request| request.method != "GET" && !request.path.ends_with("/token"))
            .map(|request| (request.method, request.path))
            .collect()
    }

    fn isolate(&self, ids: &[String], more: &[&str]) -> crate::program::Outcome {
        let mut words = vec!["endpoint", "isolate", "--comment", "Ticket 4711"];
        words.extend(ids.iter().map(String::as_str));
        words.extend(more);
        self.program.run(&words)
    }
}

#[test]
fn one_device_is_isolated_with_one_request() {
    let fleet = Fleet::new();
    let id = &fleet.ids[0];
    let outcome = fleet.isolate(&fleet.ids[..1], &["-o", "json"]).success();
    assert_eq!(outcome.json()["enabled"], true);
    assert_eq!(outcome.json()["comment"], "Ticket 4711");
    assert_eq!(
        fleet.changes(),
        [(
            "PATCH".to_owned(),
            format!("/endpoint/v1/endpoints/{id}/isolation")
        )]
    );
    let state = fleet
        .program
        .line(&format!("endpoint isolation {id} -o json"))
        .success();
    assert_eq!(state.json()["comment"], "Ticket 4711");
}

#[test]
fn many_devices_go_in_requests_of_fifty_and_need_a_yes() {
    let fleet = Fleet::new();
    let ids = &fleet.ids[..60];
    insta::assert_snapshot!(fleet.isolate(ids, &[]), @"
    status 2
    --- stdout
    --- stderr
    error: confirmation is needed, and standard input is not a terminal
    hint: add `--yes` to go ahead without a question
    ");
    assert_eq!(
        fleet.sandbox.requests().len(),
        0,
        "nothing is sent without a yes"
    );

    let outcome = fleet.isolate(ids, &["--yes", "-o", "ndjson"]).success();
    let done: Vec<_> = outcome
        .rows()
        .iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(done, ids);
    let bulk = (
        "POST".to_owned(),
        "/endpoint/v1/endpoints/isolation".to_owned(),
    );
    assert_eq!(fleet.changes(), [bulk.clone(), bulk]);
}

#[test]
fn an_id_that_fails_does_not_stop_the_others() {
    let fleet = Fleet::new();
    let missing = "00000000-0000-4000-8000-000000000000".to_owned();
    let ids = [fleet.ids[0].clone(), missing.clone(), fleet.ids[1].clone()];
    let outcome = fleet.isolate(&ids, &["-y", "-o", "json"]).status(3);
    let json = outcome.json();
    let done: Vec<_> = json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].clone())
        .collect();
    assert_eq!(done, [ids[0].as_str(), ids[2].as_str()]);
    assert_eq!(json["errors"][0]["endpoint"]["id"], missing.as_str());
    assert_eq!(json["errors"][0]["status"], 404);
    assert!(
        outcome.stderr.contains("1 of 3 devices failed"),
        "{outcome}"
    );
}

#[test]
fn isolating_needs_a_comment_of_at_most_400_characters() {
    let fleet = Fleet::new();
    let id = &fleet.ids[0];
    insta::assert_snapshot!(fleet.program.run(&["endpoint", "isolate", id]), @"
    status 2
    --- stdout
    --- stderr
    error: no answer to `Comment`
    hint: isolating needs a reason: add --comment TEXT
    ");
    let long = "x".repeat(401);
    let outcome = fleet
        .program
        .run(&["endpoint", "isolate", id, "--comment", &long])
        .status(2);
    assert!(
        outcome
            .stderr
            .contains("401 characters, and 400 are allowed"),
        "{outcome}"
    );
    assert_eq!(fleet.sandbox.requests().len(), 0);
    fleet.isolate(&fleet.ids[..1], &[]).success();
}

#[test]
fn a_dry_run_sends_reads_only_and_shows_the_rest() {
    let sandbox = Sandbox::builder().start().unwrap();
    let program = with_sandbox(&sandbox, "tenant");
    let id = "5b0c8f1e-4d3a-4b6c-8f21-0a9b8c7d6e5f";
    let tenant = sandbox.identity("tenant").unwrap();
    for sync in [&[][..], &["--sync"][..]] {
        let mut words = vec!["endpoint", "isolate", id, "--comment", "T", "--dry-run"];
        words.extend(sync);
        let outcome = program
            .run(&words)
            .success()
            .to_string()
            .replace(&tenant, "TENANT");
        insta::allow_duplicates! { insta::assert_snapshot!(outcome, @r#"
        status 0
        --- stdout
        PATCH http://127.0.0.1:PORT/endpoint/v1/endpoints/5b0c8f1e-4d3a-4b6c-8f21-0a9b8c7d6e5f/isolation
        content-type: application/json
        accept: application/json
        user-agent: sophos/0.1.0
        x-tenant-id: TENANT
        authorization: Bearer ********

        {"comment":"T","enabled":true}
        --- stderr
        note: dry run: nothing was changed
        "#); }
    }
    for line in [
        format!("endpoint scan {id} --dry-run -o json"),
        format!("endpoint tamper update {id} --disable --dry-run -o ndjson"),
        format!("endpoint unisolate {id} 6b0c8f1e-4d3a-4b6c-8f21-0a9b8c7d6e5f --dry-run -o csv"),
    ] {
        program.line(&line).success();
    }
    assert!(
        sandbox
            .requests()
            .iter()
            .all(|request| { request.method == "GET" || request.path.ends_with("/token") })
    );
}

#[test]
fn a_write_that_failed_unclearly_is_not_repeated() {
    let fleet = Fleet::new();
    let program = with_sandbox(&fleet.sandbox, "tenant");
    fleet
        .sandbox
        .set_faults([Fault::applied_then_500().on("PATCH /endpoint")]);
    let id = &fleet.ids[0];
    let outcome = program
        .run(&["endpoint", "isolate", id, "--comment", "x"])
        .status(1);
    assert!(
        outcome.stderr.contains("may or may not have been applied"),
        "{outcome}"
    );
    assert!(
        outcome.stderr.contains("hint: read the present state"),
        "{outcome}"
    );
    assert_eq!(fleet.changes().len(), 1);
}

#[test]
fn a_conflict_names_its_likely_cause() {
    let fleet = Fleet::new();
    fleet.isolate(&fleet.ids[..1], &[]).success();
    let outcome = fleet
        .program
        .run(&["endpoint", "unisolate", &fleet.ids[0], "--comment", "back"])
        .status(1);
    assert!(outcome.stderr.contains("status 409"), "{outcome}");
    assert!(outcome.stderr.contains("still in progress"), "{outcome}");
}

#[test]
fn tasks_are_asked_for_one_and_for_many() {
    let fleet = Fleet::new();
    let id = &fleet.ids[0];
    let one = fleet
        .program
        .line(&format!("endpoint scan {id} --comment why -o json"))
        .success();
    assert_eq!(one.json()["status"], "requested");
    assert!(
        one.stderr.contains("the service takes no comment here"),
        "{one}"
    );
    let mut words = vec!["endpoint", "update-check", "-o", "ndjson"];
    words.extend(fleet.ids[..20].iter().map(String::as_str));
    fleet.sandbox.clear_requests();
    let refused = fleet.program.run(&words).status(2);
    assert!(
        refused.stderr.contains("confirmation is needed"),
        "{refused}"
    );
    assert_eq!(fleet.sandbox.requests().len(), 0);
    words.push("--yes");
    let rows = fleet.program.run(&words).success().rows();
    let done: Vec<_> = rows
        .iter()
        .map(|row| row["endpoint"]["id"].as_str().unwrap())
        .collect();
    assert_eq!(done, fleet.ids[..20]);
}

#[test]
fn nothing_is_changed_when_the_outcome_could_not_be_written() {
    let fleet = Fleet::new();
    let id = &fleet.ids[0];
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    std::fs::write(&taken, "old").unwrap();
    for file in [taken.as_path(), &folder.path().join("missing/file")] {
        let file = file.to_str().unwrap();
        for words in [
            &["endpoint", "isolate", id, "--comment", "x"][..],
            &["endpoint", "scan", id],
            &["endpoint", "tamper", "update", id, "--regenerate-password"],
        ] {
            let mut words = words.to_vec();
            words.extend(["-f", file]);
            let outcome = fleet.program.run(&words).status(2);
            assert!(outcome.stderr.contains("error: "), "{outcome}");
            words.push("--sync");
            fleet.program.run(&words).status(2);
        }
    }
    assert_eq!(fleet.sandbox.requests().len(), 0);
    assert_eq!(std::fs::read_to_string(taken).unwrap(), "old");
}

#[test]
fn tamper_protection_is_changed_and_its_password_masked() {
    let fleet = Fleet::new();
    let list = fleet
        .program
        .line("endpoint list --tamper-protection --all -o ndjson")
        .success();
    let id = list.rows()[0]["id"].as_str().unwrap().to_owned();
    let shown = fleet
        .program
        .line(&format!("endpoint tamper get {id} --show-password -o json"))
        .success();
    let password = shown.json()["password"].as_str().unwrap().to_owned();
    let masked = fleet
        .program
        .line(&format!("endpoint tamper status {id} -o json"))
        .success();
    assert_eq!(masked.json()["password"], "********");
    let alone = fleet
        .program
        .line(&format!("endpoint tamper password {id}"))
        .success();
    assert_eq!(alone.stdout, format!("{password}\n"));

    let renewed = fleet
        .program
        .line(&format!(
            "endpoint tamper update {id} --regenerate-password -o json"
        ))
        .success();
    assert_eq!(renewed.json()["enabled"], true, "what is not named stays");
    assert!(!renewed.stdout.contains(&password));
    let history = fleet
        .program
        .line(&format!("endpoint tamper password {id} --history"))
        .success();
    let lines: Vec<&str> = history.stdout.lines().collect();
    assert!(
        lines.len() >= 2 && lines[0] != password && lines.contains(&password.as_str()),
        "{history}"
    );
}
