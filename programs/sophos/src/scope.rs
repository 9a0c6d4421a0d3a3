//! Which tenants a command is about.

use clikit::{Error, suggest};
use serde::Deserialize as _;
use sophos_central::{
    TenantId,
    tenants::{Target, Tenant},
};

use crate::{
    app::App,
    face::{Face, Work, call, list},
    settings,
};

/// What `--tenant`, `--all-tenants`, `--region` and `api.tenant_id` come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tenants {
    /// One: chosen on the command line, or else the credential's own or the configured one.
    One(Option<TenantId>),
    /// Several: chosen by a pattern, by several options, or all.
    Many(Vec<Target>),
}

/// Finds the tenants of a command that may work on several.
///
/// # Errors
///
/// With the class user where the command line names no tenant and one is needed, or names one that
/// does not exist.
pub(crate) fn tenants(app: &App, face: &Face) -> Result<Tenants, Error> {
    let who = call!(face, Work::Read, |client| client.whoami())?;
    let wanted = &app.scope.tenants;
    if who.is_tenant() {
        return own_tenant(&who.id, wanted);
    }
    if !who.has_tenants() {
        // A kind of account that this version does not know: the client says so.
        return Ok(Tenants::One(None));
    }
    if wanted.is_empty() && !app.scope.all_tenants {
        if app.settings.text(settings::TENANT_ID).is_some() {
            return Ok(Tenants::One(None));
        }
        return Err(Error::user(
            "the credential belongs to a partner or an organization, so the command needs a tenant",
        )
        .with_hint("add --tenant ID, --tenant NAME or --all-tenants, or set api.tenant_id"));
    }
    if let [id] = wanted.as_slice()
        && TenantId::from(id.as_str()).is_uuid()
    {
        return Ok(Tenants::One(Some(id.as_str().into())));
    }
    let mut all = known(face)?;
    if let Some(region) = settings::region_filter(&app.settings) {
        all.retain(|known| known.target.is_in(region));
    }
    if app.scope.all_tenants {
        return Ok(Tenants::Many(
            all.into_iter().map(|known| known.target).collect(),
        ));
    }
    let mut chosen = choose(&all, wanted)?;
    let one = wanted.len() == 1 && !wanted.iter().any(|name| is_pattern(name));
    match (one, chosen.pop()) {
        (true, Some(target)) if chosen.is_empty() => {
            face.remember(&target);
            Ok(Tenants::One(Some(target.id)))
        }
        (_, last) => {
            chosen.extend(last);
            Ok(Tenants::Many(chosen))
        }
    }
}

/// A tenant with both of its names.
#[derive(Debug, Clone)]
struct Known {
    target: Target,
    names: Vec<String>,
}

impl Known {
    fn fits(&self, wanted: &str) -> bool {
        TenantId::from(wanted) == self.target.id
            || self.names.iter().any(|name| matches(wanted, name))
    }
}

/// Every tenant that the credential reaches.
fn known(face: &Face) -> Result<Vec<Known>, Error> {
    let mut all = Vec::new();
    for page in list!(face, &None, |client| client.tenants().list().raw()).pages() {
        for item in page?.items {
            let tenant = Tenant::deserialize(&*item).map_err(|error| {
                Error::api("a tenant in the list could not be read").with_source(error)
            })?;
            all.push(Known {
                target: Target::from(&tenant),
                names: [tenant.show_as, tenant.name]
                    .into_iter()
                    .flatten()
                    .collect(),
            });
        }
    }
    Ok(all)
}

/// Finds the tenant of a command that works on one.
pub(crate) fn tenant(app: &App, face: &Face) -> Result<Option<TenantId>, Error> {
    // Without any choice nothing needs to be asked: the client finds out itself, and says what is
    // missing.
    if app.scope.tenants.is_empty()
        && !app.scope.all_tenants
        && app.settings.text(settings::TENANT_ID).is_some()
    {
        return Ok(None);
    }
    match tenants(app, face)? {
        Tenants::One(id) => Ok(id),
        Tenants::Many(targets) => match targets.as_slice() {
            [target] => {
                face.remember(target);
                Ok(Some(target.id.clone()))
            }
            targets => Err(Error::user(format!(
                "the command works on one tenant, and {} were chosen",
                targets.len()
            ))
            .with_hint("name one with --tenant ID")),
        },
    }
}

fn own_tenant(own: &str, wanted: &[String]) -> Result<Tenants, Error> {
    match wanted
        .iter()
        .find(|id| TenantId::from(id.as_str()) != TenantId::from(own))
    {
        None => Ok(Tenants::One(None)),
        Some(other) => Err(Error::config(format!(
            "the credential belongs to tenant {own} and cannot be used for tenant {other}"
        ))
        .with_hint("leave --tenant out, or use the credential of a partner or an organization")),
    }
}

/// Picks the tenants that are named, in the order of the list.
fn choose(all: &[Known], wanted: &[String]) -> Result<Vec<Target>, Error> {
    for name in wanted {
        let found: Vec<&Known> = all.iter().filter(|known| known.fits(name)).collect();
        if found.is_empty() {
            let names = all
                .iter()
                .flat_map(|known| &known.names)
                .map(String::as_str);
            let error = Error::user(format!("no tenant is called `{name}`"));
            return Err(match suggest(name, names) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error.with_hint("`tenants list` shows them all"),
            });
        }
        if found.len() > 1 && !is_pattern(name) {
            let ids: Vec<&str> = found.iter().map(|known| known.target.id.as_str()).collect();
            return Err(
                Error::user(format!("{} tenants are called `{name}`", ids.len()))
                    .with_hint(format!("choose by id: {}", ids.join(", "))),
            );
        }
    }
    let chosen = all
        .iter()
        .filter(|known| wanted.iter().any(|name| known.fits(name)));
    Ok(chosen.map(|known| known.target.clone()).collect())
}

pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Compares a name with a pattern of `*` and `?`, whole and without regard to case.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let name: Vec<char> = name.to_lowercase().chars().collect();
    // Where to go on when a later part does not fit: behind the last `*`, one character further.
    let mut retry: Option<(usize, usize)> = None;
    let (mut p, mut n) = (0, 0);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(letter) if *letter == '?' || Some(letter) == name.get(n) => {
                p += 1;
                n += 1;
            }
            _ => match &mut retry {
                Some((after, from)) => {
                    *from += 1;
                    (p, n) = (*after, *from);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names_in_any_case() {
        for (pattern, name) in [
            ("*", ""),
            ("acme*", "ACME Ltd"),
            ("*ltd", "Acme Ltd"),
            ("a?me ltd", "Acme Ltd"),
            ("*a*b*c", "xxaxxbxxbc"),
            ("müller*", "MÜLLER Optik"),
            ("Acme Ltd", "acme ltd"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "a"),
            ("acme", "acme ltd"),
            ("?", ""),
            ("*b", "abc"),
            ("a*", "ba"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_tenant_credential_is_for_its_own_tenant_only() {
        let own = "7D1E2C34-9A0B-4C5D-8E6F-102938475601";
        assert_eq!(
            own_tenant(own, &[own.to_lowercase()]).unwrap(),
            Tenants::One(None)
        );
        assert_eq!(own_tenant(own, &[]).unwrap(), Tenants::One(None));
        let error = own_tenant(own, &["other".to_owned()]).unwrap_err();
        assert_eq!(error.exit().code(), 1);
    }
}
