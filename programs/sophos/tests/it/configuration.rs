//! The configuration: written, read, merged, shown, tried.

use crate::program::{Program, with_sandbox};

const FILE: &str = ".config/pysophos/config.toml";

fn init(program: Program, more: &[&str]) -> (Program, crate::program::Outcome) {
    let program = program.input("the-secret-itself\n");
    let mut words = vec![
        "config",
        "init",
        "--client-id",
        "my-id",
        "--client-secret-stdin",
    ];
    words.extend(more);
    let outcome = program.run(&words);
    (program, outcome)
}

#[test]
fn init_writes_a_file_for_its_owner_and_refuses_to_overwrite() {
    let (program, outcome) = init(Program::new(), &["--region", "eu"]);
    insta::assert_snapshot!(outcome.success(), @"
    status 0
    --- stdout
    --- stderr
    wrote ~/.config/pysophos/config.toml; only you can read it
    next: `config test` tries it
    ");
    insta::assert_snapshot!(std::fs::read_to_string(program.path(FILE)).unwrap(), @r#"
    [auth]
    client_id = "my-id"
    client_secret = "the-secret-itself"

    [api]
    region = "eu"
    "#);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(program.path(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let (program, refused) = init(program, &[]);
    insta::assert_snapshot!(refused, @"
    status 2
    --- stdout
    --- stderr
    error: configuration file ~/.config/pysophos/config.toml exists
    hint: add --force to replace it, or change single values with `config set`
    ");
    let (program, forced) = init(program, &["--force"]);
    forced.success();
    assert!(
        std::fs::read_to_string(program.path(FILE))
            .unwrap()
            .contains("region = \"us\"")
    );
}

#[test]
fn init_without_a_terminal_names_the_options() {
    let outcome = Program::new().line("config init").status(2);
    assert!(outcome.stderr.contains("--client-id"), "{outcome}");
    let outcome = Program::new().line("config init --client-id x").status(2);
    assert!(
        outcome.stderr.contains("--client-secret-stdin"),
        "{outcome}"
    );
    let outcome = Program::new()
        .line("config init --client-id x --client-secret-stdin")
        .status(2);
    assert!(
        outcome.stderr.contains("the client secret is empty"),
        "{outcome}"
    );
}

#[test]
fn init_writes_where_it_is_told() {
    let (program, outcome) = init(Program::new(), &["--config-file", "here.toml"]);
    outcome.success();
    assert!(program.path("cwd/here.toml").exists());
    assert!(!program.path(FILE).exists());
}

fn shown(program: &Program, words: &str, key: &str) -> (String, String) {
    let outcome = program
        .line(&format!("config show -o json {words}"))
        .success();
    let entries = outcome.json();
    let entry = entries["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["key"] == key)
        .unwrap();
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    (text("value"), text("origin"))
}

fn pair(value: &str, origin: &str) -> (String, String) {
    (value.to_owned(), origin.to_owned())
}

#[test]
fn each_field_comes_from_its_strongest_layer() {
    let program = Program::new();
    program.file(
        FILE,
        "[api]\nregion = \"eu\"\ntimeout = 7\n\n[profiles.big.api]\ntimeout = 8\nconcurrency = 2\n",
    );
    assert_eq!(
        shown(&Program::new(), "", "api.region"),
        pair("us", "default")
    );
    let in_file = "file ~/.config/pysophos/config.toml: api.region";
    assert_eq!(shown(&program, "", "api.region"), pair("eu", in_file));
    let program = program.env("SOPHOS_REGION", "ap").env("SOPHOS_TIMEOUT", "");
    assert_eq!(
        shown(&program, "", "api.region"),
        pair("ap", "environment SOPHOS_REGION")
    );
    assert_eq!(
        shown(&program, "--region us", "api.region"),
        pair("us", "command line --region")
    );
    assert_eq!(
        shown(&program, "", "api.timeout").0,
        "7",
        "an empty variable is unset"
    );
    assert_eq!(shown(&program, "--profile big", "api.timeout").0, "8");
    assert_eq!(
        shown(&program, "--profile big --timeout 9", "api.timeout").0,
        "9"
    );
    assert_eq!(shown(&program, "", "api.max_retries"), pair("3", "default"));
    assert_eq!(
        shown(&program.env("SOPHOS_PROFILE", "big"), "", "api.concurrency").0,
        "2"
    );
}

#[test]
fn files_are_found_in_their_order() {
    let program = Program::new();
    let timeout = |program: &Program, words: &str| shown(program, words, "api.timeout").0;
    assert_eq!(timeout(&program, ""), "30");
    program.file(".pysophos/config.toml", "[api]\ntimeout = 11\n");
    assert_eq!(timeout(&program, ""), "11");
    program.file(FILE, "[api]\ntimeout = 12\n");
    assert_eq!(timeout(&program, ""), "12");
    program.file("cwd/config.toml", "[api]\ntimeout = 13\n");
    assert_eq!(
        timeout(&program, ""),
        "12",
        "a file of another program, for it has no [auth]"
    );
    program.file(
        "cwd/config.toml",
        "[auth]\nclient_id = \"x\"\n[api]\ntimeout = 13\n",
    );
    assert_eq!(timeout(&program, ""), "13");
    let named = program.file("named.toml", "[api]\ntimeout = 14\n");
    let program = program.env("SOPHOS_CONFIG_FILE", &named);
    assert_eq!(timeout(&program, ""), "14");
    program.file("cwd/option.toml", "[api]\ntimeout = 15\n");
    assert_eq!(timeout(&program, "--config-file option.toml"), "15");
    let missing = program
        .line("config show --config-file missing.toml")
        .status(1);
    assert!(missing.stderr.contains("missing.toml"), "{missing}");
}

#[test]
fn set_changes_one_value_and_keeps_the_rest() {
    let program = Program::new();
    program.file(FILE, "# mine\n[api] # keep\ntimeout = 7 # seconds\n");
    program.line("config set api.timeout 60").success();
    program.line("config set api.region eu02").success();
    insta::assert_snapshot!(std::fs::read_to_string(program.path(FILE)).unwrap(), @r#"
    # mine
    [api] # keep
    timeout = 60 # seconds
    region = "eu02"
    "#);
    insta::assert_snapshot!(program.line("config set api.timeout 301"), @"
    status 2
    --- stdout
    --- stderr
    error: api.timeout must be a whole number from 1 to 300, not `301` (command line)
    ");
    insta::assert_snapshot!(program.line("config set api.timeuot 30"), @"
    status 2
    --- stdout
    --- stderr
    error: there is no setting `api.timeuot`
    hint: did you mean `api.timeout`?
    ");
    let program = program.input("fresh-secret\n");
    program.line("config set auth.client_secret -").success();
    assert!(
        std::fs::read_to_string(program.path(FILE))
            .unwrap()
            .contains("fresh-secret")
    );
}

#[test]
fn unknown_keys_warn_and_wrong_values_fail_with_key_and_origin() {
    let program = Program::new();
    program.file(FILE, "[api]\ntimeuot = 7\n");
    let outcome = program.line("config show").success();
    assert!(
        outcome.stderr.contains("warning:") && outcome.stderr.contains("api.timeout"),
        "{outcome}"
    );
    let program = Program::new().env("SOPHOS_TIMEOUT", "301");
    let outcome = program.line("config show").status(1);
    assert!(
        outcome.stderr.contains("api.timeout") && outcome.stderr.contains("SOPHOS_TIMEOUT"),
        "{outcome}"
    );
}

#[cfg(unix)]
#[test]
fn a_file_with_a_secret_that_others_can_read_is_warned_about() {
    use std::os::unix::fs::PermissionsExt;
    let program = Program::new();
    let path = program.file(
        FILE,
        "[auth]\nclient_id = \"a\"\nclient_secret = \"bbbbbbbb\"\n",
    );
    assert!(
        !program
            .line("config show")
            .success()
            .stderr
            .contains("warning")
    );
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = program.line("config show").success();
    assert!(outcome.stderr.contains("warning:"), "{outcome}");
}

#[test]
fn test_tries_the_credential() {
    let sandbox = sophos_sandbox::Sandbox::builder().start().unwrap();
    for (kind, tenants) in [("tenant", 1), ("partner", 120), ("organization", 120)] {
        for sync in ["", "--sync"] {
            let outcome = with_sandbox(&sandbox, kind).line(&format!("config test -o json {sync}"));
            let json = outcome.success().json();
            assert_eq!(
                (json["kind"].as_str(), json["tenants"].as_u64()),
                (Some(kind), Some(tenants))
            );
            assert_eq!(json["id"].as_str(), sandbox.identity(kind).as_deref());
        }
    }
    let wrong = with_sandbox(&sandbox, "tenant").env("SOPHOS_CLIENT_SECRET", "wrong-secret");
    let outcome = wrong.line("config test").status(1);
    assert!(
        outcome.stderr.contains("oauth.invalid_client_secret"),
        "{outcome}"
    );
    assert!(!outcome.to_string().contains("wrong-secret"));
}

#[test]
fn the_secret_may_come_from_a_file_or_a_command() {
    let sandbox = sophos_sandbox::Sandbox::builder().start().unwrap();
    let urls = format!(
        "[api]\nauth_url = \"{}\"\nglobal_url = \"{}\"\n[auth]\nclient_id = \"tenant\"\n",
        sandbox.token_url(),
        sandbox.url()
    );
    let program = Program::new();
    program.file("secret.txt", "sandbox\nsecond line\n");
    for line in [
        "client_secret_file = \"~/secret.txt\"",
        "client_secret_command = \"echo sandbox\"",
    ] {
        program.file(FILE, &format!("{urls}{line}\n"));
        program.line("config test").success();
    }
    program.file(FILE, &format!("{urls}credentials_file = \"~/both.toml\"\n"));
    program.file(
        "both.toml",
        "client_id = \"partner\"\nclient_secret = \"sandbox\"\n",
    );
    program.line("config test -o json").success();
}

#[test]
fn a_file_that_merely_lies_there_does_not_decide_where_a_secret_goes() {
    let server = testkit::Server::start(|_: &testkit::Request| testkit::Reply::empty(500));
    let program = Program::new().env("SOPHOS_CLIENT_SECRET", "from-the-environment");
    let text = format!(
        "[auth]\nclient_id = \"x\"\n[api]\nauth_url = \"{}\"\n",
        server.url("/token")
    );
    program.file("cwd/config.toml", &text);
    let outcome = program.line("endpoint list").status(1);
    assert!(
        outcome.stderr.contains("api.auth_url is not used"),
        "{outcome}"
    );
    assert_eq!(server.requests().len(), 0);
    program
        .line("endpoint list --config-file config.toml --max-retries 0")
        .status(1);
    assert_eq!(
        server.requests().len(),
        1,
        "a file that was named is trusted"
    );
}
