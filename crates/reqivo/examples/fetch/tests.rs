use testkit::{Reply, Request, Server, Watchdog};

use super::*;

const FACES: [&[&str]; 2] = [&[], &["--sync"]];

fn parse(face: &[&str], arguments: &[&str]) -> Options {
    let arguments = face.iter().chain(arguments);
    options::parse(arguments.map(|&it| it.to_owned())).unwrap()
}

/// As `main` does it.
fn call(face: &[&str], arguments: &[&str]) -> bool {
    let options = parse(face, arguments);
    let (jar, file) = cookies(&options).unwrap();
    let result = run(&options, &jar).unwrap();
    if let Some(file) = file {
        file.save(&jar).unwrap();
    }
    result
}

#[test]
fn options_become_requests_on_both_faces() {
    let _watchdog = Watchdog::start();
    let body = |request: &Request| Reply::ok(request.body.clone());
    for face in FACES {
        let server = Server::start(body);
        let url = server.url("/a?b=c");
        assert!(call(face, &["-XPATCH", "-HX-A: 1", "--data=text", &url]));
        assert!(call(face, &["--json", "{}", "-b", "a=1", &url]));
        assert!(call(face, &["-d", "a=b c", "--form=d=&", &url]));
        let seen = server.requests();
        let shown = |at: usize| {
            (
                seen[at].method.as_str(),
                seen[at].target.as_str(),
                seen[at].text(),
            )
        };
        assert_eq!(shown(0), ("PATCH", "/a?b=c", "text".into()));
        assert_eq!(
            (seen[0].header("x-a"), seen[0].header("content-type")),
            (Some("1"), None)
        );
        assert_eq!(shown(1), ("POST", "/a?b=c", "{}".into()));
        assert_eq!(seen[1].header("content-type"), Some("application/json"));
        assert_eq!(seen[1].header("cookie"), Some("a=1"));
        assert_eq!(shown(2), ("POST", "/a?b=c", "a=b+c&d=%26".into()));
    }
}

#[test]
fn bodies_are_saved_and_cookies_kept_from_run_to_run() {
    let _watchdog = Watchdog::start();
    for face in FACES {
        let server = Server::start(|_| Reply::ok("kept").header("Set-Cookie", "a=1"));
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (jar, output) = (path("cookies.txt"), path("body"));
        for _ in 0..2 {
            assert!(call(face, &["-c", &jar, "-o", &output, &server.url("/")]));
        }
        assert_eq!(std::fs::read_to_string(&output).unwrap(), "kept");
        let seen = server.requests();
        let sent: Vec<_> = seen.iter().map(|it| it.header("cookie")).collect();
        assert_eq!(sent, [None, Some("a=1")]);
    }
}

#[test]
fn a_url_that_fails_does_not_keep_the_others_from_being_fetched() {
    let _watchdog = Watchdog::start();
    for face in FACES {
        let server = Server::start(|_| Reply::empty(404));
        let closed = format!("http://{}/", testkit::refused_addr());
        assert!(!call(face, &[&closed, &server.url("/")]));
        assert!(
            call(face, &[&server.url("/")]),
            "an HTTP error is an answer"
        );
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn mistakes_in_arguments_are_told() {
    for arguments in [
        &["--nonsense"][..],
        &["-H"],
        &["-H", "no colon"],
        &["--proxy", "ftp://a"],
        &["--timeout", "x"],
    ] {
        let arguments = arguments.iter().map(|&it| it.to_owned());
        assert!(options::parse(arguments).is_err());
    }
}

#[test]
fn credentials_of_urls_are_not_printed() {
    let _watchdog = Watchdog::start();
    let url = format!("http://user:s3cret@{}/", testkit::refused_addr());
    let session = reqivo::blocking::Session::new();
    let error = fetch_sync(&session, &Options::default(), &url)
        .err()
        .unwrap();
    let line = report::failed(&url, &error).to_string();
    assert!(
        line.contains(r#""kind":"connect""#) && !line.contains("s3cret"),
        "{line}"
    );
}
