//! Runs the real binary in surroundings of its own.

use std::{ffi::OsString, fmt, path::PathBuf, time::Duration};

use assert_cmd::Command;
use tempfile::TempDir;

/// A home, a current directory and an environment, all of them empty.
#[derive(Debug)]
pub(crate) struct Program {
    home: TempDir,
    binary: &'static str,
    env: Vec<(OsString, OsString)>,
    input: String,
}

/// What the program did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new() -> Self {
        let home = tempfile::Builder::new()
            .prefix("sophos-it-")
            .tempdir()
            .unwrap();
        std::fs::create_dir(home.path().join("cwd")).unwrap();
        Self {
            home,
            binary: env!("CARGO_BIN_EXE_sophos"),
            env: Vec::new(),
            input: String::new(),
        }
    }

    pub(crate) fn pysophos() -> Self {
        Self {
            binary: env!("CARGO_BIN_EXE_pysophos"),
            ..Self::new()
        }
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    pub(crate) fn input(mut self, input: &str) -> Self {
        self.input = input.to_owned();
        self
    }

    /// A path below the home directory.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.home.path().join(relative)
    }

    /// Writes a file below the home directory, readable by its owner alone.
    pub(crate) fn file(&self, relative: &str, text: &str) -> PathBuf {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        path
    }

    /// The command itself, for tests that do more than run it to its end.
    pub(crate) fn std_command(&self, words: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(self.binary);
        command
            .args(words)
            .env_clear()
            .env("HOME", self.home.path())
            .current_dir(self.home.path().join("cwd"))
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs `sophos words...` to its end.
    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> Outcome {
        let output = Command::from_std(self.std_command(words))
            .timeout(Duration::from_secs(60))
            .write_stdin(self.input.clone())
            .output()
            .unwrap();
        Outcome {
            status: output.status.code(),
            stdout: self.filtered(&output.stdout),
            stderr: self.filtered(&output.stderr),
        }
    }

    /// Runs a line without quotes in it.
    #[track_caller]
    pub(crate) fn line(&self, line: &str) -> Outcome {
        self.run(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Replaces what differs from run to run: the home directory and ports.
    fn filtered(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        without_ports(&text.replace(&*self.home.path().to_string_lossy(), "~"))
    }
}

/// Replaces the port of every loopback address by `PORT`.
fn without_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("127.0.0.1:PORT");
        out.push_str(part.trim_start_matches(|letter: char| letter.is_ascii_digit()));
    }
    out
}

impl Outcome {
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        assert_eq!(self.status, Some(0), "{self}");
        self
    }

    #[track_caller]
    pub(crate) fn status(self, expected: i32) -> Self {
        assert_eq!(self.status, Some(expected), "{self}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// Standard output as lines of JSON.
    #[track_caller]
    pub(crate) fn rows(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}\n{self}"))
            })
            .collect()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => writeln!(f, "status {status}")?,
            None => writeln!(f, "ended by a signal")?,
        }
        writeln!(f, "--- stdout\n{}--- stderr\n{}", self.stdout, self.stderr)
    }
}

/// A sandbox in the process of the test, and a program that is set up to use it.
pub(crate) fn with_sandbox(sandbox: &sophos_sandbox::Sandbox, credential: &str) -> Program {
    Program::new()
        .env("SOPHOS_CLIENT_ID", credential)
        .env("SOPHOS_CLIENT_SECRET", "sandbox")
        .env("SOPHOS_AUTH_URL", sandbox.token_url())
        .env("SOPHOS_GLOBAL_URL", sandbox.url())
}

/// A program that is set up to use a scripted server.
pub(crate) fn with_server(server: &testkit::Server) -> Program {
    Program::new()
        .env("SOPHOS_CLIENT_ID", "id-1")
        .env("SOPHOS_CLIENT_SECRET", SECRET)
        .env("SOPHOS_AUTH_URL", server.url("/token"))
        .env("SOPHOS_GLOBAL_URL", server.url(""))
}

/// Answers what every run asks first, as a tenant's credential at `server`; `None` for the rest.
pub(crate) fn introduction(request: &testkit::Request) -> Option<testkit::Reply> {
    let host = format!("http://{}", request.header("host").unwrap_or_default());
    match request.path() {
        "/token" => Some(testkit::Reply::json(format!(
            r#"{{"access_token":"{TOKEN}","token_type":"bearer","expires_in":3600}}"#
        ))),
        "/whoami/v1" => Some(testkit::Reply::json(format!(
            r#"{{"id":"{TENANT}","idType":"tenant","apiHosts":{{"global":"{host}","dataRegion":"{host}"}}}}"#
        ))),
        _ => None,
    }
}

pub(crate) const SECRET: &str = "s3cr3t-of-the-test";
pub(crate) const TOKEN: &str = "t0ken-of-the-test";
pub(crate) const TENANT: &str = "7d1e2c34-9a0b-4c5d-8e6f-102938475601";
