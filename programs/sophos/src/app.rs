//! What every command stands on: console, settings, output, and the client when it is needed.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use clikit::{
    Confirm, Console, Env, Error, Interrupts, Progress, ReportForm,
    output::{Destination, Format, Output},
    settings::Settings,
};
use restkit::{
    BoxFuture,
    clock::{Clock, TokioClock},
};
use sophos_central::Config;
use sophos_sandbox::Sandbox;

use crate::{
    args::{Global, Scope},
    face::Face,
    settings, signals,
};

/// One run of the program.
pub(crate) struct App {
    pub(crate) console: Console,
    pub(crate) env: Env,
    pub(crate) global: Global,
    pub(crate) scope: Scope,
    pub(crate) settings: Settings,
    pub(crate) interrupts: Interrupts,
    format: Format,
    asking: Arc<AtomicBool>,
    sandbox: OnceLock<Sandbox>,
}

impl App {
    /// Reads the settings, the file among them unless the command is about to write it. Nothing is
    /// started and nothing is sent.
    pub(crate) fn new(
        console: &Console,
        env: Env,
        global: Global,
        scope: Scope,
        with_file: bool,
    ) -> Result<Self, Error> {
        let env = settings::environment(env, &global);
        let settings = settings::load(&env, &global, with_file && !global.sandbox)?;
        let color = settings.boolean("output.color_enabled").unwrap_or(true);
        let console = console.with_color(color).with_quiet(global.quiet);
        for warning in settings.warnings() {
            console.warn(warning);
        }
        let format = match settings.parse::<Format>("output.default_format")? {
            Some(format) => format,
            None => Format::Table,
        };
        Ok(Self {
            console,
            env,
            global,
            scope,
            settings,
            interrupts: Interrupts::new(),
            format,
            asking: Arc::default(),
            sandbox: OnceLock::new(),
        })
    }

    /// Errors are JSON where the data is.
    pub(crate) fn report_form(&self) -> ReportForm {
        self.format.into()
    }

    /// Where and how data is printed.
    pub(crate) fn output(&self) -> Result<Output, Error> {
        let destination = match &self.global.output_file {
            Some(path) => Destination::file(path).force(self.global.force),
            None => Destination::stdout(),
        };
        Ok(Output::new(&self.console, self.format)
            .destination(destination)
            .fields(self.global.fields.clone())
            .indent(settings::number(&self.settings, "export.json_indent").unwrap_or(2))
            .sort_keys(self.global.sort_keys)
            .csv(settings::csv(&self.settings, self.global.excel_safe)?)
            .max_width(settings::number(&self.settings, "output.table_max_width")))
    }

    /// Counts on a terminal while pages load.
    pub(crate) fn progress(&self, subject: &str) -> Progress {
        self.console.progress(subject)
    }

    /// Asks before a change, when a client exists already.
    pub(crate) fn confirm(&self, question: &Confirm) -> Result<(), Error> {
        self.asking.store(true, Ordering::SeqCst);
        let answer = question.require(&self.console, self.global.yes);
        self.asking.store(false, Ordering::SeqCst);
        answer
    }

    /// Says so when the service repeated a page of a list.
    pub(crate) fn warn_if_suspect(&self, counters: &sophos_central::Progress) {
        if counters.is_suspect() {
            self.console
                .warn("the service repeated a page; the list is probably incomplete");
        }
    }

    /// Makes the client, with all that stands behind it: the sandbox where it is asked for, and the
    /// meaning of Ctrl-C.
    ///
    /// Data that could not be printed is refused here, before anything is sent.
    pub(crate) fn connect(&self) -> Result<Face, Error> {
        self.output()?.check()?;
        let mut config = if self.global.sandbox {
            self.sandbox_config()?
        } else {
            settings::client_config(&self.settings, &self.console)?
        };
        if let Some(tenant) = self.settings.text(settings::TENANT_ID) {
            config = config.tenant_id(tenant);
        }
        if self.global.debug {
            config = crate::debug::shown(config, &self.console)?;
        }
        signals::listen(&self.interrupts, &self.asking)
            .map_err(|error| Error::io("cannot listen for Ctrl-C", error))?;
        Face::new(config, self.global.sync, &self.interrupts, &self.console)
    }

    /// Starts the embedded service on its first use.
    fn sandbox_config(&self) -> Result<Config, Error> {
        let started = Sandbox::builder()
            .endpoints(300)
            .seed(1)
            .start()
            .map_err(|error| Error::internal("cannot start the sandbox").with_source(error))?;
        let sandbox = self.sandbox.get_or_init(|| started);
        let kind = self.global.sandbox_kind;
        let mut config = Config::new(kind.client_id(), "sandbox".to_owned())
            .auth_url(sandbox.token_url())
            .global_url(sandbox.url())
            .clock(SandboxClock::at(&sandbox.reference_time())?)
            .user_agent(concat!("sophos/", env!("CARGO_PKG_VERSION")));
        if let Some(seconds) = settings::number(&self.settings, "api.timeout") {
            config = config.timeout(Duration::from_secs(seconds));
        }
        if let Some(retries) = settings::number(&self.settings, "api.max_retries") {
            config = config.max_retries(retries);
        }
        Ok(config)
    }
}

/// Waits as any clock does, and shows the date at which the sandbox's clock stands still, so that
/// `--since 7d` means the same to both.
struct SandboxClock {
    date: SystemTime,
}

impl SandboxClock {
    fn at(date: &str) -> Result<Self, Error> {
        let date: jiff::Timestamp = date.parse().map_err(|error| {
            Error::internal("cannot read the sandbox's clock").with_source(error)
        })?;
        Ok(Self { date: date.into() })
    }
}

impl Clock for SandboxClock {
    fn now(&self) -> Instant {
        TokioClock.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        TokioClock.sleep(duration)
    }

    fn calendar(&self) -> SystemTime {
        self.date
    }
}
