//! The clients of Python, in a process of their own that is told what to do line by line.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;

use super::{Row, Run, Urls};

/// The names of the clients.
pub const CLIENTS: [&str; 3] = ["httpx", "aiohttp", "requests"];

/// The interpreter that holds the clients.
#[derive(Clone)]
pub struct Python(Rc<RefCell<Process>>);

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Python {
    /// Starts the interpreter. It inherits the cores of the calling thread.
    pub fn start(interpreter: &Path) -> anyhow::Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python_peers.py");
        let mut child = Command::new(interpreter)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            anyhow::bail!("no pipes to the interpreter");
        };
        Ok(Self(Rc::new(RefCell::new(Process {
            child,
            input,
            output: BufReader::new(output),
        }))))
    }

    /// Prepares a client for a row.
    pub fn prepare(&self, client: &'static str, row: Row, urls: &Urls) -> Run {
        let (this, authority) = (self.clone(), urls.authority.clone());
        Box::new(move |calls| {
            let mut process = this.0.borrow_mut();
            let line = format!("{client} {} {authority} {calls}\n", row.word());
            process.input.write_all(line.as_bytes()).unwrap();
            let mut answer = String::new();
            process.output.read_line(&mut answer).unwrap();
            assert_eq!(answer, "done\n", "{line}");
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
