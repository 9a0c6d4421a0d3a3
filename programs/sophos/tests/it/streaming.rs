//! Rows leave the program while the list still loads, and memory does not grow with it.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Duration,
};

use testkit::{Gate, Reply, Request, Server};

use crate::program::{introduction, with_sandbox, with_server};

/// Three pages of two devices; the second and the third wait at their gates.
pub(crate) fn gated_pages(second: &Gate, third: &Gate) -> Server {
    let (second, third) = (second.clone(), third.clone());
    Server::start(move |request: &Request| {
        if let Some(reply) = introduction(request) {
            return reply;
        }
        let page = |items: &str, next: &str| {
            Reply::json(format!(
                r#"{{"items":[{items}],"pages":{{{next}"size":2,"maxSize":500}}}}"#
            ))
        };
        match request
            .query()
            .split('&')
            .find_map(|pair| pair.strip_prefix("pageFromKey="))
        {
            None => page(
                r#"{"id":"a"},{"id":"b"}"#,
                r#""nextKey":"k2","total":3,"items":6,"#,
            ),
            Some("k2") => page(r#"{"id":"c"},{"id":"d"}"#, r#""nextKey":"k3","#).hold(&second),
            Some(_) => page(r#"{"id":"e"},{"id":"f"}"#, "").hold(&third),
        }
    })
}

pub(crate) fn lists_asked(server: &Server) -> usize {
    server
        .requests()
        .iter()
        .filter(|request| request.path().ends_with("/endpoints"))
        .count()
}

#[test]
fn the_first_row_is_out_before_the_last_page_is_asked_for() {
    for sync in [&[][..], &["--sync"][..]] {
        let (second, third) = (Gate::new(), Gate::new());
        let server = gated_pages(&second, &third);
        let program = with_server(&server);
        let mut words = vec!["endpoint", "list", "--all", "-o", "ndjson"];
        words.extend(sync);
        let mut child = program
            .std_command(&words)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let (out, first) = testkit::watchdog(Duration::from_secs(30), move || {
            let mut out = BufReader::new(out);
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            (out, line)
        });
        assert_eq!(first, "{\"id\":\"a\"}\n");
        assert!(
            lists_asked(&server) <= 2,
            "the third page was asked for already"
        );
        second.open();
        third.open();
        let rest = testkit::watchdog(Duration::from_secs(30), move || {
            let rest: Vec<String> = out.lines().map(Result::unwrap).collect();
            assert!(child.wait().unwrap().success());
            rest
        });
        assert_eq!(rest.len(), 5);
    }
}

/// The most memory that the process has used so far, in KiB.
#[cfg(target_os = "linux")]
fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn memory_stays_flat_with_the_number_of_pages() {
    let sandbox = sophos_sandbox::Sandbox::builder()
        .endpoints(20_000)
        .start()
        .unwrap();
    let program = with_sandbox(&sandbox, "tenant");
    for sync in [&[][..], &["--sync"][..]] {
        let mut words = vec!["endpoint", "list", "--all", "-o", "ndjson"];
        words.extend(sync);
        let mut child = program
            .std_command(&words)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (early, late) = testkit::watchdog(Duration::from_secs(120), move || {
            let (mut early, mut late) = (0, 0);
            for (row, line) in out.lines().enumerate() {
                line.unwrap();
                // Rows are left over, so the process is still there.
                match row {
                    2_000 => early = peak_memory(child.id()),
                    18_500 => late = peak_memory(child.id()),
                    _ => {}
                }
            }
            assert!(child.wait().unwrap().success());
            (early, late)
        });
        assert!(late < 60 * 1024, "{late} KiB");
        assert!(
            late < early + 8 * 1024,
            "grew from {early} KiB to {late} KiB"
        );
    }
}
