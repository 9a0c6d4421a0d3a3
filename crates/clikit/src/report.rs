//! How an error reaches the person, or the program, that started us.

use serde_json::{Map, Value, json};

use crate::console::Console;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Format, Paint};

/// The form of an error report on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ReportForm {
    /// `error:`, `failed:`, `caused by:` and `hint:` lines.
    #[default]
    Text,
    /// One line of JSON:
    /// `{"error":{"class":"auth","exitCode":1,"message":"...","causes":[],"failures":[],"hints":[],"details":{}}}`.
    Json,
}

impl From<Format> for ReportForm {
    /// Errors are JSON where the data is.
    fn from(format: Format) -> Self {
        match format {
            Format::Json | Format::Ndjson => Self::Json,
            Format::Table | Format::Csv => Self::Text,
        }
    }
}

impl Error {
    /// Writes the error to standard error and returns the status to end with.
    ///
    /// A broken pipe is reported in silence. Known secrets are masked, and control characters in texts that came from
    /// elsewhere do not reach the terminal.
    ///
    /// ```
    /// use clikit::{Capture, Error, Exit, ReportForm, Terminals};
    ///
    /// let (console, capture) = Capture::new("", Terminals::NONE);
    /// let error = Error::auth("the service refused the credentials").with_hint("run `app config init`");
    /// assert_eq!(error.report(&console, ReportForm::Text), Exit::Failure);
    /// assert_eq!(
    ///     capture.stderr(),
    ///     "error: the service refused the credentials\nhint: run `app config init`\n",
    /// );
    /// ```
    pub fn report(&self, console: &Console, form: ReportForm) -> Exit {
        match form {
            _ if self.is_broken_pipe() => {}
            ReportForm::Text => self.report_text(console),
            ReportForm::Json => console.write_stderr(&format!("{}\n", self.to_json(console))),
        }
        self.exit()
    }

    fn report_text(&self, console: &Console) {
        console.message(Some(("error", Paint::Red)), &self.to_string());
        for failure in self.failures() {
            console.message(Some(("failed", Paint::Red)), failure);
        }
        for cause in self.causes() {
            console.message(Some(("caused by", Paint::Red)), &cause);
        }
        for hint in self.hints() {
            console.hint(hint);
        }
    }

    fn to_json(&self, console: &Console) -> Value {
        let mask = |text: &str| Value::from(console.mask(text));
        let details: Map<String, Value> = self
            .details()
            .map(|(name, value)| (name.to_owned(), mask_value(value, console)))
            .collect();
        json!({"error": {
            "class": self.class().as_str(),
            "exitCode": self.exit().code(),
            "message": mask(&self.to_string()),
            "causes": self.causes().iter().map(|cause| mask(cause)).collect::<Vec<_>>(),
            "failures": self.failures().map(mask).collect::<Vec<_>>(),
            "hints": self.hints().map(mask).collect::<Vec<_>>(),
            "details": details,
        }})
    }
}

fn mask_value(value: &Value, console: &Console) -> Value {
    match value {
        Value::String(text) => console.mask(text).into(),
        Value::Array(values) => values
            .iter()
            .map(|value| mask_value(value, console))
            .collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), mask_value(value, console)))
            .collect(),
        plain => plain.clone(),
    }
}
