//! A4: the same script of replies gives the same requests, results and errors on both faces.

use std::path::Path;

use reqivo::{Error, Method};
use testkit::{Reply, Server, Watchdog};

/// What a caller sees of an exchange. The port differs from server to server and is taken out.
fn shown(result: Result<(u16, String, bytes::Bytes, bool), Error>, server: &Server) -> String {
    match result {
        Ok((status, headers, body, reused)) => format!("{status} {headers} {body:?} {reused}"),
        Err(error) => format!(
            "{error} {:?} {:?} {:?} {} {}",
            error.kind(),
            error.phase(),
            error.violation(),
            error.may_have_been_processed(),
            error.is_safe_to_retry()
        )
        .replace(&server.addr().to_string(), "SERVER"),
    }
}

/// Sends a request and reads the reply; the faces differ only in whether they await.
macro_rules! exchange {
    ($session:expr, $method:expr, $url:expr, $body:expr $(, $await:tt)?) => {{
        let mut request = $session.request($method, $url).header("X-A", "1").bearer_auth("t");
        if let Some(body) = $body {
            request = request.body(body);
        }
        let mut response = request.send()$(.$await)??;
        let body = response.bytes()$(.$await)??;
        let headers = format!("{:?} {:?}", response.headers(), response.trailers());
        let kept = $session.pool_stats().idle == 1;
        Ok((response.status().as_u16(), headers, body, kept))
    }};
}

fn replies() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/reply");
    let mut replies: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    replies.sort();
    replies
}

#[test]
fn a4_every_reply_of_the_corpus_comes_to_the_same_on_both_faces() {
    let _watchdog = Watchdog::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for (name, reply) in replies() {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            let body = (method == Method::POST).then_some("body");
            let server = || {
                let reply = reply.clone();
                Server::start(move |_| Reply::raw(reply.clone()).close())
            };
            let (first, second) = (server(), server());
            let session = reqivo::Session::new();
            let result = runtime.block_on(async {
                exchange!(session, method.clone(), first.url("/"), body, await)
            });
            let from_async = shown(result, &first);
            let session = reqivo::blocking::Session::new();
            let result = (|| exchange!(session, method.clone(), second.url("/"), body))();
            let from_blocking = shown(result, &second);
            assert_eq!(from_async, from_blocking, "{name} {method}");

            let sent = |server: &Server| {
                let requests = server.requests();
                let heads = requests
                    .iter()
                    .map(|it| String::from_utf8_lossy(&it.head).into_owned());
                let all = heads.zip(requests.iter().map(|it| it.body.clone()));
                all.map(|(head, body)| (head.replace(&server.addr().to_string(), "SERVER"), body))
                    .collect::<Vec<_>>()
            };
            assert_eq!(sent(&first), sent(&second), "{name} {method}");
            assert_eq!(
                sent(&first).len(),
                1,
                "{name} {method}: a malformed reply is not asked for again"
            );
        }
    }
}
