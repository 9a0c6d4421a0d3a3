//! The same exchanges through every HTTP client.

mod blocking;
mod futures;
pub mod python;

use std::net::SocketAddr;

use bytes::Bytes;

use crate::server::{LARGE, SMALL};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// One GET after the other, 1 KiB.
    Get,
    /// The same from 64 tasks or threads.
    Get64,
    /// One POST after the other, 200 bytes of JSON.
    Post,
    /// 64 MiB, looked at piece by piece.
    DownloadStreamed,
    /// 64 MiB into memory.
    DownloadCollected,
    /// 64 MiB from memory.
    UploadBytes,
    /// 64 MiB from a stream of 64 KiB pieces.
    UploadStream,
    /// A new client and its first GET, 1 KiB.
    ColdStart,
    /// The same in a new process.
    NewProcess,
}

impl Row {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Get,
        Self::Get64,
        Self::Post,
        Self::DownloadStreamed,
        Self::DownloadCollected,
        Self::UploadBytes,
        Self::UploadStream,
        Self::ColdStart,
        Self::NewProcess,
    ];

    /// The word for the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Get64 => "get64",
            Self::Post => "post",
            Self::DownloadStreamed => "download-streamed",
            Self::DownloadCollected => "download-collected",
            Self::UploadBytes => "upload-bytes",
            Self::UploadStream => "upload-stream",
            Self::ColdStart => "cold",
            Self::NewProcess => "process",
        }
    }

    /// The heading in the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Get => "sequential GET, 1 KiB",
            Self::Get64 => "64-way GET, 1 KiB, all cores",
            Self::Post => "sequential POST, 200 bytes of JSON",
            Self::DownloadStreamed => "download of 64 MiB, streamed",
            Self::DownloadCollected => "download of 64 MiB, collected",
            Self::UploadBytes => "upload of 64 MiB from memory",
            Self::UploadStream => "upload of 64 MiB from a stream",
            Self::ColdStart => "new client and first GET",
            Self::NewProcess => "new process, new client and first GET",
        }
    }

    /// How many calls make a round.
    pub fn calls(self) -> usize {
        match self {
            Self::Get | Self::Post => 2000,
            Self::Get64 => 64 * 100,
            Self::DownloadStreamed | Self::DownloadCollected => 1,
            Self::UploadBytes | Self::UploadStream => 1,
            // Each leaves a port behind that the system keeps for a minute.
            Self::ColdStart => 20,
            Self::NewProcess => 2,
        }
    }

    /// Whether client and server share one core.
    pub fn is_pinned(self) -> bool {
        self != Self::Get64
    }

    /// How many calls come before anything is counted.
    pub fn warm_up(self) -> usize {
        match self {
            Self::Get64 => WAYS,
            row => row.calls().min(10),
        }
    }

    /// The row of this name.
    pub fn named(word: &str) -> anyhow::Result<Self> {
        let row = Self::ALL.into_iter().find(|row| row.word() == word);
        row.ok_or_else(|| anyhow::anyhow!("no such row: {word}"))
    }

    /// Which rows were asked for; all when none was.
    pub fn chosen(words: &[String]) -> anyhow::Result<Vec<Self>> {
        match words {
            [] => Ok(Self::ALL.to_vec()),
            words => words.iter().map(|word| Self::named(word)).collect(),
        }
    }
}

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// A bare blocking socket.
    StdSocket,
    /// A bare tokio socket, root of a current-thread runtime.
    TokioSocket,
    /// A connection of hyper with its task, root of a current-thread runtime.
    Hyper,
    /// Root of a current-thread runtime.
    Reqivo,
    /// A task of a multi-thread runtime.
    ReqivoSpawned,
    /// The blocking face.
    ReqivoBlocking,
    /// Root of a current-thread runtime.
    Reqwest,
    /// A task of a multi-thread runtime.
    ReqwestSpawned,
    /// `reqwest::blocking`.
    ReqwestBlocking,
    /// Blocking by nature.
    Ureq,
}

impl Client {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::TokioSocket,
        Self::Reqivo,
        Self::ReqivoSpawned,
        Self::Hyper,
        Self::Reqwest,
        Self::ReqwestSpawned,
        Self::StdSocket,
        Self::ReqivoBlocking,
        Self::Ureq,
        Self::ReqwestBlocking,
    ];

    /// The word for the command line and the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::StdSocket => "std-socket",
            Self::TokioSocket => "tokio-socket",
            Self::Hyper => "hyper",
            Self::Reqivo => "reqivo",
            Self::ReqivoSpawned => "reqivo-spawned",
            Self::ReqivoBlocking => "reqivo-blocking",
            Self::Reqwest => "reqwest",
            Self::ReqwestSpawned => "reqwest-spawned",
            Self::ReqwestBlocking => "reqwest-blocking",
            Self::Ureq => "ureq",
        }
    }

    /// The client of this name.
    pub fn named(word: &str) -> anyhow::Result<Self> {
        let client = Self::ALL.into_iter().find(|client| client.word() == word);
        client.ok_or_else(|| anyhow::anyhow!("no such client: {word}"))
    }

    /// Prepares this client for a row; `None` when it does not apply. Nothing is connected before the first run.
    pub fn prepare(self, row: Row, urls: &Urls) -> anyhow::Result<Option<Run>> {
        use self::{blocking as sync, futures as unsync};
        if row == Row::NewProcess {
            return Ok(Some(new_process(self, urls)?));
        }
        Ok(match self {
            Self::StdSocket => sync::prepare::<sync::Socket>(row, urls),
            Self::ReqivoBlocking => sync::prepare::<reqivo::blocking::Session>(row, urls),
            Self::ReqwestBlocking => sync::prepare::<reqwest::blocking::Client>(row, urls),
            Self::Ureq => sync::prepare::<ureq::Agent>(row, urls),
            Self::TokioSocket => unsync::prepare::<unsync::Socket>(row, urls, false)?,
            Self::Hyper => unsync::prepare::<unsync::Connection>(row, urls, false)?,
            Self::Reqivo => unsync::prepare::<reqivo::Session>(row, urls, false)?,
            Self::ReqivoSpawned => unsync::prepare::<reqivo::Session>(row, urls, true)?,
            Self::Reqwest => unsync::prepare::<reqwest::Client>(row, urls, false)?,
            Self::ReqwestSpawned => unsync::prepare::<reqwest::Client>(row, urls, true)?,
        })
    }
}

/// Performs so many calls.
pub type Run = Box<dyn FnMut(usize)>;

/// Where the server is.
#[derive(Clone, Debug)]
pub struct Urls {
    /// Host and port.
    pub authority: String,
    items: String,
    large: String,
    sink: String,
    json: Bytes,
    bulk: Bytes,
}

impl Urls {
    /// What all rows need.
    pub fn of(address: SocketAddr) -> Self {
        Self {
            bulk: Bytes::from(vec![b'y'; LARGE]),
            ..Self::small(address)
        }
    }

    /// What the rows with small bodies need.
    pub fn small(address: SocketAddr) -> Self {
        Self {
            authority: address.to_string(),
            items: format!("http://{address}/items"),
            large: format!("http://{address}/large"),
            sink: format!("http://{address}/sink"),
            json: json(),
            bulk: Bytes::new(),
        }
    }
}

/// 200 bytes of JSON.
fn json() -> Bytes {
    let text = format!(
        r#"{{"station":"A-17","serial":"0123456789","result":"passed","note":"{}"}}"#,
        "n".repeat(132)
    );
    assert_eq!(text.len(), 200);
    Bytes::from(text)
}

/// What a reply to a small GET or a POST must look like, so that nobody is fast by doing nothing.
fn check(row: Row, length: usize) {
    match row {
        Row::Get | Row::Get64 | Row::ColdStart => assert_eq!(length, SMALL),
        Row::DownloadStreamed | Row::DownloadCollected => assert_eq!(length, LARGE),
        _ => assert!(length > 0),
    }
}

fn new_process(client: Client, urls: &Urls) -> anyhow::Result<Run> {
    let probe = std::env::current_exe()?.with_file_name("probe");
    let authority = urls.authority.clone();
    Ok(Box::new(move |calls| {
        for _ in 0..calls {
            let status = std::process::Command::new(&probe)
                .args(["once", client.word(), &authority])
                .status()
                .unwrap();
            assert!(status.success());
        }
    }))
}

/// How many tasks or threads the concurrent row has.
const WAYS: usize = 64;
/// The size of the pieces of a streamed upload.
const PIECE: usize = 64 * 1024;
const FLOOR_BUFFER: usize = 64 * 1024;

/// The request as a bare socket sends it, without a large body.
fn floor_request(row: Row, urls: &Urls) -> Bytes {
    let line = match row {
        Row::Post => "POST /sink HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 200",
        Row::DownloadStreamed | Row::DownloadCollected => "GET /large HTTP/1.1",
        Row::UploadBytes | Row::UploadStream => "POST /sink HTTP/1.1\r\nContent-Length: 67108864",
        _ => "GET /items HTTP/1.1",
    };
    let authority = &urls.authority;
    let mut request =
        format!("{line}\r\nHost: {authority}\r\nAccept: */*\r\nUser-Agent: floor\r\n\r\n")
            .into_bytes();
    if row == Row::Post {
        request.extend_from_slice(&urls.json);
    }
    Bytes::from(request)
}

/// The lengths of head and body of a reply, once its head is there.
fn parse(input: &[u8]) -> Option<(usize, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut reply = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(head)) = reply.parse(input) else {
        return None;
    };
    let length = reply
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())?;
    Some((head, length))
}
