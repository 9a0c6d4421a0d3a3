//! Secrets never print.

use testkit::{Reply, Server};

use crate::program::{Program, SECRET, TOKEN, introduction, with_server};

#[test]
fn neither_secret_nor_token_is_ever_printed() {
    // A server that throws the secret back.
    let server = Server::start(|request| {
        introduction(request).unwrap_or_else(|| {
            let body = format!(r#"{{"error":"badRequest","message":"no: {SECRET}"}}"#);
            Reply::json(body).status(400)
        })
    });
    let program = with_server(&server);
    let id = "5b0c8f1e-4d3a-4b6c-8f21-0a9b8c7d6e5f";
    for line in [
        "config show".to_owned(),
        "config show -o json".to_owned(),
        "config test --debug".to_owned(),
        "endpoint list --debug".to_owned(),
        "endpoint list --debug --sync -o json".to_owned(),
        format!("endpoint isolate {id} --comment x --dry-run --debug"),
        format!("endpoint isolate {id} --comment x --dry-run -o json"),
        format!("endpoint scan {id} --debug -o csv"),
    ] {
        let outcome = program.line(&line);
        let text = outcome.to_string();
        assert!(!text.contains(SECRET), "{line}: {text}");
        assert!(!text.contains(TOKEN), "{line}: {text}");
    }
    let debug = program.line("endpoint list --debug").status(1);
    assert!(
        debug.stderr.contains("> authorization: ********"),
        "{debug}"
    );
}

#[test]
fn show_masks_the_secret_and_names_its_origin() {
    let program = Program::new().env("SOPHOS_CLIENT_SECRET", SECRET);
    let outcome = program
        .line("config show --fields key,value,origin -o csv")
        .success();
    assert!(
        outcome
            .stdout
            .contains("auth.client_secret,********,environment SOPHOS_CLIENT_SECRET\n"),
        "{outcome}"
    );
}

#[test]
fn a_broken_file_is_not_quoted() {
    let program = Program::new();
    program.file(
        ".config/pysophos/config.toml",
        &format!("[auth]\nclient_id = \"a\"\nclient_secret = {SECRET}\n"),
    );
    let outcome = program.line("endpoint list").status(1);
    assert!(!outcome.to_string().contains(SECRET), "{outcome}");
    assert!(outcome.stderr.contains("line 3"), "{outcome}");
}
