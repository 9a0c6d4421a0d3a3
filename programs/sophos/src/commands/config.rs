//! `config ...`

use clikit::{Error, Exit, output::Ending};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    app::App,
    args::{ConfigCommand, ConfigInit, ConfigSet},
    face::{Work, call, list},
    listing::object,
    render,
    settings::{self, CLIENT_ID, CLIENT_SECRET, REGION, SCHEMA},
};

pub(super) fn run(app: &App, command: ConfigCommand) -> Result<Exit, Error> {
    match command {
        ConfigCommand::Init(args) => init(app, &args),
        ConfigCommand::Show => show(app),
        ConfigCommand::Set(args) => set(app, args),
        ConfigCommand::Test => test(app),
    }
}

fn init(app: &App, args: &ConfigInit) -> Result<Exit, Error> {
    refuse_sandbox(app)?;
    let path = settings::discovery(&app.global).fresh_target(&app.env)?;
    let shown = app.env.display(&path);
    if path.exists() && !app.global.force {
        return Err(Error::user(format!("configuration file {shown} exists"))
            .with_hint("add --force to replace it, or change single values with `config set`"));
    }
    let id = match &app.global.client_id {
        Some(id) => id.trim().to_owned(),
        None => app.console.ask("Client id: ", "give it with --client-id")?,
    };
    if id.is_empty() {
        return Err(Error::user("the client id is empty"));
    }
    let secret = if args.client_secret_stdin {
        let line = app.console.read_line()?.unwrap_or_default();
        SecretString::from(line.trim().to_owned())
    } else {
        app.console.ask_secret(
            "Client secret (not shown): ",
            "give it on standard input with --client-secret-stdin",
        )?
    };
    if secret.expose_secret().trim().is_empty() {
        return Err(Error::user("the client secret is empty"));
    }
    app.console.hide(&secret);
    let region = app.settings.text(REGION).unwrap_or("us");
    let values = [
        (CLIENT_ID, id.as_str()),
        (CLIENT_SECRET, secret.expose_secret().trim()),
        (REGION, region),
    ];
    SCHEMA.create(&app.env, &path, &values, app.global.force)?;
    app.console
        .status(&format!("wrote {shown}; only you can read it"));
    app.console.status("next: `config test` tries it");
    Ok(Exit::Success)
}

fn show(app: &App) -> Result<Exit, Error> {
    let mut list = app.output()?.list(&render::SETTINGS)?;
    for entry in app.settings.entries() {
        let origin = if entry.value.is_some() {
            entry.origin.as_str()
        } else {
            "not set"
        };
        list.push(&object(&[
            ("key", entry.key.into()),
            ("value", entry.value.clone().into()),
            ("origin", origin.into()),
        ])?)?;
    }
    list.finish(Ending::new())?;
    match app.settings.file() {
        Some(path) => app
            .console
            .note(&format!("file: {}", app.env.display(path))),
        None if app.global.sandbox => app.console.note("the sandbox reads no configuration file"),
        None => app
            .console
            .note("there is no configuration file; `config init` writes one"),
    }
    if let Some(profile) = app.settings.profile() {
        app.console.note(&format!("profile: {profile}"));
    }
    Ok(Exit::Success)
}

fn set(app: &App, args: ConfigSet) -> Result<Exit, Error> {
    refuse_sandbox(app)?;
    let path = settings::discovery(&app.global).target(&app.env)?;
    let value = match args.value.as_str() {
        "-" => app.console.read_line()?.unwrap_or_default(),
        _ => args.value,
    };
    if args.key == CLIENT_SECRET {
        app.console.hide(&SecretString::from(value.clone()));
    }
    let profile = settings::profile(&app.env, &app.global);
    SCHEMA.set(&app.env, &path, profile, &args.key, &value)?;
    let shown = app.env.display(&path);
    match profile {
        Some(profile) => {
            app.console
                .status(&format!("set {} of profile {profile} in {shown}", args.key));
        }
        None => app.console.status(&format!("set {} in {shown}", args.key)),
    }
    Ok(Exit::Success)
}

fn refuse_sandbox(app: &App) -> Result<(), Error> {
    if app.global.sandbox {
        return Err(Error::user(
            "the sandbox has no configuration file to write",
        ));
    }
    Ok(())
}

/// Token, identity, and one cheap read.
fn test(app: &App) -> Result<Exit, Error> {
    let face = app.connect()?;
    let who = call!(&face, Work::Read, |client| client.whoami())?;
    let tenants = if who.is_tenant() {
        let mut pages = list!(&face, &None, |client| client
            .endpoint()
            .list()
            .page_size(1)
            .raw())
        .pages();
        pages.next().transpose()?;
        1
    } else {
        let mut pages = list!(&face, &None, |client| client
            .tenants()
            .list()
            .page_size(1)
            .with_totals()
            .raw())
        .pages();
        let page = pages.next().transpose()?;
        let info = page.as_ref().and_then(|page| page.info.as_ref());
        info.and_then(|info| info.total_items).unwrap_or_default()
    };
    let kind = who.id_type.as_ref().map_or("unknown", |kind| kind.as_str());
    let answer = object(&[
        ("kind", kind.into()),
        ("id", who.id.as_str().into()),
        ("globalHost", who.global_host().into()),
        ("dataRegionHost", who.data_region_host().into()),
        ("tenants", tenants.into()),
    ])?;
    app.output()?.object(&render::CHECK, &answer)?;
    app.console.status("the credential works");
    Ok(Exit::Success)
}
