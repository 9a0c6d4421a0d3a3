//! Many tenants: which, what is printed, and what a failing one does.

use crate::program::{Program, with_sandbox};

const PARTNER: &str = "--sandbox --sandbox-kind partner";

#[test]
fn one_failing_tenant_exits_3_and_the_rest_is_printed() {
    let program = Program::new();
    for sync in ["", "--sync"] {
        let outcome = program
            .line(&format!(
                "{PARTNER} endpoint list --all-tenants --all -o json {sync}"
            ))
            .status(3);
        let json = outcome.json();
        let items = json["items"].as_array().unwrap();
        let tenants: std::collections::HashSet<&str> = items
            .iter()
            .filter_map(|item| item["tenant"]["id"].as_str())
            .collect();
        assert!(tenants.len() > 100, "{} tenants", tenants.len());
        let errors = json["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0]["status"], 403);
        assert!(errors[0]["tenant"]["id"].is_string() && errors[0]["tenant"]["name"].is_string());
        assert!(errors[0]["message"].as_str().unwrap().contains("forbidden"));
        assert!(
            outcome
                .stderr
                .contains("is left out: it has no API host yet"),
            "{}",
            outcome.stderr
        );
    }
}

#[test]
fn with_several_tenants_the_first_column_names_them() {
    let outcome = Program::new()
        .line(&format!(
            "{PARTNER} endpoint list --all-tenants --all -o csv --fields hostname"
        ))
        .status(3);
    let mut lines = outcome.stdout.lines();
    assert_eq!(lines.next(), Some("tenant,hostname"));
    assert!(lines.count() > 800);
    assert!(
        outcome
            .stderr
            .contains("error: the devices of 1 of 119 tenants could not be listed"),
        "{outcome}"
    );
    assert!(outcome.stderr.contains("failed: tenant "), "{outcome}");
}

#[test]
fn with_several_tenants_every_json_item_says_whose_it_is() {
    let program = Program::new();
    for line in [
        "endpoint list --all-tenants --all --fields hostname",
        "endpoint list --all-tenants --all",
    ] {
        let outcome = program
            .line(&format!("{PARTNER} {line} -o ndjson"))
            .status(3);
        let rows = outcome.rows();
        assert!(rows.len() > 800);
        for row in rows {
            assert!(row["tenant"]["id"].is_string(), "{row}");
        }
    }
}

#[test]
fn a_tenant_chosen_by_name_is_not_asked_for_again() {
    let sandbox = sophos_sandbox::Sandbox::builder().start().unwrap();
    let program = with_sandbox(&sandbox, "partner");
    let tenants = program.line("tenants list -o ndjson").success().rows();
    let name = tenants
        .iter()
        .find(|tenant| tenant["apiHost"].is_string() && tenant["name"].is_string())
        .map(|tenant| tenant["name"].as_str().unwrap())
        .unwrap();
    for sync in [&[][..], &["--sync"]] {
        sandbox.clear_requests();
        let mut words = vec!["endpoint", "list", "--tenant", name];
        words.extend(sync);
        program.run(&words).success();
        let single = sandbox
            .requests()
            .into_iter()
            .filter(|request| request.path.starts_with("/partner/v1/tenants/"));
        assert_eq!(single.count(), 0);
    }
}

#[test]
fn a_command_that_needs_a_tenant_says_how_to_name_one() {
    let program = Program::new();
    insta::assert_snapshot!(program.line(&format!("{PARTNER} endpoint list")), @"
    status 2
    --- stdout
    --- stderr
    error: the credential belongs to a partner or an organization, so the command needs a tenant
    hint: add --tenant ID, --tenant NAME or --all-tenants, or set api.tenant_id
    ");
    let sandbox = sophos_sandbox::Sandbox::builder().start().unwrap();
    let id = tenant_ids(&sandbox)[0].clone();
    let configured = with_sandbox(&sandbox, "partner").env("SOPHOS_TENANT_ID", id);
    assert_eq!(
        configured
            .line("endpoint list -o ndjson")
            .success()
            .rows()
            .len(),
        8
    );
}

fn tenant_ids(sandbox: &sophos_sandbox::Sandbox) -> Vec<String> {
    let program = with_sandbox(sandbox, "partner");
    let rows = program
        .line("tenants list --all -o ndjson")
        .success()
        .rows();
    rows.iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn tenants_are_chosen_by_id_name_and_pattern() {
    let sandbox = sophos_sandbox::Sandbox::builder().start().unwrap();
    let program = with_sandbox(&sandbox, "partner");
    let tenants = program
        .line("tenants list --all -o ndjson")
        .success()
        .rows();
    assert_eq!(tenants.len(), 120);
    let id = tenants[0]["id"].as_str().unwrap();
    let name = tenants[1]
        .get("showAs")
        .or_else(|| tenants[1].get("name"))
        .unwrap()
        .as_str()
        .unwrap();

    sandbox.clear_requests();
    assert_eq!(
        program
            .run(&["endpoint", "list", "--tenant", id, "-o", "ndjson"])
            .success()
            .rows()
            .len(),
        8
    );
    let asked: Vec<_> = sandbox
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert!(
        !asked.contains(&"/partner/v1/tenants".to_owned()),
        "an id needs no list: {asked:?}"
    );

    // Either of its names will do.
    let official = tenants[1]["name"].as_str().unwrap();
    program
        .run(&["--tenant", official, "endpoint", "list"])
        .success();

    let by_name = program
        .run(&["--tenant", name, "endpoint", "list", "-o", "ndjson"])
        .success();
    assert_eq!(by_name.rows().len(), 8);
    assert_eq!(by_name.rows()[0]["tenant"]["id"], tenants[1]["id"]);

    let two = [
        "endpoint", "list", "--all", "--tenant", id, "--tenant", name, "-o", "ndjson",
    ];
    assert_eq!(program.run(&two).success().rows().len(), 16);

    let none = program
        .line("endpoint list --tenant no-such-tenant")
        .status(2);
    assert!(
        none.stderr.contains("no tenant is called `no-such-tenant`"),
        "{none}"
    );
}

#[test]
fn only_an_explicit_region_filters_tenants() {
    let sandbox = sophos_sandbox::Sandbox::builder().start().unwrap();
    let program = with_sandbox(&sandbox, "partner").env("SOPHOS_REGION", "eu");
    let all = program
        .line("tenants list --all -o ndjson")
        .success()
        .rows();
    assert_eq!(
        all.len(),
        120,
        "a region in the environment is a note, not a filter"
    );
    let some = program
        .line("tenants list --all -o ndjson --region eu")
        .success()
        .rows();
    let three = program
        .line("tenants list --region eu --limit 3 -o ndjson")
        .success();
    assert_eq!(three.rows(), some[..3]);
    assert!(!some.is_empty() && some.len() < all.len());
    assert!(
        some.iter()
            .all(|tenant| tenant["dataRegion"].as_str().unwrap().starts_with("eu"))
    );
}

#[test]
fn a_tenant_credential_is_refused_for_another_tenant_before_the_call() {
    let sandbox = sophos_sandbox::Sandbox::builder().start().unwrap();
    let program = with_sandbox(&sandbox, "tenant");
    let other = "00000000-0000-4000-8000-000000000000";
    for line in [
        format!("endpoint list --tenant {other}"),
        format!("endpoint get {other} --tenant {other}"),
    ] {
        sandbox.clear_requests();
        let outcome = program.line(&line).status(1);
        assert!(
            outcome.stderr.contains("cannot be used for tenant"),
            "{outcome}"
        );
        assert!(
            sandbox
                .requests()
                .iter()
                .all(|request| !request.path.starts_with("/endpoint"))
        );
    }
    program
        .line("endpoint list --all-tenants --limit 1")
        .success();
}

#[test]
fn a_command_about_one_device_wants_one_tenant() {
    let outcome = Program::new()
        .line(&format!(
            "{PARTNER} endpoint get 00000000-0000-4000-8000-000000000000 --all-tenants"
        ))
        .status(2);
    assert!(
        outcome
            .stderr
            .contains("the command works on one tenant, and 120 were chosen"),
        "{outcome}"
    );
}

#[test]
fn a_tenant_credential_shows_its_own_row() {
    let program = Program::new();
    let rows = program
        .line("--sandbox tenants list -o ndjson")
        .success()
        .rows();
    assert_eq!(rows.len(), 1);
    let id = rows[0]["id"].as_str().unwrap();
    let one = program
        .line(&format!("--sandbox tenants get {id} -o ndjson"))
        .success();
    assert_eq!(one.rows(), rows);
}
