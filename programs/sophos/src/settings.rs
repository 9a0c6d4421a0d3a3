//! The settings of the program: where they may stand, what they may hold, what they are worth.

use std::time::Duration;

use clikit::{
    Console, Env, Error,
    output::{CsvOptions, Format},
    settings::{Candidate, Discovery, Layer, Loader, Schema, Setting, Settings},
};
use sophos_central::{Config, RateLimit};

use crate::args::Global;

/// Every key of the configuration file, with its default, its variable and its option.
pub(crate) static SCHEMA: Schema = Schema::new(&[
    Setting::text(CLIENT_ID)
        .env("SOPHOS_CLIENT_ID")
        .option("--client-id")
        .about("client id of the API credential"),
    Setting::secret(CLIENT_SECRET)
        .env("SOPHOS_CLIENT_SECRET")
        .secret_file("auth.client_secret_file")
        .secret_command("auth.client_secret_command")
        .about("its secret"),
    Setting::path("auth.client_secret_file").about("file with the secret in its first line"),
    Setting::text("auth.client_secret_command").about("command that prints the secret"),
    Setting::path("auth.credentials_file")
        .env("SOPHOS_CREDENTIALS_FILE")
        .includes("auth")
        .about("TOML file with client_id and client_secret"),
    Setting::checked(
        REGION,
        "a region such as us, eu, ap, de, ie or eu02",
        is_region,
    )
    .default("us")
    .env("SOPHOS_REGION")
    .option("--region")
    .about("a note of where the account is; only --region filters tenants"),
    Setting::text(TENANT_ID)
        .env("SOPHOS_TENANT_ID")
        .about("tenant to use with the credential of a partner or an organization"),
    Setting::integer("api.timeout", 1, 300)
        .default("30")
        .env("SOPHOS_TIMEOUT")
        .option("--timeout")
        .about("seconds that one attempt of a request may take"),
    Setting::integer("api.max_retries", 0, 10)
        .default("3")
        .env("SOPHOS_MAX_RETRIES")
        .option("--max-retries")
        .about("how often a failed request is repeated"),
    Setting::boolean("api.rate_limit_retry")
        .default("true")
        .env("SOPHOS_RATE_LIMIT_RETRY")
        .about("whether to wait and try again after 429"),
    Setting::integer("api.concurrency", 1, 64)
        .default("8")
        .env("SOPHOS_CONCURRENCY")
        .about("tenants asked at the same time"),
    Setting::checked(
        "api.rate_limit",
        "auto, off, or a number per second such as 5/s",
        is_rate,
    )
    .default("auto")
    .env("SOPHOS_RATE_LIMIT")
    .about("requests per second"),
    Setting::url(AUTH_URL)
        .env("SOPHOS_AUTH_URL")
        .about("whole URL of the token service"),
    Setting::url(GLOBAL_URL)
        .env("SOPHOS_GLOBAL_URL")
        .about("URL of the global host"),
    Setting::url(BASE_URL)
        .env("SOPHOS_BASE_URL")
        .about("URL of the host of the tenant's data"),
    Setting::choice("output.default_format", Format::NAMES)
        .default("table")
        .env("SOPHOS_OUTPUT_DEFAULT_FORMAT")
        .option("--output")
        .about("format of data"),
    Setting::boolean("output.color_enabled")
        .default("true")
        .env("SOPHOS_OUTPUT_COLOR_ENABLED")
        .option("--no-color")
        .about("colour on terminals"),
    Setting::integer("output.page_size", 1, 1000)
        .default("50")
        .env("SOPHOS_OUTPUT_PAGE_SIZE")
        .about("items per request where --page-size and --all say nothing"),
    Setting::integer("output.table_max_width", 1, 10_000)
        .env("SOPHOS_OUTPUT_TABLE_MAX_WIDTH")
        .about("widest table, in cells"),
    Setting::path("export.default_directory")
        .default("~/sophos-exports")
        .env("SOPHOS_EXPORT_DEFAULT_DIRECTORY")
        .about("folder for exports"),
    Setting::integer("export.json_indent", 0, 8)
        .default("2")
        .env("SOPHOS_EXPORT_JSON_INDENT")
        .about("indentation of JSON; 0 for one line"),
    Setting::character("export.csv_delimiter")
        .default(",")
        .env("SOPHOS_EXPORT_CSV_DELIMITER")
        .about("character between the cells of CSV"),
    Setting::boolean("export.csv_flatten")
        .default("true")
        .env("SOPHOS_EXPORT_CSV_FLATTEN")
        .about("whether nested objects become columns"),
]);

pub(crate) const CLIENT_ID: &str = "auth.client_id";
pub(crate) const CLIENT_SECRET: &str = "auth.client_secret";
pub(crate) const REGION: &str = "api.region";
pub(crate) const TENANT_ID: &str = "api.tenant_id";
const PROFILE: &str = "SOPHOS_PROFILE";
const AUTH_URL: &str = "api.auth_url";
const GLOBAL_URL: &str = "api.global_url";
const BASE_URL: &str = "api.base_url";

/// Where the configuration file is looked for.
pub(crate) fn discovery(global: &Global) -> Discovery {
    Discovery::new([
        Candidate::current_dir("config.toml").with_table("auth"),
        Candidate::config_dir("pysophos/config.toml"),
        Candidate::home(".pysophos/config.toml"),
    ])
    .variable("SOPHOS_CONFIG_FILE")
    .explicit(global.config_file.clone())
}

/// Reads and merges all layers, or all but the file.
pub(crate) fn load(env: &Env, global: &Global, with_file: bool) -> Result<Settings, Error> {
    let mut loader = Loader::new(&SCHEMA, env);
    if with_file {
        loader = loader
            .file(discovery(global).find(env)?)
            .profile_variable(PROFILE)
            .profile(global.profile.clone());
    }
    let loader = loader
        .option(CLIENT_ID, global.client_id.clone())
        .option(REGION, global.region.clone())
        .option("api.timeout", global.timeout.clone())
        .option("api.max_retries", global.max_retries.clone())
        .option(
            "output.default_format",
            global.output.map(crate::args::OutputFormat::as_str),
        )
        .option("output.color_enabled", global.no_color.then_some("false"));
    loader.load()
}

/// The profile that is chosen, whether or not there is one of that name.
pub(crate) fn profile<'a>(env: &'a Env, global: &'a Global) -> Option<&'a str> {
    global.profile.as_deref().or_else(|| env.text(PROFILE))
}

/// The environment that the settings see: with `--sandbox` next to nothing.
pub(crate) fn environment(env: Env, global: &Global) -> Env {
    if !global.sandbox {
        return env;
    }
    ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"]
        .iter()
        .fold(env.without_prefix("SOPHOS_"), |env, name| {
            env.without(name).without(name.to_lowercase())
        })
}

/// The client's settings, without a transport.
pub(crate) fn client_config(settings: &Settings, console: &Console) -> Result<Config, Error> {
    let missing = |key: &str, what: &str, variable: &str| {
        Error::config(format!("the {what} is missing ({key})")).with_hint(format!(
            "run `config init`, set {variable}, or try things out with --sandbox"
        ))
    };
    let id = settings
        .text(CLIENT_ID)
        .ok_or_else(|| missing(CLIENT_ID, "client id", "SOPHOS_CLIENT_ID"))?;
    refuse_foreign_hosts(settings)?;
    let secret = settings
        .secret(CLIENT_SECRET)?
        .ok_or_else(|| missing(CLIENT_SECRET, "client secret", "SOPHOS_CLIENT_SECRET"))?;
    console.hide(&secret);
    let mut config = Config::new(id, secret);
    if let Some(seconds) = number(settings, "api.timeout") {
        config = config.timeout(Duration::from_secs(seconds));
    }
    if let Some(retries) = number(settings, "api.max_retries") {
        config = config.max_retries(retries);
    }
    if let Some(retry) = settings.boolean("api.rate_limit_retry") {
        config = config.rate_limit_retry(retry);
    }
    if let Some(tenants) = number(settings, "api.concurrency") {
        config = config.concurrency(tenants);
    }
    if let Some(limit) = settings.parse::<RateLimit>("api.rate_limit")? {
        config = config.rate_limit(limit);
    }
    if let Some(url) = settings.text(AUTH_URL) {
        config = config.auth_url(url);
    }
    if let Some(url) = settings.text(GLOBAL_URL) {
        config = config.global_url(url);
    }
    if let Some(url) = settings.text(BASE_URL) {
        config = config.base_url(url);
    }
    Ok(config.user_agent(concat!("sophos/", env!("CARGO_PKG_VERSION"))))
}

/// A file that merely lies in the current directory may come from anybody: it does not decide where
/// a secret from elsewhere is sent.
fn refuse_foreign_hosts(settings: &Settings) -> Result<(), Error> {
    let secrets = [
        CLIENT_SECRET,
        "auth.client_secret_file",
        "auth.client_secret_command",
    ];
    let foreign_secret = secrets.iter().any(|key| {
        let origin = settings.origin(key);
        origin.layer() > Layer::Default && !origin.is_found_in_current_dir()
    });
    for key in [AUTH_URL, GLOBAL_URL, BASE_URL] {
        let origin = settings.origin(key);
        if foreign_secret && origin.is_found_in_current_dir() {
            return Err(Error::config(format!("{key} is not used ({origin})")).with_hint(
                "a file found in the current directory cannot say where a secret from elsewhere \
                 is sent; name it with --config-file if you trust it",
            ));
        }
    }
    Ok(())
}

/// The region that tenants are filtered by: only one given as an option.
pub(crate) fn region_filter(settings: &Settings) -> Option<&str> {
    (settings.origin(REGION).layer() == Layer::CommandLine)
        .then(|| settings.text(REGION))
        .flatten()
}

/// How CSV is written.
pub(crate) fn csv(settings: &Settings, excel_safe: bool) -> Result<CsvOptions, Error> {
    let mut csv = CsvOptions::default().excel_safe(excel_safe);
    if let Some(delimiter) = settings.character("export.csv_delimiter") {
        csv = csv
            .delimiter(delimiter)
            .map_err(|error| settings.invalid("export.csv_delimiter", &error.to_string()))?;
    }
    if let Some(flatten) = settings.boolean("export.csv_flatten") {
        csv = csv.flatten(flatten);
    }
    Ok(csv)
}

/// A number whose range the schema has checked.
pub(crate) fn number<T: TryFrom<i64>>(settings: &Settings, key: &str) -> Option<T> {
    settings
        .integer(key)
        .and_then(|number| T::try_from(number).ok())
}

fn is_region(text: &str) -> bool {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let digits = text
        .bytes()
        .skip(letters)
        .filter(u8::is_ascii_digit)
        .count();
    letters == 2 && digits <= 3 && letters + digits == text.len()
}

fn is_rate(text: &str) -> bool {
    text.parse::<RateLimit>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_two_letters_and_perhaps_a_number() {
        for good in ["us", "eu", "ap", "de", "ie", "eu02", "US"] {
            assert!(is_region(good), "{good}");
        }
        for bad in ["", "u", "usa", "eu-02", "02", "eu0200", "é2"] {
            assert!(!is_region(bad), "{bad}");
        }
    }

    #[test]
    fn the_defaults_fit_their_kinds() {
        let env = Env::empty();
        let settings = Loader::new(&SCHEMA, &env).load().unwrap();
        assert_eq!(settings.text(REGION), Some("us"));
        assert_eq!(region_filter(&settings), None);
        assert_eq!(number::<u32>(&settings, "output.page_size"), Some(50));
    }
}
