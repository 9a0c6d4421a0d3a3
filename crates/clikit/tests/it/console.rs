use std::io::Write;

use clikit::output::{Ending, Format, Output, View};
use clikit::{Capture, Class, Confirm, Env, Terminals};
use secrecy::ExposeSecret;

const STDERR_ONLY: Terminals = Terminals {
    stdin: false,
    stdout: false,
    stderr: true,
};

#[test]
fn progress_shows_on_a_terminal_and_is_gone_before_anything_else() {
    let (console, capture) = Capture::new("", Terminals::ALL);
    let console = console.with_color(false);
    let progress = console.progress("devices");
    progress.page(50);
    assert_eq!(capture.stderr(), "\r\x1b[Kdevices: 50, 1 page");
    console.warn("slow");
    assert_eq!(
        capture.stderr(),
        "\r\x1b[Kdevices: 50, 1 page\r\x1b[Kwarning: slow\n"
    );
    drop(progress);
    assert_eq!(
        capture.stderr(),
        "\r\x1b[Kdevices: 50, 1 page\r\x1b[Kwarning: slow\n"
    );
}

#[test]
fn data_on_the_same_terminal_removes_the_progress_line_first() {
    let (console, capture) = Capture::new("", Terminals::ALL);
    let progress = console.progress("devices");
    progress.set_total(Some(2));
    console.stdout().write_all(b"row\n").unwrap();
    assert_eq!(capture.stderr(), "\r\x1b[Kdevices: 0 of 2\r\x1b[K");
    progress.finish();
    assert_eq!(capture.stdout(), "row\n");
}

#[test]
fn progress_is_silent_without_a_terminal_and_when_quiet() {
    for (terminals, quiet) in [(Terminals::NONE, false), (Terminals::ALL, true)] {
        let (console, capture) = Capture::new("", terminals);
        let progress = console.with_quiet(quiet).progress("devices");
        progress.page(50);
        progress.add(1);
        progress.set_subject("alerts");
        progress.finish();
        assert_eq!(capture.stderr(), "");
    }
}

#[test]
fn progress_never_wraps_and_shows_no_control_characters() {
    let (console, capture) = Capture::new("", STDERR_ONLY);
    let progress = console
        .with_width(Some(20))
        .progress("devices\n of a tenant with a long name");
    progress.page(50);
    assert_eq!(capture.stderr(), "\r\x1b[Kdevices  of a tena…");
}

#[test]
fn quiet_drops_notes_and_keeps_warnings() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    let quiet = console.with_quiet(true);
    quiet.note("n");
    quiet.status("s");
    quiet.warn("w");
    console.note("n");
    console.status("s");
    assert_eq!(capture.stderr(), "warning: w\nnote: n\ns\n");
    assert_eq!(capture.stdout(), "");
}

#[test]
fn the_width_is_eighty_unless_told() {
    let (console, _) = Capture::new("", Terminals::NONE);
    assert_eq!(console.width(), 80);
    assert_eq!(console.with_width(Some(120)).width(), 120);
}

#[test]
fn colour_needs_a_terminal_and_permission() {
    let (console, _) = Capture::new("", STDERR_ONLY);
    assert!(!console.colors_stdout());
    assert!(console.colors_stderr());
    assert!(!console.with_color(false).with_color(true).colors_stderr());
}

#[test]
fn a_question_without_anybody_there_is_a_usage_error() {
    let (console, capture) = Capture::new("y\n", Terminals::NONE);
    let error = Confirm::new("delete?")
        .require(&console, false)
        .unwrap_err();
    assert_eq!(error.class(), Class::User);
    assert_eq!(
        error.hints().collect::<Vec<_>>(),
        ["add `--yes` to go ahead without a question"]
    );
    assert!(Confirm::new("delete?").require(&console, true).is_ok());
    assert_eq!(
        console
            .ask("Client id: ", "use `--client-id`")
            .unwrap_err()
            .exit()
            .code(),
        2
    );
    assert_eq!(capture.stderr(), "");
}

#[test]
fn only_a_clear_yes_confirms() {
    let answer = |input: &str| {
        let (console, _) = Capture::new(input, Terminals::ALL);
        Confirm::new("delete?").ask(&console, false).ok()
    };
    assert_eq!(answer("y\n"), Some(true));
    assert_eq!(answer(" YES \n"), Some(true));
    assert_eq!(answer("n\n"), Some(false));
    assert_eq!(answer("\n"), Some(false));
    assert_eq!(answer(""), Some(false));
    assert_eq!(answer("what\nyes\n"), Some(true));
    assert_eq!(answer("a\nb\nc\ny\n"), None);
    let (console, _) = Capture::new("n\n", Terminals::ALL);
    let error = Confirm::new("delete?")
        .require(&console, false)
        .unwrap_err();
    assert_eq!(error.exit().code(), 2);
}

#[test]
fn answers_are_read_line_by_line() {
    let (console, capture) = Capture::new(" ana \r\ns3cret\nrest", Terminals::ALL);
    assert_eq!(console.ask("Client id: ", "").unwrap(), "ana");
    assert_eq!(
        console.ask_secret("Secret: ", "").unwrap().expose_secret(),
        "s3cret"
    );
    assert_eq!(console.read_line().unwrap().as_deref(), Some("rest"));
    assert_eq!(console.read_line().unwrap(), None);
    assert_eq!(capture.stderr(), "Client id: Secret: ");
}

#[test]
fn an_endless_line_is_an_error_and_not_a_full_memory() {
    let (console, _) = Capture::new(&"x".repeat(70_000), Terminals::ALL);
    assert_eq!(console.read_line().unwrap_err().class(), Class::User);
}

#[test]
fn logs_are_masked() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    console.hide(&"hunter2".into());
    console.hide(&"x".into()); // too short to look for
    writeln!(console.stderr(), "authorization: hunter2 x").unwrap();
    assert_eq!(capture.stderr(), "authorization: ******** x\n");
}

#[test]
fn debug_forms_hold_no_values_of_the_environment() {
    let env = Env::empty().with("APP_SECRET", "hunter2");
    assert!(!format!("{env:?}").contains("hunter2"));
}

#[test]
fn data_streams_between_progress_updates() {
    let (console, capture) = Capture::new("", Terminals::ALL);
    let progress = console.progress("numbers");
    let mut list = Output::new(&console, Format::Ndjson)
        .list(&View::PLAIN)
        .unwrap();
    for page in 0..3 {
        list.push_text(&page.to_string()).unwrap();
        list.end_page().unwrap();
        progress.page(1);
    }
    list.finish(Ending::new()).unwrap();
    assert_eq!(capture.stdout(), "0\n1\n2\n");
}
