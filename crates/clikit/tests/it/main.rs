//! What a program sees of clikit.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test that calls it"
)]

mod config_file;
mod console;
mod csv;
mod destination;
mod errors;
mod json;
mod settings;
mod table;

use clikit::Fields;
use clikit::output::{Column, Ending, Format, Output, Paint, View};
use clikit::{Capture, Terminals};

/// The view of the tests: devices.
static DEVICES: View = View::new(&[
    Column::new("hostname"),
    Column::new("id").whole(),
    Column::new("health.overall")
        .header("health")
        .paint(&[("good", Paint::Green), ("bad", Paint::Red)]),
])
.known(&["os.name", "lastSeenAt"]);

fn fields(text: &str) -> Option<Fields> {
    Some(text.parse().unwrap())
}

/// Prints a list and returns standard output and standard error.
fn list_with(
    format: Format,
    terminals: Terminals,
    items: &[&str],
    shape: impl FnOnce(Output) -> Output,
) -> (String, String) {
    let (console, capture) = Capture::new("", terminals);
    let mut list = shape(Output::new(&console, format)).list(&DEVICES).unwrap();
    for item in items {
        list.push_text(item).unwrap();
    }
    list.finish(Ending::new()).unwrap();
    (capture.stdout(), capture.stderr())
}

fn list(format: Format, items: &[&str]) -> String {
    list_with(format, Terminals::NONE, items, |output| output).0
}
