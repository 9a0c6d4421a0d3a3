//! Mistakes on the command line, help, version.

use crate::program::Program;

#[test]
fn wrong_values_exit_2_and_the_right_ones_are_listed() {
    let program = Program::new();
    insta::assert_snapshot!(program.line("--sandbox alerts list --severity critical"), @"
    status 2
    --- stdout
    --- stderr
    error: invalid value 'critical' for '--severity <SEVERITY>'
      [possible values: low, medium, high]

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(program.line("--sandbox endpoint list --last-seen-after yesterday"), @"
    status 2
    --- stdout
    --- stderr
    error: invalid value 'yesterday' for '--last-seen-after <WHEN>': `yesterday` is not a point in time: give a timestamp such as 2024-05-06T07:08:09Z, a date, a duration such as -P90D, or 90d, 12h, 30m, 2w for that long ago

    For more information, try '--help'.
    ");
    for line in [
        "--sandbox endpoint list --health nope",
        "--sandbox endpoint list --page-size 0",
        "--sandbox endpoint list --limit 0",
        "--sandbox endpoint list --fields a,,b",
        "--sandbox endpoint list --search-fields hostname",
        "--sandbox endpoint list --timeout 0",
        "--sandbox endpoint list --timeout 301",
        "--sandbox endpoint list --max-retries 11",
        "--sandbox endpoint list --output xml",
        "--sandbox endpoint list --tenant a --all-tenants",
        "--sandbox endpoint list --region nowhere",
        "--sandbox endpoint tamper update 00000000-0000-4000-8000-000000000000",
        "--sandbox endpoint isolate",
        "--sandbox endpoint frobnicate",
        "--sandbox --client-secret x endpoint list",
        "",
    ] {
        let outcome = program.line(line).status(2);
        assert_eq!(outcome.stdout, "", "{line}: {outcome}");
        assert_ne!(outcome.stderr, "", "{line}");
    }
    // What an unset variable of a script leaves behind must not turn into "all of them".
    for words in [
        &["endpoint", "list", "--ids", ""][..],
        &["endpoint", "list", "--ids", "a,,b"],
        &["endpoint", "list", "--tenant", ""],
        &["endpoint", "get", ""],
        &["endpoint", "scan", "a", ""],
        &["endpoint", "tamper", "get", ""],
        &["alerts", "list", "--ids", ""],
        &["alerts", "get", ""],
        &["tenants", "get", ""],
    ] {
        let mut all = vec!["--sandbox"];
        all.extend(words);
        let outcome = program.run(&all).status(2);
        assert!(outcome.stderr.contains("a value is required"), "{outcome}");
    }
}

#[test]
fn version_and_help_go_to_standard_output() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        Program::new().line("--version").success().stdout,
        format!("sophos, version {version}\n")
    );
    assert_eq!(
        Program::pysophos()
            .line("endpoint --version")
            .success()
            .stdout,
        format!("pysophos, version {version}\n")
    );
    let help = Program::pysophos().line("endpoint list --help").success();
    assert!(
        help.stdout.contains("Usage: pysophos endpoint list"),
        "{help}"
    );
    assert_eq!(help.stderr, "");
}

#[test]
fn old_spellings_keep_working() {
    let program = Program::pysophos();
    program
        .line("endpoint list --sandbox --sync -o csv --no-color --health-status bad --all-pages")
        .success();
    let both = "--sandbox endpoint list --endpoint-type server --all-pages -f - -o ndjson";
    assert!(
        program
            .line(both)
            .success()
            .rows()
            .iter()
            .all(|row| row["type"] == "server")
    );
    let rows = program
        .line("--sandbox endpoint list --limit 40 -o ndjson")
        .success()
        .rows();
    let id = rows
        .iter()
        .find(|row| row["tamperProtectionSupported"] == true)
        .unwrap()["id"]
        .clone();
    program
        .line(&format!(
            "--sandbox endpoint tamper status {}",
            id.as_str().unwrap()
        ))
        .success();
    let file = program.file("cwd/other.toml", "[api]\ntimeout = 7\n");
    let shown = program
        .line(&format!("config show --config-file {}", file.display()))
        .success();
    assert!(shown.stdout.contains("api.timeout"), "{shown}");
}

#[test]
fn data_and_messages_do_not_mix() {
    let program = Program::new();
    let outcome = program
        .line("--sandbox endpoint list --limit 1 -o json --debug")
        .success();
    outcome.json();
    assert!(
        outcome
            .stderr
            .contains("> GET http://127.0.0.1:PORT/whoami/v1"),
        "{outcome}"
    );
    let quiet = program
        .line("--sandbox endpoint list --limit 1 -o json -q")
        .success();
    assert_eq!(quiet.stderr, "");
    assert_eq!(quiet.stdout, outcome.stdout);
}

#[test]
fn the_sandbox_ignores_files_and_variables() {
    let program = Program::new()
        .env("SOPHOS_CLIENT_ID", "wrong")
        .env("SOPHOS_CLIENT_SECRET", "wrong")
        .env("SOPHOS_AUTH_URL", "http://127.0.0.1:1/")
        .env("SOPHOS_TIMEOUT", "nonsense")
        .env("SOPHOS_CONFIG_FILE", "/nowhere/at/all.toml")
        .env("HTTP_PROXY", "http://127.0.0.1:1/")
        .env("SOPHOS_OUTPUT_DEFAULT_FORMAT", "csv");
    program.file("cwd/config.toml", "[auth]\nclient_id = 3\n");
    let outcome = program.line("--sandbox endpoint list").success();
    assert_eq!(
        outcome.stdout,
        Program::new().line("--sandbox endpoint list").stdout
    );
}
