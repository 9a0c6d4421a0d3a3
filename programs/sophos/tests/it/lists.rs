//! Lists in every format, whole and in part.

use crate::program::{Program, with_sandbox};

fn width(line: &str) -> usize {
    line.chars().count()
}

#[test]
fn the_main_job_shows_the_whole_fleet_in_80_columns() {
    let outcome = Program::new().line("--sandbox endpoint list").success();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 301, "{outcome}");
    assert!(lines.iter().all(|line| width(line) <= 80), "{outcome}");
    assert!(lines[0].starts_with("hostname"), "{outcome}");
    for column in ["id", "type", "health"] {
        assert!(
            lines[0].split_whitespace().any(|name| name == column),
            "{outcome}"
        );
    }
}

#[test]
fn a_list_in_each_format() {
    let program = Program::new();
    let list = |format: &str| {
        program
            .line(&format!(
                "--sandbox endpoint list --limit 2 --fields id,hostname,os.name -o {format}"
            ))
            .success()
            .to_string()
    };
    insta::assert_snapshot!(list("table"), @"
    status 0
    --- stdout
    id                                    hostname       os.name
    771cf47a-d997-4ee8-888a-542b7ecef6e2  ws-york-0000   Debian GNU/Linux 12
    87b7de1f-1ab6-4c20-af63-ef28d415e14e  WS-TURIN-0001  Windows 11 Pro
    --- stderr
    note: showing 2 of 300; --limit 2 was reached
    ");
    insta::assert_snapshot!(list("json"), @r#"
    status 0
    --- stdout
    {
      "items": [
        {
          "hostname": "ws-york-0000",
          "id": "771cf47a-d997-4ee8-888a-542b7ecef6e2",
          "os": {
            "name": "Debian GNU/Linux 12"
          }
        },
        {
          "hostname": "WS-TURIN-0001",
          "id": "87b7de1f-1ab6-4c20-af63-ef28d415e14e",
          "os": {
            "name": "Windows 11 Pro"
          }
        }
      ],
      "pages": {
        "items": 300,
        "maxSize": 500,
        "size": 2,
        "total": 150
      }
    }
    --- stderr
    note: showing 2 of 300; --limit 2 was reached
    "#);
    insta::assert_snapshot!(list("ndjson"), @r#"
    status 0
    --- stdout
    {"hostname":"ws-york-0000","id":"771cf47a-d997-4ee8-888a-542b7ecef6e2","os":{"name":"Debian GNU/Linux 12"}}
    {"hostname":"WS-TURIN-0001","id":"87b7de1f-1ab6-4c20-af63-ef28d415e14e","os":{"name":"Windows 11 Pro"}}
    --- stderr
    note: showing 2 of 300; --limit 2 was reached
    "#);
    insta::assert_snapshot!(list("csv"), @"
    status 0
    --- stdout
    id,hostname,os.name
    771cf47a-d997-4ee8-888a-542b7ecef6e2,ws-york-0000,Debian GNU/Linux 12
    87b7de1f-1ab6-4c20-af63-ef28d415e14e,WS-TURIN-0001,Windows 11 Pro
    --- stderr
    note: showing 2 of 300; --limit 2 was reached
    ");
}

#[test]
fn alerts_in_each_format() {
    let program = Program::new();
    let list = |format: &str| {
        program
            .line(&format!(
                "--sandbox alerts list --limit 2 --fields id,severity,raisedAt -o {format}"
            ))
            .success()
            .to_string()
    };
    insta::assert_snapshot!(list("table"), @"
    status 0
    --- stdout
    id                                    severity  raisedAt
    aaaf549b-ea08-4be3-9cea-3edea91ae058  medium    2025-02-03T04:43:09.867
    ddff3e6a-1978-40f6-a58f-53fe20a18e7f  high      2025-02-03T01:42:36.268Z
    --- stderr
    note: showing 2 of 140; --limit 2 was reached
    ");
    insta::assert_snapshot!(list("json"), @r#"
    status 0
    --- stdout
    {
      "items": [
        {
          "id": "aaaf549b-ea08-4be3-9cea-3edea91ae058",
          "raisedAt": "2025-02-03T04:43:09.867",
          "severity": "medium"
        },
        {
          "id": "ddff3e6a-1978-40f6-a58f-53fe20a18e7f",
          "raisedAt": "2025-02-03T01:42:36.268Z",
          "severity": "high"
        }
      ],
      "pages": {
        "items": 140,
        "maxSize": 1000,
        "size": 2,
        "total": 70
      }
    }
    --- stderr
    note: showing 2 of 140; --limit 2 was reached
    "#);
    insta::assert_snapshot!(list("ndjson"), @r#"
    status 0
    --- stdout
    {"id":"aaaf549b-ea08-4be3-9cea-3edea91ae058","raisedAt":"2025-02-03T04:43:09.867","severity":"medium"}
    {"id":"ddff3e6a-1978-40f6-a58f-53fe20a18e7f","raisedAt":"2025-02-03T01:42:36.268Z","severity":"high"}
    --- stderr
    note: showing 2 of 140; --limit 2 was reached
    "#);
    insta::assert_snapshot!(list("csv"), @"
    status 0
    --- stdout
    id,severity,raisedAt
    aaaf549b-ea08-4be3-9cea-3edea91ae058,medium,2025-02-03T04:43:09.867
    ddff3e6a-1978-40f6-a58f-53fe20a18e7f,high,2025-02-03T01:42:36.268Z
    --- stderr
    note: showing 2 of 140; --limit 2 was reached
    ");
}

#[test]
fn one_page_is_the_default_outside_the_sandbox_and_the_rest_is_mentioned() {
    let sandbox = sophos_sandbox::Sandbox::builder()
        .endpoints(120)
        .start()
        .unwrap();
    let program = with_sandbox(&sandbox, "tenant");
    let page = program.line("endpoint list -o ndjson").success();
    assert_eq!(page.rows().len(), 50);
    assert_eq!(
        page.stderr,
        "note: showing 50 of 120; use --all for the rest\n"
    );

    let all = program.line("endpoint list -o ndjson --all").success();
    assert_eq!((all.rows().len(), all.stderr.as_str()), (120, ""));

    let limited = program.line("endpoint list -o ndjson --limit 70").success();
    assert_eq!(limited.rows().len(), 70);
    assert_eq!(
        limited.stderr,
        "note: showing 70 of 120; --limit 70 was reached\n"
    );

    let exact = program
        .line("endpoint list -o ndjson --limit 120")
        .success();
    assert_eq!((exact.rows().len(), exact.stderr.as_str()), (120, ""));
    assert_eq!(all.rows()[..70], limited.rows()[..]);
}

#[test]
fn page_sizes_are_asked_for_as_said() {
    let sandbox = sophos_sandbox::Sandbox::builder()
        .endpoints(600)
        .start()
        .unwrap();
    let program = with_sandbox(&sandbox, "tenant");
    let sizes = |line: &str| -> Vec<String> {
        sandbox.clear_requests();
        program.line(line).success();
        let size = |query: &str| {
            let size = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("pageSize="));
            size.unwrap_or("none").to_owned()
        };
        let requests = sandbox.requests();
        requests
            .iter()
            .filter(|request| request.path == "/endpoint/v1/endpoints")
            .map(|request| size(&request.query))
            .collect()
    };
    assert_eq!(sizes("endpoint list -o ndjson"), ["50"]);
    assert_eq!(sizes("endpoint list -o ndjson --all"), ["500", "500"]);
    assert_eq!(
        sizes("endpoint list -o ndjson --all-pages --page-size 300"),
        ["300", "300"]
    );
    assert_eq!(sizes("endpoint list -o ndjson --limit 7"), ["7"]);
    assert_eq!(sizes("endpoint list -o ndjson --limit 501"), ["500", "500"]);
    let configured = with_sandbox(&sandbox, "tenant").env("SOPHOS_OUTPUT_PAGE_SIZE", "9");
    sandbox.clear_requests();
    assert_eq!(
        configured
            .line("endpoint list -o ndjson")
            .success()
            .rows()
            .len(),
        9
    );
}

#[test]
fn filters_reach_the_service_by_their_names() {
    let sandbox = sophos_sandbox::Sandbox::builder()
        .endpoints(10)
        .start()
        .unwrap();
    let program = with_sandbox(&sandbox, "tenant");
    program
        .line(
            "endpoint list -o json --health-status bad --health good,suspicious \
             --endpoint-type server --tamper-protection --not-isolated --online \
             --hostname-contains SRV --last-seen-after 90d --last-seen-before 2025-02-01 \
             --sort hostname:desc --view basic --fields hostname,health.overall",
        )
        .success();
    let requests = sandbox.requests();
    let list = requests
        .iter()
        .find(|request| request.path.ends_with("/endpoints"))
        .unwrap();
    for pair in [
        "healthStatus=bad,good,suspicious",
        "type=server",
        "tamperProtectionEnabled=true",
        "isolationStatus=notIsolated",
        "online=true",
        "hostnameContains=SRV",
        "lastSeenAfter=-P90D",
        "lastSeenBefore=2025-02-01T00%3A00%3A00.000Z",
        "sort=hostname%3Adesc",
        "view=basic",
        "fields=id,hostname,health",
        "pageSize=50",
        "pageTotal=true",
    ] {
        assert!(
            list.query.split('&').any(|sent| sent == pair),
            "{pair} in {}",
            list.query
        );
    }
    assert_eq!(list.header("user-agent"), Some("sophos/0.1.0"));
}

#[test]
fn an_empty_list_succeeds_and_says_so_beside_the_data() {
    let program = Program::new();
    let table = program
        .line("--sandbox endpoint list --hostname-contains nowhere")
        .success();
    assert_eq!(
        (table.stdout.as_str(), table.stderr.as_str()),
        ("", "No data to display\n")
    );
    let json = program
        .line("--sandbox endpoint list --hostname-contains nowhere -o json")
        .success();
    assert_eq!(json.json()["items"], serde_json::json!([]));
    let ndjson = program.line("--sandbox endpoint list --hostname-contains nowhere -o ndjson");
    assert_eq!(ndjson.success().stdout, "");
}

#[test]
fn unknown_members_and_their_order_survive() {
    let server = testkit::Server::start(|request| {
        crate::program::introduction(request).unwrap_or_else(|| {
            testkit::Reply::json(
                "{\"items\":[\n {\"zeta\":1e2,\n  \"id\":\"a\",\"ünï\":{\"x\":[null]},\"alpha\":\"é\"}]}",
            )
        })
    });
    let program = crate::program::with_server(&server);
    let row = program.line("endpoint list -o ndjson").success();
    assert_eq!(
        row.stdout,
        "{\"zeta\":1e2,\"id\":\"a\",\"ünï\":{\"x\":[null]},\"alpha\":\"é\"}\n"
    );
    let sorted = program
        .line("endpoint list -o ndjson --sort-keys")
        .success();
    assert_eq!(
        sorted.stdout,
        "{\"alpha\":\"é\",\"id\":\"a\",\"zeta\":1e2,\"ünï\":{\"x\":[null]}}\n"
    );
}

#[test]
fn output_files_appear_whole_and_are_not_overwritten() {
    let program = Program::new();
    let command = "--sandbox endpoint list -o csv --fields id -f list.csv";
    let first = program.line(command).success();
    assert_eq!(first.stdout, "");
    let file = program.path("cwd/list.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), 301);
    std::fs::write(&file, "mine").unwrap();
    insta::assert_snapshot!(program.line(command).status(2), @"
    status 2
    --- stdout
    --- stderr
    error: list.csv exists
    hint: add `--force` to replace it
    ");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    program.line(&format!("{command} --force")).success();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    let shown = program
        .line("--sandbox endpoint list -o csv --fields id -f -")
        .success();
    assert_eq!(shown.stdout, text);
}

#[test]
fn single_things_are_shown_in_each_format() {
    let program = Program::new();
    let ids = program
        .line("--sandbox alerts list --limit 1 -o ndjson")
        .success();
    let id = ids.rows()[0]["id"].as_str().unwrap().to_owned();
    let get = |format: &str| {
        program
            .line(&format!("--sandbox alerts get {id} -o {format}"))
            .success()
    };
    assert_eq!(get("json").json()["id"], id.as_str());
    assert_eq!(get("ndjson").rows()[0], get("json").json());
    assert!(get("table").stdout.contains(&id));
    assert_eq!(get("csv").stdout.lines().count(), 2);
}

#[test]
fn a_field_nobody_has_is_a_warning_with_a_suggestion() {
    let outcome = Program::new().line("--sandbox endpoint list --fields hostnme -o csv");
    // The service refuses a member that it does not know; that is its answer, not ours.
    assert_eq!(outcome.status, Some(1), "{outcome}");
    let outcome = Program::new()
        .line("--sandbox tenants list --fields nme -o csv")
        .success();
    assert_eq!(
        outcome.stderr,
        "warning: no item has the field `nme`; did you mean `name`?\n"
    );
}

#[test]
fn relative_times_go_by_the_clock_of_the_sandbox() {
    let rows = Program::new()
        .line("--sandbox alerts list --since 3d -o ndjson")
        .success()
        .rows();
    assert!(
        !rows.is_empty() && rows.len() < 140,
        "{} alerts",
        rows.len()
    );
}
