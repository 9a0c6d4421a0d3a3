//! A private PostgreSQL: its own files, its own socket, gone with the process that started it.
//!
//! No port is opened and no server of the machine is touched. The files are copied from a fresh
//! cluster that is made once per machine and version, so a start takes a fraction of a second.
//! PostgreSQL refuses to run as root; as root the user `postgres`, or else `nobody`, runs it.
//!
//! ```no_run
//! let database = testkit::postgres::shared().database();
//! println!("connect to {}", database.url());
//! assert_eq!(database.psql("select 1 + 1"), "2");
//! ```

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// How a server is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    durable: bool,
    settings: Vec<(String, String)>,
}

impl Options {
    /// Starts with a server that does not wait for the disk, for tests.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes commits wait for the disk, as a server does by default.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Sets a setting of the server.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}

/// A running server.
///
/// It stops when the value is dropped, or when the process ends in whatever way: a shell that waits
/// for the end of its input stops the server and removes its files.
#[derive(Debug)]
pub struct Server {
    dir: PathBuf,
    bin: PathBuf,
    databases: AtomicU32,
    keeper: Mutex<Keeper>,
}

#[derive(Debug)]
struct Keeper {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pid: u32,
}

/// A database of a server. It stays until the server is gone.
#[derive(Debug)]
pub struct Database<'a> {
    server: &'a Server,
    name: String,
}

/// Returns the server of this process; the first call starts it.
pub fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| Server::start(Options::new()))
}

/// Returns the folder of the server programs.
///
/// # Panics
///
/// If there are none: a test that needs PostgreSQL fails where it is missing, and is not skipped.
pub fn programs() -> PathBuf {
    let has_server =
        |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    if let Some(folder) = std::env::var_os("TESTKIT_POSTGRES_BIN").map(PathBuf::from) {
        assert!(
            has_server(&folder),
            "TESTKIT_POSTGRES_BIN has no initdb and postgres"
        );
        return folder;
    }
    let mut folders: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = folders
        .into_iter()
        .rev()
        .map(|(_, folder)| folder)
        .chain(std::env::split_paths(&path))
        .find(has_server);
    found.expect(
        "PostgreSQL is missing: install the Debian package `postgresql`, or name the folder of its \
         programs in TESTKIT_POSTGRES_BIN",
    )
}

impl Server {
    /// Starts a server with files of its own.
    pub fn start(options: Options) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let bin = programs();
        let template = template(&bin);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("testkit-pg-{}-{number}", std::process::id()));
        let mut settings: Vec<(String, String)> = [
            ("listen_addresses", ""),
            (
                "unix_socket_directories",
                dir.to_str().expect("a plain path"),
            ),
            ("max_connections", "300"),
            ("shared_buffers", "64MB"),
            ("max_wal_size", "512MB"),
            ("logging_collector", "off"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        if !options.durable {
            for name in ["fsync", "full_page_writes"] {
                settings.push((name.to_owned(), "off".to_owned()));
            }
        }
        settings.extend(options.settings);
        let mut command = as_server_user(Path::new("sh"));
        command
            .args(["-c", KEEPER, "keeper"])
            .arg(&dir)
            .arg(&bin)
            .arg(&template);
        for (name, value) in settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        // A runner that ends the whole group of a test must not end the keeper: it has to clean up.
        command.process_group(0);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It outlives the test by the moment it takes to clean up.
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be started");
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("was piped"));
        let mut keeper = Keeper {
            child,
            orders,
            answers,
            pid: 0,
        };
        keeper.pid = keeper
            .answer()
            .parse()
            .expect("the keeper tells the process id");
        let server = Self {
            dir,
            bin,
            databases: AtomicU32::new(0),
            keeper: Mutex::new(keeper),
        };
        server.wait_until_ready();
        server
    }

    /// Returns the folder of its socket.
    pub fn socket_dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the id of its main process.
    pub fn pid(&self) -> u32 {
        self.keeper().pid
    }

    /// Creates an empty database.
    pub fn database(&self) -> Database<'_> {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql(
            "postgres",
            &format!("create database {name} template template0"),
        );
        Database { server: self, name }
    }

    /// Ends the server with a signal, such as `KILL`, `INT` or `TERM`, and waits until it is gone.
    ///
    /// `KILL` ends all of its processes at once.
    pub fn kill(&self, signal: &str) {
        let mut keeper = self.keeper();
        keeper.order(&format!("kill {signal}"));
        assert_eq!(keeper.answer(), "gone");
    }

    /// Starts it again on the same files, after [`kill`](Self::kill).
    pub fn restart(&self) {
        let mut keeper = self.keeper();
        keeper.order("start");
        keeper.pid = keeper
            .answer()
            .parse()
            .expect("the keeper tells the process id");
        drop(keeper);
        self.wait_until_ready();
    }

    /// Runs SQL with `psql` and returns what it prints, without headers and alignment.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let output = Command::new(self.bin.join("psql"))
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                USER,
                "-d",
                database,
                "-c",
                sql,
            ])
            .arg("-h")
            .arg(&self.dir)
            .output()
            .expect("psql can be started");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "psql failed on {sql}: {complaint}");
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    /// Returns what the server logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn keeper(&self) -> std::sync::MutexGuard<'_, Keeper> {
        self.keeper
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ready = Command::new(self.bin.join("pg_isready"))
                .args(["-q", "-U", USER, "-d", "postgres", "-h"])
                .arg(&self.dir)
                .status()
                .is_ok_and(|status| status.success());
            if ready {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "PostgreSQL does not start: {}",
                self.log()
            );
            pause(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut keeper = self.keeper();
        // The end of its input tells the keeper to stop the server.
        keeper.orders = None;
        drop(keeper.child.wait());
    }
}

impl Keeper {
    fn order(&mut self, order: &str) {
        let orders = self.orders.as_mut().expect("the server was not dropped");
        writeln!(orders, "{order}").expect("the keeper listens");
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .expect("the keeper answers");
        line.trim_end().to_owned()
    }
}

impl Database<'_> {
    /// Returns the address, for `tokio-postgres` and others that take a URL.
    pub fn url(&self) -> String {
        let socket = self
            .server
            .dir
            .to_str()
            .expect("a plain path")
            .replace('/', "%2F");
        format!("postgresql://{USER}@{socket}/{}", self.name)
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the server.
    pub fn server(&self) -> &Server {
        self.server
    }

    /// Runs SQL with `psql` and returns what it prints, without headers and alignment.
    pub fn psql(&self, sql: &str) -> String {
        self.server.psql(&self.name, sql)
    }
}

/// Makes the files of an empty cluster, once per machine, version and user.
fn template(bin: &Path) -> PathBuf {
    let mut version = as_server_user(&bin.join("postgres"));
    let version = version
        .arg("--version")
        .output()
        .expect("postgres can be started")
        .stdout;
    let version: String = String::from_utf8_lossy(&version)
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
        .collect();
    let user = server_user().unwrap_or_else(|| std::env::var("USER").unwrap_or_default());
    let place = std::env::temp_dir().join(format!("testkit-pg-template-{user}-{version}"));
    let status = as_server_user(Path::new("sh"))
        .args(["-c", TEMPLATE, "template"])
        .arg(&place)
        .arg(bin)
        .arg(USER)
        .status()
        .expect("a shell can be started");
    assert!(status.success(), "initdb failed; its output is above");
    place
}

/// A command run as a user that PostgreSQL accepts.
fn as_server_user(program: &Path) -> Command {
    match server_user() {
        Some(user) => {
            let mut command = Command::new("runuser");
            command.args(["-u", &user, "--"]).arg(program);
            command.current_dir(std::env::temp_dir());
            command
        }
        None => Command::new(program),
    }
}

/// The user to change to; none if the process is not root.
fn server_user() -> Option<String> {
    static USER: OnceLock<Option<String>> = OnceLock::new();
    USER.get_or_init(|| {
        let id = Command::new("id")
            .arg("-u")
            .output()
            .expect("id can be started")
            .stdout;
        if String::from_utf8_lossy(&id).trim() != "0" {
            return None;
        }
        let known = |user: &&str| {
            Command::new("id")
                .arg(user)
                .output()
                .is_ok_and(|output| output.status.success())
        };
        Some(
            ["postgres", "nobody"]
                .iter()
                .copied()
                .find(known)
                .unwrap_or("nobody")
                .to_owned(),
        )
    })
    .clone()
}

fn pause(time: Duration) {
    std::thread::park_timeout(time);
}

const USER: &str = "test";

/// Makes the template, or waits for another process that does.
const TEMPLATE: &str = r#"
set -e
place=$1 bin=$2 user=$3
umask 077
exec 9>"$place.lock"
flock 9
[ -e "$place/ready" ] && exit 0
rm -rf "$place"
mkdir "$place"
"$bin/initdb" -D "$place/data" -U "$user" --auth=trust --encoding=UTF8 --locale=C --wal-segsize=1 \
    --no-sync --no-instructions >"$place/initdb.log" 2>&1 || { cat "$place/initdb.log" >&2; exit 1; }
touch "$place/ready"
"#;

/// Runs the server, obeys orders, and cleans up at the end of its input.
const KEEPER: &str = r#"
dir=$1 bin=$2 template=$3
shift 3
trap '' INT TERM HUP
umask 077
mkdir "$dir" && chmod 755 "$dir" && cp -a "$template/data" "$dir/data" || exit 1
start() {
    "$bin/postgres" -D "$dir/data" "$@" >>"$dir/log" 2>&1 </dev/null &
    pid=$!
    echo "$pid"
}
start "$@"
while read -r order signal; do
    case $order in
    start) start "$@" ;;
    kill)
        # After a KILL nobody tells the other processes; they go down together, as when a machine stops.
        others=
        [ "$signal" = KILL ] && others=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null)
        kill -"$signal" "$pid" $others
        wait "$pid"
        echo gone
        ;;
    esac
done
kill -QUIT "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
rm -rf "$dir"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_serves_survives_a_kill_and_cleans_up() {
        let server = Server::start(Options::new().set("work_mem", "5MB"));
        let database = server.database();
        assert_eq!(database.psql("show work_mem"), "5MB");
        database.psql("create table t as select 7 as n");
        server.kill("KILL");
        server.restart();
        assert_eq!(database.psql("select n from t"), "7");
        let dir = server.socket_dir().to_owned();
        drop(server);
        assert!(!dir.exists());
    }
}
