//! The one table of what can be called: path, host, whether it may be repeated, how it pages.

use std::borrow::Cow;

use http::Method;
use restkit::{Idempotency, Request};

/// One operation of the service.
#[derive(Debug)]
pub(crate) struct Route {
    /// What the call does, as errors name it.
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    /// The path; segments in braces are filled in.
    pub(crate) path: &'static str,
    pub(crate) host: Host,
    pub(crate) repeat: Idempotency,
    pub(crate) pages: Pages,
}

/// Which host an operation belongs to, and with that, which scope header it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// The global host, without a scope header.
    Global,
    /// The global host, for the partner or the organization of the credential.
    Account,
    /// The host of a tenant's data.
    Tenant,
}

/// How a list comes in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// It is no list.
    None,
    /// Each page names the key of the next one.
    Key { max_size: u32 },
    /// Pages are numbered from 1.
    Number { max_size: u32 },
}

impl Pages {
    /// The largest page that the service is known to give.
    pub(crate) fn max_size(self) -> u32 {
        match self {
            Self::None => 1,
            Self::Key { max_size } | Self::Number { max_size } => max_size,
        }
    }
}

impl Route {
    const fn read(name: &'static str, host: Host, path: &'static str) -> Self {
        Self {
            name,
            method: Method::GET,
            path,
            host,
            repeat: Idempotency::Safe,
            pages: Pages::None,
        }
    }

    const fn list(name: &'static str, host: Host, path: &'static str, pages: Pages) -> Self {
        let mut route = Self::read(name, host, path);
        route.pages = pages;
        route
    }

    /// A call that changes something: never sent twice by itself.
    const fn write(name: &'static str, method: Method, path: &'static str) -> Self {
        Self {
            name,
            method,
            path,
            host: Host::Tenant,
            repeat: Idempotency::Once,
            pages: Pages::None,
        }
    }

    /// Starts a request. `args` fill the braces of the path in order.
    pub(crate) fn request(&self, args: &[&str]) -> Request {
        let mut args = args.iter();
        let fixed = self.path.find("/{").unwrap_or(self.path.len());
        let (start, rest) = self.path.split_at(fixed);
        let mut name = Cow::Borrowed(self.name);
        let mut request = Request::new(self.method.clone(), start);
        for segment in rest.split('/').skip(1) {
            if segment.starts_with('{') {
                // A missing argument is an empty segment, which the request refuses.
                let arg = args.next().copied().unwrap_or_default();
                name = Cow::Owned(format!("{name} {arg}"));
                request = request.segment(arg);
            } else {
                request = request.segment(segment);
            }
        }
        request.idempotency(self.repeat).operation(name)
    }
}

macro_rules! routes {
    ($( $(#[$meta:meta])* $name:ident = $route:expr; )+) => {
        $( $(#[$meta])* pub(crate) static $name: Route = $route; )+

        /// All of them.
        #[cfg(test)]
        static ROUTES: &[&Route] = &[$(&$name),+];
    };
}

routes! {
    WHOAMI = Route::read("ask who the credential belongs to", Host::Global, "/whoami/v1");

    PARTNER_TENANTS = Route::list("list tenants", Host::Account, "/partner/v1/tenants", Pages::Number { max_size: 100 });
    PARTNER_TENANT = Route::read("get tenant", Host::Account, "/partner/v1/tenants/{id}");
    ORGANIZATION_TENANTS = Route::list("list tenants", Host::Account, "/organization/v1/tenants", Pages::Number { max_size: 100 });
    ORGANIZATION_TENANT = Route::read("get tenant", Host::Account, "/organization/v1/tenants/{id}");

    ENDPOINTS = Route::list("list endpoints", Host::Tenant, "/endpoint/v1/endpoints", Pages::Key { max_size: 500 });
    ENDPOINT = Route::read("get endpoint", Host::Tenant, "/endpoint/v1/endpoints/{id}");
    ENDPOINT_ISOLATION = Route::read("get isolation of endpoint", Host::Tenant, "/endpoint/v1/endpoints/{id}/isolation");
    ENDPOINT_ISOLATE = Route::write("change isolation of endpoint", Method::PATCH, "/endpoint/v1/endpoints/{id}/isolation");
    ENDPOINT_ISOLATE_MANY = Route::write("change isolation of endpoints", Method::POST, "/endpoint/v1/endpoints/isolation");
    ENDPOINT_SCAN = Route::write("scan endpoint", Method::POST, "/endpoint/v1/endpoints/{id}/scans");
    ENDPOINT_UPDATE_CHECK = Route::write("check endpoint for updates", Method::POST, "/endpoint/v1/endpoints/{id}/update-checks");
    ENDPOINT_TAMPER = Route::read("get tamper protection of endpoint", Host::Tenant, "/endpoint/v1/endpoints/{id}/tamper-protection");
    ENDPOINT_TAMPER_UPDATE = Route::write("change tamper protection of endpoint", Method::POST, "/endpoint/v1/endpoints/{id}/tamper-protection");

    // Older services gave at most 100 alerts per page; a smaller maximum that a page reports is
    // taken over from then on.
    ALERTS = Route::list("list alerts", Host::Tenant, "/common/v1/alerts", Pages::Key { max_size: 1000 });
    ALERT = Route::read("get alert", Host::Tenant, "/common/v1/alerts/{id}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reads_may_be_repeated() {
        for route in ROUTES {
            let reads = route.method == Method::GET;
            assert_eq!(route.repeat == Idempotency::Safe, reads, "{}", route.name);
            assert_eq!(route.repeat == Idempotency::Once, !reads, "{}", route.name);
        }
    }

    #[test]
    fn routes_are_distinct_and_hosts_follow_from_the_path() {
        let mut seen = std::collections::HashSet::new();
        for route in ROUTES {
            assert!(
                seen.insert((route.method.clone(), route.path)),
                "{} twice",
                route.path
            );
            let host = match route.path.split('/').nth(1) {
                Some("whoami") => Host::Global,
                Some("partner" | "organization") => Host::Account,
                _ => Host::Tenant,
            };
            assert_eq!(route.host, host, "{}", route.path);
        }
    }

    #[test]
    fn an_id_cannot_leave_its_segment() {
        let request = ENDPOINT_ISOLATION.request(&["a/../b?c#d"]);
        assert_eq!(
            request.target(),
            "/endpoint/v1/endpoints/a%2F..%2Fb%3Fc%23d/isolation"
        );
        assert_eq!(
            request.operation_name(),
            Some("get isolation of endpoint a/../b?c#d")
        );
        let base = url::Url::parse("https://h").unwrap();
        for id in ["", ".", ".."] {
            assert!(
                ENDPOINT.request(&[id]).to_http(Some(&base)).is_err(),
                "{id:?}"
            );
        }
    }
}
