use std::fs;
use std::path::{Path, PathBuf};

use clikit::settings::{Candidate, ConfigFile, Discovery, Loader, Schema, Setting};
use clikit::{Class, Env, Error};

static SCHEMA: Schema = Schema::new(&[
    Setting::text("auth.client_id"),
    Setting::secret("auth.client_secret").secret_command("auth.client_secret_command"),
    Setting::text("auth.client_secret_command"),
    Setting::integer("api.timeout", 1, 300).default("30"),
    Setting::boolean("api.retry"),
    Setting::path("export.directory"),
]);

/// A home, a configuration directory and a current directory of their own.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "here"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn env(&self) -> Env {
        Env::empty()
            .with("HOME", self.path("home"))
            .with_current_dir(self.path("here"))
    }
}

fn discovery() -> Discovery {
    Discovery::new([
        Candidate::current_dir("config.toml").with_table("auth"),
        Candidate::config_dir("app/config.toml"),
        Candidate::home(".app/config.toml"),
    ])
    .variable("APP_CONFIG_FILE")
}

fn found(discovery: &Discovery, env: &Env) -> Option<PathBuf> {
    discovery
        .find(env)
        .unwrap()
        .map(|file| file.path().to_owned())
}

#[test]
fn files_are_looked_for_in_their_order() {
    let world = World::new();
    let env = world.env();
    assert_eq!(found(&discovery(), &env), None);

    let old = world.write("home/.app/config.toml", "");
    assert_eq!(found(&discovery(), &env), Some(old));
    let config = world.write("home/.config/app/config.toml", "");
    assert_eq!(found(&discovery(), &env), Some(config.clone()));

    let here = world.write(
        "here/config.toml",
        "[package]\nname = \"another program\"\n",
    );
    assert_eq!(found(&discovery(), &env), Some(config));
    fs::write(&here, "[auth]\n").unwrap();
    assert_eq!(found(&discovery(), &env), Some(here));

    let named = world.write("here/named.toml", "");
    let env = env.with("APP_CONFIG_FILE", "named.toml");
    assert_eq!(found(&discovery(), &env), Some(named));
    let explicit = world.write("explicit.toml", "");
    assert_eq!(
        found(&discovery().explicit(Some(explicit.clone())), &env),
        Some(explicit)
    );
}

#[test]
fn the_configuration_directory_can_be_moved() {
    let world = World::new();
    world.write("home/.config/app/config.toml", "");
    let moved = world.write("xdg/app/config.toml", "");
    let env = world.env().with("XDG_CONFIG_HOME", world.path("xdg"));
    assert_eq!(found(&discovery(), &env), Some(moved));
    let relative = world.env().with("XDG_CONFIG_HOME", "xdg");
    assert_eq!(
        found(&discovery(), &relative),
        Some(world.path("home/.config/app/config.toml"))
    );
}

#[test]
fn a_named_file_that_is_missing_is_an_error() {
    let world = World::new();
    let named = discovery().explicit(Some(world.path("none.toml")));
    assert_eq!(named.find(&world.env()).unwrap_err().class(), Class::Config);
    let env = world.env().with("APP_CONFIG_FILE", "none.toml");
    assert!(discovery().find(&env).is_err());
    let env = world.env().with("APP_CONFIG_FILE", "");
    assert!(discovery().find(&env).unwrap().is_none());
}

#[test]
fn a_broken_file_is_an_error_only_if_it_is_ours() {
    let world = World::new();
    let here = world.write("here/config.toml", "name = \"not toml\n");
    assert!(discovery().find(&world.env()).unwrap().is_none());
    fs::write(
        &here,
        "[auth]\nclient_id = \"me\"\nclient_secret = \"hunter2\n",
    )
    .unwrap();
    let error = discovery().find(&world.env()).unwrap_err();
    assert_eq!(error.class(), Class::Config);
    assert!(
        error.to_string().contains("line 3 is not valid TOML"),
        "{error}"
    );
    assert!(!format!("{error:?}{:?}", error.causes()).contains("hunter2"));
}

#[test]
fn new_files_go_to_the_configuration_directory() {
    let world = World::new();
    let fresh = world.path("home/.config/app/config.toml");
    assert_eq!(discovery().target(&world.env()).unwrap(), fresh);
    let here = world.write("here/config.toml", "[auth]\n");
    assert_eq!(discovery().target(&world.env()).unwrap(), here);
    assert_eq!(discovery().fresh_target(&world.env()).unwrap(), fresh);
    assert!(discovery().fresh_target(&Env::empty()).is_err());
}

#[test]
fn a_file_found_in_the_current_directory_cannot_run_commands() {
    let world = World::new();
    let marker = world.path("ran");
    let text = format!(
        "[auth]\nclient_secret_command = 'echo x > {}'\n",
        marker.display()
    );
    let here = world.write("here/config.toml", &text);
    let env = world.env();
    let file = discovery().find(&env).unwrap();
    let settings = Loader::new(&SCHEMA, &env).file(file).load().unwrap();
    assert!(
        settings
            .origin("auth.client_secret_command")
            .is_found_in_current_dir()
    );
    let error = settings.secret("auth.client_secret").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("client_secret_command is not run"),
        "{error}"
    );
    assert!(!marker.exists());

    let file = discovery().explicit(Some(here)).find(&env).unwrap();
    let settings = Loader::new(&SCHEMA, &env).file(file).load().unwrap();
    assert!(
        !settings
            .origin("auth.client_secret_command")
            .is_found_in_current_dir()
    );
}

#[test]
fn setting_a_value_keeps_comments_and_order() {
    let world = World::new();
    let path = world.write(
        "config.toml",
        "# mine\n[api]\n# how long\ntimeout = 30 # seconds\n\n[auth] # who\nclient_id = 'me'\n",
    );
    let env = world.env();
    SCHEMA.set(&env, &path, None, "api.timeout", "60").unwrap();
    SCHEMA.set(&env, &path, None, "api.retry", "No").unwrap();
    SCHEMA
        .set(&env, &path, None, "export.directory", "~/out \"here\"")
        .unwrap();
    SCHEMA
        .set(&env, &path, Some("work"), "api.timeout", "5")
        .unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "# mine\n[api]\n# how long\ntimeout = 60 # seconds\nretry = false\n\n[auth] # who\nclient_id = 'me'\n\n\
         [export]\ndirectory = '~/out \"here\"'\n\n[profiles.work.api]\ntimeout = 5\n"
    );
    let file = ConfigFile::read(&path, &env).unwrap();
    assert_eq!(file.profiles(), ["work"]);
    let settings = Loader::new(&SCHEMA, &env)
        .file(Some(file))
        .profile(Some("work"))
        .load()
        .unwrap();
    assert_eq!(settings.integer("api.timeout"), Some(5));
    assert_eq!(
        settings.path("export.directory"),
        Some(world.path("home/out \"here\"").as_path())
    );
}

#[test]
fn a_wrong_key_or_value_changes_nothing() {
    let world = World::new();
    let path = world.write("config.toml", "[api]\ntimeout = 30\n");
    let set = |key: &str, value: &str| {
        SCHEMA
            .set(&world.env(), &path, None, key, value)
            .unwrap_err()
    };
    let error = set("api.timout", "5");
    assert_eq!(
        (error.class(), error.to_string().as_str()),
        (Class::User, "there is no setting `api.timout`")
    );
    assert_eq!(
        error.hints().collect::<Vec<_>>(),
        ["did you mean `api.timeout`?"]
    );
    let error = set("api.timeout", "900");
    assert_eq!(error.exit().code(), 2);
    assert_eq!(fs::read_to_string(&path).unwrap(), "[api]\ntimeout = 30\n");
    fs::write(&path, "api = 3\n").unwrap();
    assert_eq!(set("api.timeout", "5").class(), Class::Config);
}

#[test]
fn a_new_file_is_not_written_over_an_old_one_without_force() {
    let world = World::new();
    let path = world.path("home/.config/app/config.toml");
    let values = [
        ("auth.client_id", "me"),
        ("auth.client_secret", "a\"b\\c\u{e9}"),
    ];
    let create = |force| SCHEMA.create(&world.env(), &path, &values, force);
    create(false).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        "[auth]\nclient_id = \"me\"\nclient_secret = 'a\"b\\cé'\n"
    );
    assert_eq!(create(false).unwrap_err().class(), Class::User);
    fs::write(&path, "old").unwrap();
    create(true).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[cfg(unix)]
mod permissions {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn warnings(path: &Path) -> Result<Vec<String>, Error> {
        let env = Env::empty();
        let file = ConfigFile::read(path, &env)?;
        let settings = Loader::new(&SCHEMA, &env).file(Some(file)).load()?;
        Ok(settings.warnings().map(str::to_owned).collect())
    }

    #[test]
    fn written_files_belong_to_their_owner_alone() {
        let world = World::new();
        let path = world.path("deep/er/config.toml");
        SCHEMA
            .set(&world.env(), &path, None, "auth.client_secret", "hunter2")
            .unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        SCHEMA
            .set(&world.env(), &path, None, "api.timeout", "5")
            .unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_link_to_the_file_stays_a_link() {
        let world = World::new();
        let real = world.write("dotfiles/config.toml", "");
        let link = world.path("config.toml");
        symlink(&real, &link).unwrap();
        SCHEMA
            .set(&world.env(), &link, None, "api.timeout", "5")
            .unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "[api]\ntimeout = 5\n");
    }

    #[test]
    fn a_secret_that_others_can_read_is_warned_about() {
        let world = World::new();
        for text in [
            "[auth]\nclient_secret = \"x\"\n",
            "[profiles.p.auth]\nclient_secret = \"x\"\n",
        ] {
            let path = world.write("config.toml", text);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            let shown = path.display();
            let told = format!("{shown} holds a secret and can be read by others; `chmod 600` it");
            assert_eq!(warnings(&path).unwrap(), [told]);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(warnings(&path).unwrap().is_empty());
        }
        let path = world.write("config.toml", "[api]\ntimeout = 5\n");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(warnings(&path).unwrap().is_empty());
    }
}
