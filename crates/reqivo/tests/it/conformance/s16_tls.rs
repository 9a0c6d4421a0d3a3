//! TLS: trust, identity, versions, pins, revocation, and what its failures are called.

use std::sync::{Arc, Mutex};

use reqivo::{ErrorKind, Phase, Pin, TlsConfig, TlsProblem, TlsVersion, rustls};
use testkit::{Authority, Gate, Identity, Reply, Script, Server};

use super::super::Session;

fn serve(identity: Identity) -> Server {
    Server::builder()
        .tls(identity)
        .start(|_| Reply::ok("secret"))
}

fn trusting(authority: &Authority) -> TlsConfig {
    TlsConfig::new()
        .add_root_der(authority.der())
        .only_added_roots()
}

fn session(tls: TlsConfig) -> Session {
    Session::builder().tls(tls).build().unwrap()
}

fn pin_of(der: &[u8]) -> Pin {
    Pin::of_public_key_in(der).unwrap()
}

/// A request is refused for this reason before any of it was sent.
macro_rules! refused {
    ($session:expr, $url:expr, $problem:expr) => {{
        let session = $session;
        let error = wait!(session.get($url).send()).unwrap_err();
        assert_eq!(
            (error.kind(), error.tls_problem()),
            (ErrorKind::Tls, Some($problem)),
            "{error}"
        );
        assert!(
            error.is_tls() && !error.may_have_been_processed(),
            "{error}"
        );
        assert_eq!(error.phase(), Phase::Tls);
        assert_eq!(session.pool_stats().open, 0);
    }};
}

macro_rules! accepted {
    ($session:expr, $url:expr) => {{
        let mut response = wait!($session.get($url).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "secret");
        response
    }};
}

scenarios! {
    /// 16 KEEP: TLS 1.2 is the minimum, hosts are checked and named, http/1.1 is offered; and what was agreed on shows.
    fn s16_what_was_negotiated_shows_on_the_response() {
        let authority = Authority::new();
        for (identity, version, suite) in [
            (authority.good().only_tls12(), TlsVersion::Tls12, "TLS_ECDHE_ECDSA_WITH_"),
            (authority.good().only_tls13(), TlsVersion::Tls13, "TLS_AES_"),
        ] {
            let certificate = identity.der().to_vec();
            let server = serve(identity.alpn(["h2", "http/1.1"]));
            let response = accepted!(session(trusting(&authority)), server.localhost_url("/"));
            let tls = response.tls().unwrap();
            assert_eq!(tls.version(), version);
            assert!(tls.cipher_suite().starts_with(suite), "{}", tls.cipher_suite());
            assert_eq!(tls.alpn(), Some(&b"http/1.1"[..]));
            assert!(!tls.is_resumed());
            assert_eq!(tls.peer_certificates().collect::<Vec<_>>(), [certificate.as_slice()]);
            let record = &server.records()[0];
            assert_eq!(record.server_name.as_deref(), Some("localhost"));
            assert_eq!(record.alpn.as_deref(), Some(&b"http/1.1"[..]));
        }
        let plain = Server::start(|_| Reply::ok("secret"));
        assert!(accepted!(Session::new(), plain.url("/")).tls().is_none());
    }

    /// 16: untrusted, expired, not yet valid and wrong host are told apart.
    fn s16_failures_of_certificates_are_told_apart() {
        let authority = Authority::new();
        for (identity, problem) in [
            (Identity::self_signed(), TlsProblem::Untrusted),
            (Identity::self_signed_authority(), TlsProblem::Untrusted),
            (Authority::new().good(), TlsProblem::Untrusted),
            (authority.expired(), TlsProblem::Expired),
            (authority.not_yet_valid(), TlsProblem::NotYetValid),
            (authority.wrong_host(), TlsProblem::WrongHost),
        ] {
            let server = serve(identity);
            refused!(session(trusting(&authority)), server.url("/"), problem);
            assert!(server.requests().is_empty());
        }
    }

    /// 16: roots can be added to those of the system, or replace them.
    fn s16_roots_are_added_or_replaced() {
        let authority = Authority::new();
        let server = serve(authority.good());
        for tls in [
            TlsConfig::new().add_roots_pem(authority.pem()).unwrap(),
            TlsConfig::new().add_roots_pem(authority.pem()).unwrap().only_added_roots(),
            TlsConfig::new().add_root_der(authority.der()),
        ] {
            accepted!(session(tls), server.url("/"));
        }
        refused!(Session::new(), server.url("/"), TlsProblem::Untrusted);
        let via_intermediate = serve(authority.intermediate().good());
        accepted!(session(trusting(&authority)), via_intermediate.url("/"));
        for text in ["", "no pem", "-----BEGIN CERTIFICATE-----\nAA\n"] {
            assert!(TlsConfig::new().add_roots_pem(text).unwrap_err().is_builder());
        }
        let none = Session::builder().tls(TlsConfig::new().only_added_roots()).build();
        assert!(none.unwrap_err().is_builder());
    }

    /// 16: Mozilla's roots are there by a feature and trust no private authority.
    #[cfg(feature = "webpki-roots")]
    fn s16_bundled_roots_can_replace_those_of_the_system() {
        let authority = Authority::new();
        let server = serve(authority.good());
        refused!(session(TlsConfig::new().bundled_roots()), server.url("/"), TlsProblem::Untrusted);
        let tls = TlsConfig::new().bundled_roots().add_root_der(authority.der());
        accepted!(session(tls), server.url("/"));
    }

    /// 16: only the oldest and newest version that are permitted are spoken.
    fn s16_versions_can_be_limited() {
        let authority = Authority::new();
        let old = serve(authority.good().only_tls12());
        let new = serve(authority.good().only_tls13());
        let min = || trusting(&authority).min_version(TlsVersion::Tls13);
        let max = || trusting(&authority).max_version(TlsVersion::Tls12);
        refused!(session(min()), old.url("/"), TlsProblem::Version);
        accepted!(session(min()), new.url("/"));
        refused!(session(max()), new.url("/"), TlsProblem::Version);
        accepted!(session(max()), old.url("/"));
        let none = min().max_version(TlsVersion::Tls12);
        assert!(Session::builder().tls(none).build().unwrap_err().is_builder());
    }

    /// 16: a client certificate is shown to servers that ask, with its key in any of the usual forms.
    fn s16_client_certificates() {
        let authority = Authority::new();
        let curve = authority.client("curve");
        let rsa = authority.rsa_client("rsa");
        let pem = |identity: &Identity| {
            trusting(&authority).client_certificate_pem(identity.pem(), identity.key_pem()).unwrap()
        };
        let both = format!("{}{}", curve.key_pem(), curve.pem());
        let der = |identity: &Identity, key: &[u8]| {
            trusting(&authority).client_certificate_der([identity.der()], key).unwrap()
        };
        for (tls, identity) in [
            (pem(&curve), &curve),
            (pem(&rsa), &rsa),
            (trusting(&authority).client_certificate_pem(&both, &both).unwrap(), &curve),
            (der(&curve, curve.key_der()), &curve),
            (der(&curve, curve.traditional_key_der()), &curve),
            (der(&rsa, rsa.traditional_key_der()), &rsa),
        ] {
            let server = serve(authority.good().require_client(&authority));
            accepted!(session(tls), server.url("/"));
            assert_eq!(server.records()[0].client_certificate.as_deref(), Some(identity.der()));
        }
        // A server that does not ask is not shown it.
        let server = serve(authority.good());
        accepted!(session(pem(&curve)), server.url("/"));
        assert_eq!(server.records()[0].client_certificate, None);
    }

    /// 16: what cannot be a client certificate is refused when it is set, and does not show its key.
    fn s16_malformed_client_certificates_are_refused() {
        let authority = Authority::new();
        let (one, other) = (authority.client("one"), authority.client("other"));
        for (chain, key) in [
            (one.pem(), other.key_pem()),
            ("", one.key_pem()),
            (one.pem(), ""),
            (one.pem(), one.pem()),
            (one.key_pem(), one.key_pem()),
        ] {
            let error = TlsConfig::new().client_certificate_pem(chain, key).unwrap_err();
            assert!(error.is_builder(), "{error}");
        }
        assert!(TlsConfig::new().client_certificate_der([one.der()], [1, 2, 3]).unwrap_err().is_builder());
        let tls = TlsConfig::new().client_certificate_pem(one.pem(), one.key_pem()).unwrap();
        let shown = format!("{tls:?}");
        assert!(shown.contains("client_certificate: true") && shown.len() < 600, "{shown}");
    }

    /// 16: an alert of the server has a name of its own, also when it comes late, as in TLS 1.3.
    fn s16_a_missing_client_certificate_is_an_alert() {
        let authority = Authority::new();
        for identity in [authority.good().only_tls12(), authority.good().only_tls13()] {
            let server = serve(identity.require_client(&authority));
            let session = session(trusting(&authority));
            let error = wait!(session.get(server.url("/")).send()).unwrap_err();
            assert_eq!((error.kind(), error.tls_problem()), (ErrorKind::Tls, Some(TlsProblem::Alert)), "{error}");
            assert!(server.requests().is_empty());
            assert_eq!(session.pool_stats().open, 0);
        }
    }

    /// 16: an alert is not taken for anything else.
    fn s16_alerts() {
        let authority = Authority::new();
        let server = serve(authority.good().alpn(["h2"]));
        refused!(session(trusting(&authority)), server.url("/"), TlsProblem::Alert);
        // Without an offer there is nothing to disagree on.
        let none = trusting(&authority).alpn(Vec::<Vec<u8>>::new());
        let response = accepted!(session(none), server.url("/"));
        assert_eq!(response.tls().unwrap().alpn(), None);
        let offered = trusting(&authority).alpn(["h2", "http/1.1"]);
        assert!(Session::builder().tls(offered).build().unwrap_err().is_builder());
    }

    /// 16: pins by SHA-256 of the key or of the certificate; one of several is enough, and hosts may have their own.
    fn s16_pins() {
        let authority = Authority::new();
        let identity = authority.good();
        let (key, other) = (pin_of(identity.der()), pin_of(Authority::new().good().der()));
        let certificate = {
            use sha2::Digest;
            Pin::certificate(sha2::Sha256::digest(identity.der()).into())
        };
        let server = serve(identity);
        let tls = || trusting(&authority);
        for tls in [
            tls().pin(key),
            tls().pin(other).pin(key),
            tls().pin(certificate),
            tls().pin_host("127.0.0.1", key).pin(other),
            tls().pin_host("localhost", other),
        ] {
            accepted!(session(tls), server.url("/"));
        }
        for tls in [
            tls().pin(other),
            tls().pin_host("127.0.0.1", other).pin(key),
            tls().pin_host("127.0.0.1", other).pin_host("localhost", key),
        ] {
            refused!(session(tls), server.url("/"), TlsProblem::PinMismatch);
        }
        accepted!(session(tls().pin_host("LOCALHOST", key)), server.localhost_url("/"));
        refused!(session(tls().pin_host("LOCALHOST", other)), server.localhost_url("/"), TlsProblem::PinMismatch);
        // A pin adds to the other checks.
        let untrusted = Authority::new().good();
        let pin = pin_of(untrusted.der());
        refused!(session(tls().pin(pin)), serve(untrusted).url("/"), TlsProblem::Untrusted);
    }

    /// 16: the pin of an authority counts for those it vouches for, and not for who merely sends its certificate.
    fn s16_pins_of_authorities() {
        let authority = Authority::new();
        let intermediate = authority.intermediate();
        let tls = || trusting(&authority).pin(pin_of(intermediate.der()));
        let server = serve(intermediate.good());
        accepted!(session(tls()), server.url("/"));
        let impostor = serve(authority.good().also_sending(intermediate.der()));
        refused!(session(tls()), impostor.url("/"), TlsProblem::PinMismatch);
        refused!(session(tls()), serve(authority.good()).url("/"), TlsProblem::PinMismatch);
    }

    /// 16: revoked has a name of its own; a list must cover the certificate and be up to date unless that is lifted.
    fn s16_revocation() {
        let authority = Authority::new();
        let (good, revoked) = (authority.good(), authority.good());
        let list = authority.crl(&[&revoked]);
        let outdated = authority.outdated_crl(&[]);
        let other = authority.intermediate().crl(&[]);
        let (good, revoked) = (serve(good), serve(revoked));
        let with = |list: &str| trusting(&authority).add_crls_pem(list).unwrap();
        let forged = Authority::new().crl(&[]);
        accepted!(session(with(&list)), good.url("/"));
        refused!(session(with(&forged)), good.url("/"), TlsProblem::RevocationUnknown);
        refused!(session(with(&list)), revoked.url("/"), TlsProblem::Revoked);
        refused!(session(with(&other)), good.url("/"), TlsProblem::RevocationUnknown);
        refused!(session(with(&outdated)), good.url("/"), TlsProblem::RevocationUnknown);
        for list in [&other, &outdated] {
            accepted!(session(with(list).allow_unknown_revocation_status()), good.url("/"));
        }
        // With the roots of the system too.
        let tls = TlsConfig::new().add_root_der(authority.der()).add_crls_pem(&list).unwrap();
        refused!(session(tls.clone()), revoked.url("/"), TlsProblem::Revoked);
        accepted!(session(tls), good.url("/"));
        for text in ["", "-----BEGIN X509 CRL-----\n!\n-----END X509 CRL-----\n"] {
            assert!(TlsConfig::new().add_crls_pem(text).unwrap_err().is_builder());
        }
        let error = wait!(session(trusting(&authority).add_crl_der([1, 2])).get(good.url("/")).send()).unwrap_err();
        assert!(error.is_tls(), "{error}");
    }

    /// 16: verification goes off by a dangerous name only; pins stay.
    fn s16_verification_can_be_turned_off() {
        let authority = Authority::new();
        for identity in [Identity::self_signed(), authority.expired(), authority.wrong_host()] {
            let (pin, server) = (pin_of(identity.der()), serve(identity));
            let tls = TlsConfig::new().dangerous_accept_invalid_certs();
            accepted!(session(tls.clone()), server.url("/"));
            accepted!(session(tls.clone().pin(pin)), server.url("/"));
            refused!(session(tls.pin(pin_of(authority.der()))), server.url("/"), TlsProblem::PinMismatch);
        }
        let tls = trusting(&authority).dangerous_accept_invalid_hostnames();
        accepted!(session(tls.clone()), serve(authority.wrong_host()).url("/"));
        refused!(session(tls.clone()), serve(authority.expired()).url("/"), TlsProblem::Expired);
        refused!(session(tls), serve(Identity::self_signed()).url("/"), TlsProblem::Untrusted);
        let system = TlsConfig::new().add_root_der(authority.der()).dangerous_accept_invalid_hostnames();
        accepted!(session(system), serve(authority.wrong_host()).url("/"));
    }

    /// 16: the name of the host may be kept from the network, or be another one than that of the URL.
    fn s16_server_names() {
        let authority = Authority::new();
        let server = serve(authority.good());
        accepted!(session(trusting(&authority).without_sni()), server.localhost_url("/"));
        assert_eq!(server.records()[0].server_name, None);
        let server = serve(authority.for_hosts(&["device.example"]));
        refused!(session(trusting(&authority)), server.localhost_url("/"), TlsProblem::WrongHost);
        for (host, url) in [("LocalHost", server.localhost_url("/")), ("127.0.0.1", server.url("/"))] {
            let tls = trusting(&authority).server_name(host, "Device.Example");
            accepted!(session(tls), &url);
            let records = server.records();
            let record = records.last().unwrap();
            assert_eq!(record.server_name.as_deref(), Some("device.example"));
            let host = server.requests().last().unwrap().header("host").unwrap().to_owned();
            assert!(url.contains(&host), "{host}");
        }
        let tls = trusting(&authority).server_name("localhost", "no name");
        assert!(Session::builder().tls(tls).build().unwrap_err().is_builder());
    }

    /// 16: sessions of TLS are resumed, unless that is switched off.
    fn s16_resumption() {
        let authority = Authority::new();
        for identity in [authority.good().only_tls12(), authority.good().only_tls13()] {
            let server = serve(identity);
            let keeping = session(trusting(&authority));
            for resumed in [false, true, true] {
                let response = accepted!(keeping, server.localhost_url("/"));
                assert_eq!(response.tls().unwrap().is_resumed(), resumed);
                assert_eq!(response.tls().unwrap().peer_certificates().len(), 1);
                assert_eq!(server.records().last().unwrap().resumed, resumed);
                keeping.close_idle();
            }
            let forgetting = session(trusting(&authority).without_resumption());
            for _ in 0..2 {
                let response = accepted!(forgetting, server.localhost_url("/"));
                assert!(!response.tls().unwrap().is_resumed());
                forgetting.close_idle();
            }
        }
    }

    /// 16: secrets of connections are logged where that is asked for, and nowhere else.
    fn s16_key_log() {
        let authority = Authority::new();
        let server = serve(authority.good().only_tls13());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&lines);
        let tls = trusting(&authority).key_log(move |line| seen.lock().unwrap().push(line.to_owned()));
        accepted!(session(tls), server.url("/"));
        let lines = lines.lock().unwrap().clone();
        let fields: Vec<&str> = lines[0].split(' ').collect();
        assert!(fields[0].ends_with("_SECRET") && fields.len() == 3 && fields[1].len() == 64, "{fields:?}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        for _ in 0..2 {
            let tls = trusting(&authority).key_log_file(&path).unwrap();
            accepted!(session(tls), server.url("/"));
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().filter(|line| line.starts_with("CLIENT_TRAFFIC_SECRET_0 ")).count(), 2, "{text}");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        let nowhere = folder.path().join("no").join("keys");
        assert!(trusting(&authority).key_log_file(nowhere).unwrap_err().is_builder());
    }

    /// 16: a configuration of the caller is used as it is.
    fn s16_a_configuration_of_the_callers() {
        let authority = Authority::new();
        let server = serve(authority.good().alpn(["h2", "http/1.1"]));
        let config = |protocols: &[&str]| {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let mut roots = rustls::RootCertStore::empty();
            roots.add(authority.der().to_vec().into()).unwrap();
            let mut config = rustls::ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[&rustls::version::TLS12])
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
            config
        };
        let response = accepted!(session(TlsConfig::from_rustls(config(&["http/1.1"]))), server.url("/"));
        assert_eq!(response.tls().unwrap().version(), TlsVersion::Tls12);
        let renamed = TlsConfig::from_rustls(config(&[])).server_name("127.0.0.1", "localhost");
        accepted!(session(renamed), server.url("/"));
        assert_eq!(server.records()[1].server_name.as_deref(), Some("localhost"));
        for tls in [
            TlsConfig::from_rustls(config(&["h2"])),
            TlsConfig::from_rustls(config(&[])).without_sni(),
            TlsConfig::from_rustls(config(&[])).add_root_der(authority.der()),
        ] {
            assert!(Session::builder().tls(tls).build().unwrap_err().is_builder());
        }
    }

    /// 16: a peer that does not speak TLS, or goes away, is a TLS error of no particular kind.
    fn s16_a_peer_without_tls() {
        let authority = Authority::new();
        let plain = Server::builder().tolerate_malformed().start(|_| Reply::ok("plain"));
        let url = plain.url("/").replace("http:", "https:");
        refused!(session(trusting(&authority)), url, TlsProblem::Other);
        let gone = Server::builder().on_connect(|_| Some(Script::new().close())).start(|_| Reply::ok(""));
        let url = gone.url("/").replace("http:", "https:");
        refused!(session(trusting(&authority)), url, TlsProblem::Other);
    }

    /// 16, T1: a handshake that fails or stalls closes its socket.
    fn s16_a_failed_handshake_closes_the_socket() {
        let authority = Authority::new();
        let server = serve(authority.expired());
        refused!(session(trusting(&authority)), server.url("/"), TlsProblem::Expired);
        server.wait_until_idle();
        let gate = Gate::new();
        let held = gate.clone();
        let silent = Server::builder()
            .on_connect(move |_| Some(Script::new().wait(&held).close()))
            .start(|_| Reply::ok(""));
        let url = silent.url("/").replace("http:", "https:");
        let limit = reqivo::Timeouts::none().tls(std::time::Duration::from_millis(100));
        let session = session(trusting(&authority));
        let error = wait!(session.get(url).timeout(limit).send()).unwrap_err();
        assert_eq!((error.phase(), error.time_limit()), (Phase::Tls, Some(reqivo::TimeLimit::Tls)));
        assert_eq!(session.pool_stats().open, 0);
        gate.open();
    }
}
