use std::fs;
use std::path::Path;

use clikit::settings::{ConfigFile, Layer, Loader, Schema, Setting, Settings};
use clikit::{Class, Env, Error};
use proptest::prelude::*;
use secrecy::ExposeSecret;

static SCHEMA: Schema = Schema::new(&[
    Setting::text("auth.client_id")
        .env("APP_CLIENT_ID")
        .option("--client-id"),
    Setting::secret("auth.client_secret")
        .env("APP_CLIENT_SECRET")
        .secret_file("auth.client_secret_file")
        .secret_command("auth.client_secret_command"),
    Setting::path("auth.client_secret_file").env("APP_CLIENT_SECRET_FILE"),
    Setting::text("auth.client_secret_command"),
    Setting::path("auth.credentials_file")
        .env("APP_CREDENTIALS_FILE")
        .includes("auth"),
    Setting::text("api.region")
        .default("us")
        .env("APP_REGION")
        .option("--region"),
    Setting::integer("api.timeout", 1, 300)
        .default("30")
        .env("APP_TIMEOUT")
        .option("--timeout")
        .about("seconds for one request"),
    Setting::boolean("api.retry")
        .default("true")
        .env("APP_RETRY"),
    Setting::url("api.base_url").env("APP_BASE_URL"),
    Setting::checked(
        "api.rate_limit",
        "`auto`, `off` or a number per second like `5/s`",
        |text| {
            let number = |text: &str| text.parse::<u32>().is_ok_and(|number| number > 0);
            matches!(text, "auto" | "off") || text.strip_suffix("/s").is_some_and(number)
        },
    )
    .default("auto"),
    Setting::choice("output.format", &["table", "json", "csv"])
        .default("table")
        .env("APP_FORMAT"),
    Setting::character("output.delimiter").default(","),
    Setting::path("export.directory").default("~/exports"),
]);

fn file(text: &str) -> (tempfile::TempDir, ConfigFile) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, text).unwrap();
    protect(&path);
    let file = ConfigFile::read(&path, &home()).unwrap();
    (folder, file)
}

fn protect(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    #[cfg(not(unix))]
    let _nothing_to_do = path;
}

fn home() -> Env {
    Env::empty()
        .with("HOME", "/home/ana")
        .with("PATH", std::env::var_os("PATH").unwrap_or_default())
}

fn load(env: &Env, text: &str) -> Result<Settings, Error> {
    Loader::new(&SCHEMA, env).file(Some(file(text).1)).load()
}

#[test]
fn each_value_tells_where_it_came_from() {
    let (folder, config) = file(
        "[api]\nregion = \"eu\"\ntimeout = 40\nretry = false\n[profiles.work.api]\ntimeout = 50\n",
    );
    let shown = folder.path().join("config.toml").display().to_string();
    let env = home().with("APP_FORMAT", "json").with("APP_REGION", "ap");
    let settings = Loader::new(&SCHEMA, &env)
        .file(Some(config))
        .profile(Some("work"))
        .option("api.region", Some("us"))
        .load()
        .unwrap();
    let origins: Vec<_> = [
        "api.region",
        "output.format",
        "api.timeout",
        "api.retry",
        "output.delimiter",
        "api.base_url",
    ]
    .map(|key| settings.origin(key).to_string())
    .into();
    assert_eq!(
        origins,
        [
            "command line --region".to_owned(),
            "environment APP_FORMAT".to_owned(),
            format!("profile work in {shown}: api.timeout"),
            format!("file {shown}: api.retry"),
            "default".to_owned(),
            "not set".to_owned(),
        ]
    );
    assert_eq!(settings.text("api.region"), Some("us"));
    assert_eq!(settings.integer("api.timeout"), Some(50));
    assert_eq!(settings.boolean("api.retry"), Some(false));
    assert_eq!(settings.character("output.delimiter"), Some(','));
    assert_eq!(
        settings.path("export.directory"),
        Some(Path::new("/home/ana/exports"))
    );
    assert_eq!(settings.origin("api.timeout").layer(), Layer::Profile);
    assert_eq!(settings.profile(), Some("work"));
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let env = home()
        .with("APP_REGION", "")
        .with("APP_TIMEOUT", "")
        .with("APP_CLIENT_ID", "  ");
    let settings = load(
        &env,
        "[api]\nregion = \"eu\"\n[auth]\nclient_id = \"  me \"\n",
    )
    .unwrap();
    assert_eq!(settings.text("api.region"), Some("eu"));
    assert_eq!(settings.integer("api.timeout"), Some(30));
    assert_eq!(settings.text("auth.client_id"), Some("me"));
}

#[test]
fn a_value_out_of_range_names_key_and_origin() {
    let (folder, config) = file("[api]\ntimeout = 301\n");
    let error = Loader::new(&SCHEMA, &home())
        .file(Some(config))
        .load()
        .unwrap_err();
    let shown = folder.path().join("config.toml").display().to_string();
    assert_eq!(
        error.to_string(),
        format!(
            "api.timeout must be a whole number from 1 to 300, not `301` (file {shown}: api.timeout)"
        )
    );
    assert_eq!(error.class(), Class::Config);

    let env = home().with("APP_TIMEOUT", "soon");
    let error = Loader::new(&SCHEMA, &env).load().unwrap_err();
    assert_eq!(
        error.to_string(),
        "api.timeout must be a whole number from 1 to 300, not `soon` (environment APP_TIMEOUT)"
    );
    let error = Loader::new(&SCHEMA, &home())
        .option("api.timeout", Some("0"))
        .load()
        .unwrap_err();
    assert_eq!(error.class(), Class::User);
    assert!(
        error.to_string().ends_with("(command line --timeout)"),
        "{error}"
    );
}

#[test]
fn wrong_words_and_wrong_types_are_explained() {
    let error = load(&home().with("APP_FORMAT", "tabel"), "").unwrap_err();
    assert_eq!(
        error.to_string(),
        "output.format must be one of table, json, csv, not `tabel` (environment APP_FORMAT)"
    );
    assert_eq!(error.hints().collect::<Vec<_>>(), ["did you mean `table`?"]);
    let error = load(&home(), "[api]\nrate_limit = \"5\"\n").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("api.rate_limit must be `auto`, `off` or a number"),
        "{error}"
    );
    let error = load(&home(), "[api]\ntimeout = [1]\n").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("api.timeout must be a whole number from 1 to 300 (file"),
        "{error}"
    );
    assert!(load(&home(), "[api]\ntimeout = \"45\"\nretry = 1\n").is_ok());
}

#[test]
fn unknown_keys_are_warnings_with_a_suggestion() {
    let text = "[api]\ntimout = 5\n[ouput]\nformat = \"json\"\nx = 1\n[profiles.work.api]\nregoin = \"eu\"\n";
    let (folder, config) = file(text);
    let settings = Loader::new(&SCHEMA, &home())
        .file(Some(config))
        .load()
        .unwrap();
    let shown = folder.path().join("config.toml").display().to_string();
    let warnings: Vec<_> = settings.warnings().collect();
    assert_eq!(
        warnings,
        [
            format!("unknown setting `api.timout` in {shown}; did you mean `api.timeout`?"),
            format!("unknown setting `ouput` in {shown}; did you mean `output`?"),
            format!(
                "unknown setting `profiles.work.api.regoin` in {shown}; did you mean `profiles.work.api.region`?"
            ),
        ]
    );
    assert_eq!(settings.integer("api.timeout"), Some(30));
}

#[test]
fn an_unknown_profile_is_an_error_that_names_the_known_ones() {
    let (_folder, config) = file("[profiles.work.api]\ntimeout = 5\n[profiles.home]\n");
    let loader = || {
        Loader::new(&SCHEMA, &home())
            .file(Some(config.clone()))
            .load()
            .is_ok()
    };
    assert!(loader());
    let env = home().with("APP_PROFILE", "wrok");
    let error = Loader::new(&SCHEMA, &env)
        .file(Some(config.clone()))
        .profile_variable("APP_PROFILE")
        .load()
        .unwrap_err();
    assert_eq!(error.hints().collect::<Vec<_>>(), ["did you mean `work`?"]);
    assert!(
        Loader::new(&SCHEMA, &home())
            .profile(Some("work"))
            .load()
            .is_err()
    );
    let settings = Loader::new(&SCHEMA, &env)
        .file(Some(config))
        .profile(Some("work"))
        .profile_variable("APP_PROFILE")
        .load()
        .unwrap();
    assert_eq!(settings.integer("api.timeout"), Some(5));
}

#[test]
fn secrets_are_masked_wherever_settings_are_shown() {
    let settings = load(&home(), "[auth]\nclient_secret = \"hunter2\"\n").unwrap();
    let entries = settings.entries();
    let entry = entries
        .iter()
        .find(|entry| entry.key == "auth.client_secret")
        .unwrap();
    assert_eq!(entry.value.as_deref(), Some("********"));
    let shown = format!(
        "{settings:?}{entries:?}{}",
        serde_json::to_string(&entries).unwrap()
    );
    assert!(!shown.contains("hunter2"));
    let secret = settings.secret("auth.client_secret").unwrap().unwrap();
    assert_eq!(secret.expose_secret(), "hunter2");
}

#[test]
fn entries_follow_the_schema_and_shorten_paths() {
    let settings = Loader::new(&SCHEMA, &home()).load().unwrap();
    let entries = settings.entries();
    assert_eq!(entries.len(), SCHEMA.settings().len());
    assert_eq!(
        serde_json::to_string(&entries[6]).unwrap(),
        r#"{"key":"api.timeout","value":"30","origin":"default","about":"seconds for one request"}"#
    );
    assert_eq!(entries[12].value.as_deref(), Some("~/exports"));
    assert_eq!(
        (entries[0].value.as_deref(), entries[0].origin.as_str()),
        (None, "")
    );
}

#[test]
fn a_secret_comes_from_the_first_line_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret.txt"), "hunter2 \nsecond line\n").unwrap();
    let config = folder.path().join("config.toml");
    fs::write(&config, "[auth]\nclient_secret_file = \"secret.txt\"\n").unwrap();
    let config = ConfigFile::read(&config, &home()).unwrap();
    let env = home();
    let settings = Loader::new(&SCHEMA, &env)
        .file(Some(config))
        .load()
        .unwrap();
    let secret = settings.secret("auth.client_secret").unwrap().unwrap();
    assert_eq!(secret.expose_secret(), "hunter2");
}

#[cfg(unix)]
#[test]
fn a_secret_comes_from_a_command_and_its_failure_is_told() {
    let env = home().with("WHO", "ana");
    let read = |command: &str| {
        let text = format!("[auth]\nclient_secret_command = '{command}'\n");
        load(&env, &text).unwrap().secret("auth.client_secret")
    };
    let secret = read("echo \"of-$WHO\"; echo more").unwrap().unwrap();
    assert_eq!(secret.expose_secret(), "of-ana");
    let error = read("exit 3").unwrap_err();
    assert!(
        error.to_string().contains("ended with exit status: 3"),
        "{error}"
    );
    assert!(
        read("true")
            .unwrap_err()
            .to_string()
            .contains("printed nothing")
    );
}

#[test]
fn the_strongest_layer_gives_the_secret_and_the_value_wins_within_one() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret.txt");
    fs::write(&secret, "of-file").unwrap();
    let text = "[auth]\nclient_secret = \"of-value\"\nclient_secret_command = \"exit 1\"\n";
    let value = |env: &Env| {
        let secret = load(env, text)
            .unwrap()
            .secret("auth.client_secret")
            .unwrap()
            .unwrap();
        secret.expose_secret().to_owned()
    };
    assert_eq!(value(&home()), "of-value");
    assert_eq!(
        value(&home().with("APP_CLIENT_SECRET_FILE", &secret)),
        "of-file"
    );
    let both = home()
        .with("APP_CLIENT_SECRET_FILE", &secret)
        .with("APP_CLIENT_SECRET", "of-env");
    assert_eq!(value(&both), "of-env");
    assert!(
        Loader::new(&SCHEMA, &home())
            .load()
            .unwrap()
            .secret("auth.client_secret")
            .unwrap()
            .is_none()
    );
}

#[test]
fn an_included_file_counts_in_the_layer_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("credentials.toml");
    fs::write(
        &credentials,
        "client_id = \"from-credentials\"\nclient_secret = \"hunter2\"\nclientid = 1\n",
    )
    .unwrap();
    protect(&credentials);
    let text = "[auth]\nclient_id = \"from-file\"\n";
    let env = home().with("APP_CREDENTIALS_FILE", &credentials);
    let settings = load(&env, text).unwrap();
    assert_eq!(settings.text("auth.client_id"), Some("from-credentials"));
    assert_eq!(
        settings.origin("auth.client_id").layer(),
        Layer::Environment
    );
    assert_eq!(
        settings
            .secret("auth.client_secret")
            .unwrap()
            .unwrap()
            .expose_secret(),
        "hunter2"
    );
    let warnings: Vec<_> = settings.warnings().collect();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].contains("did you mean `auth.client_id`?"),
        "{warnings:?}"
    );

    let settings = load(&env.with("APP_CLIENT_ID", "from-env"), text).unwrap();
    assert_eq!(settings.text("auth.client_id"), Some("from-env"));

    let named = format!(
        "[auth]\nclient_id = \"from-file\"\ncredentials_file = '{}'\n",
        credentials.display()
    );
    let settings = load(&home(), &named).unwrap();
    assert_eq!(settings.text("auth.client_id"), Some("from-file"));

    let missing = home().with("APP_CREDENTIALS_FILE", folder.path().join("none.toml"));
    assert_eq!(load(&missing, text).unwrap_err().class(), Class::Config);
}

#[test]
fn the_program_can_refuse_a_value_with_key_and_origin() {
    let settings = load(&home().with("APP_CLIENT_ID", "abc"), "").unwrap();
    let error = settings.parse::<u32>("auth.client_id").unwrap_err();
    assert_eq!(
        error.to_string(),
        "auth.client_id must be valid, not `abc` (environment APP_CLIENT_ID)"
    );
    assert_eq!(error.causes(), ["invalid digit found in string"]);
    assert!(
        settings
            .parse::<String>("auth.client_id")
            .unwrap()
            .is_some()
    );
}

#[test]
#[should_panic(expected = "no setting api.nope")]
fn asking_for_an_undeclared_key_is_a_defect() {
    let _value = Loader::new(&SCHEMA, &home())
        .load()
        .unwrap()
        .integer("api.nope");
}

proptest! {
    #[test]
    fn for_each_field_the_strongest_layer_wins(
        layers in prop::collection::vec(prop::option::of(1i64..=300), 4),
        words in prop::collection::vec(prop::option::of("[a-z]{1,8}"), 4),
    ) {
        let line = |key: &str, value: Option<String>| value.map(|value| format!("{key} = {value}\n")).unwrap_or_default();
        let number = |at: usize| line("timeout", layers[at].map(|value| value.to_string()));
        let word = |at: usize| line("region", words[at].as_ref().map(|value| format!("\"{value}\"")));
        let text = format!("[api]\n{}{}[profiles.p.api]\n{}{}", number(0), word(0), number(1), word(1));
        let mut env = home();
        if let Some(value) = layers[2] {
            env = env.with("APP_TIMEOUT", value.to_string());
        }
        if let Some(value) = &words[2] {
            env = env.with("APP_REGION", value);
        }
        let settings = Loader::new(&SCHEMA, &env)
            .file(Some(file(&text).1))
            .profile(Some("p"))
            .option("api.timeout", layers[3].map(|value| value.to_string()))
            .option("api.region", words[3].clone())
            .load()
            .unwrap();
        let order = [Layer::File, Layer::Profile, Layer::Environment, Layer::CommandLine];
        let strongest = layers.iter().zip(order).rev().find_map(|(value, layer)| Some(((*value)?, layer)));
        let (timeout, layer) = strongest.unwrap_or((30, Layer::Default));
        prop_assert_eq!(settings.integer("api.timeout"), Some(timeout));
        prop_assert_eq!(settings.origin("api.timeout").layer(), layer);
        let strongest = words.iter().zip(order).rev().find_map(|(value, layer)| Some((value.as_deref()?, layer)));
        let (region, layer) = strongest.unwrap_or(("us", Layer::Default));
        prop_assert_eq!(settings.text("api.region"), Some(region));
        prop_assert_eq!(settings.origin("api.region").layer(), layer);
    }
}
