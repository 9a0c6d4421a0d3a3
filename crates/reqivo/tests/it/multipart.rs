//! What is written as several parts is what a reader finds in it.

use proptest::prelude::*;
use reqivo::Body;
use reqivo::multipart::{Form, Part};
use testkit::{Reply, Server, Watchdog};

/// A part as a reader of forms sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) content_type: Option<String>,
    /// How many header fields it has.
    pub(crate) fields: usize,
    pub(crate) content: Vec<u8>,
}

/// Reads `multipart/form-data` by RFC 2046 5.1 and the escapes of browsers. Shares nothing with the writer.
pub(crate) fn parse(body: &[u8], boundary: &str) -> Result<Vec<Parsed>, String> {
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter has no line end before it.
    let body = [b"\r\n", body].concat();
    let mut pieces = split(&body, delimiter.as_bytes()).into_iter();
    if !pieces.next().ok_or("nothing at all")?.is_empty() {
        return Err("a preamble".into());
    }
    let mut parts = Vec::new();
    for piece in pieces.by_ref() {
        if piece == b"--\r\n" {
            return match pieces.next() {
                None => Ok(parts),
                Some(_) => Err("something after the end".into()),
            };
        }
        let piece = piece
            .strip_prefix(b"\r\n")
            .ok_or("no line end after a delimiter")?;
        parts.push(part(piece)?);
    }
    Err("no end".into())
}

fn split<'a>(mut text: &'a [u8], by: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while let Some(at) = text.windows(by.len()).position(|window| window == by) {
        pieces.push(&text[..at]);
        text = &text[at + by.len()..];
    }
    pieces.push(text);
    pieces
}

fn part(piece: &[u8]) -> Result<Parsed, String> {
    let at = piece
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or("no end of the fields")?;
    let head = std::str::from_utf8(&piece[..at]).map_err(|error| error.to_string())?;
    let mut parsed = Parsed {
        name: String::new(),
        file_name: None,
        content_type: None,
        fields: 0,
        content: piece[at + 4..].to_vec(),
    };
    for line in head.split("\r\n") {
        parsed.fields += 1;
        let (name, value) = line
            .split_once(": ")
            .ok_or_else(|| format!("no field: {line:?}"))?;
        match name.to_ascii_lowercase().as_str() {
            "content-disposition" => {
                let rest = value.strip_prefix("form-data; name=\"").ok_or("no name")?;
                let (name, rest) = rest.split_once('"').ok_or("an open quote")?;
                parsed.name = unescape(name);
                if !rest.is_empty() {
                    let rest = rest
                        .strip_prefix("; filename=\"")
                        .ok_or_else(|| format!("after the name: {rest:?}"))?;
                    let (file_name, rest) = rest.split_once('"').ok_or("an open quote")?;
                    parsed.file_name = Some(unescape(file_name));
                    if !rest.is_empty() {
                        return Err(format!("after the file name: {rest:?}"));
                    }
                }
            }
            "content-type" => parsed.content_type = Some(value.to_owned()),
            _ => {}
        }
    }
    Ok(parsed)
}

fn unescape(name: &str) -> String {
    name.replace("%22", "\"")
        .replace("%0D", "\r")
        .replace("%0A", "\n")
}

/// Names that say again what they said when they are written: escapes of the format are not escaped themselves.
fn names() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        Just("\""),
        Just("\r"),
        Just("\n"),
        Just("\r\n\r\n"),
        Just("; filename=\""),
        Just("--"),
        Just("\u{20ac}"),
        Just("\0"),
        Just("a")
    ];
    prop::collection::vec(parts, 0..6).prop_map(|parts| parts.concat())
}

fn contents() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        Just(b"\r\n--".to_vec()),
        Just(b"\r\n--boundary-\r\n".to_vec()),
        Just(b"--boundary--\r\n\r\n".to_vec()),
        (8_000_usize..9_000).prop_map(|size| vec![b'-'; size]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn forms_are_read_back_as_they_were_built(
        parts in prop::collection::vec((names(), prop::option::of(names()), contents(), 0_u8..4), 0..6),
    ) {
        let _watchdog = Watchdog::start();
        let server = Server::start(|_| Reply::ok("x"));
        let mut form = Form::new();
        for (name, file_name, content, kind) in &parts {
            let body = match kind {
                0 => Body::from(content.clone()),
                1 => Body::reader(std::io::Cursor::new(content.clone())),
                2 => Body::iter(content.chunks(7).map(<[u8]>::to_vec).collect::<Vec<_>>()).with_length(content.len() as u64),
                _ => {
                    let content = content.clone();
                    Body::replayable(move || Body::from(content.clone()))
                }
            };
            let mut part = Part::new(body);
            if let Some(file_name) = file_name {
                part = part.file_name(file_name);
            }
            form = form.part(name, part);
        }
        let boundary = form.boundary().to_owned();
        reqivo::blocking::Session::new().post(server.url("/")).multipart(form).send().unwrap();
        let seen = server.only_request();
        let known = parts.iter().all(|(.., kind)| *kind != 1);
        prop_assert_eq!(seen.header("content-length").is_some(), known);
        let parsed = parse(&seen.body, &boundary).unwrap();
        prop_assert_eq!(parsed.len(), parts.len());
        for (parsed, (name, file_name, content, _)) in parsed.iter().zip(&parts) {
            prop_assert_eq!((&parsed.name, &parsed.file_name, &parsed.content), (name, file_name, content));
            prop_assert_eq!(parsed.content_type.is_some(), file_name.is_some());
            prop_assert_eq!(parsed.fields, 1 + usize::from(file_name.is_some()));
        }
    }
}

/// The claims of the fuzz target `multipart`.
#[test]
fn the_corpus_of_forms_is_read_back_as_it_was_built() {
    fn take<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
        let (length, rest) = input.split_first()?;
        let (taken, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        *input = rest;
        Some(taken)
    }
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/multipart");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        let mut input = &input[..];
        let (mut form, mut expected) = (Form::new(), Vec::new());
        while let (Some(name), Some(file_name), Some(content)) =
            (take(&mut input), take(&mut input), take(&mut input))
        {
            let name = String::from_utf8_lossy(name).into_owned();
            let file_name = String::from_utf8_lossy(file_name).into_owned();
            let mut part = Part::bytes(content.to_vec());
            if !file_name.is_empty() {
                part = part.file_name(&file_name);
            }
            form = form.part(&name, part);
            // What looks like an escape is read as one.
            expected.push((unescape(&name), unescape(&file_name), content.to_vec()));
        }
        let boundary = form.boundary().to_owned();
        let body = Body::from(form);
        let seen = parse(body.as_bytes().unwrap(), &boundary).unwrap();
        let seen: Vec<_> = seen
            .into_iter()
            .map(|part| (part.name, part.file_name.unwrap_or_default(), part.content))
            .collect();
        assert_eq!(seen, expected, "{}", path.display());
        count += 1;
    }
    assert!(count >= 12, "only {count} inputs");
}

#[test]
fn boundaries_differ_and_are_long() {
    let forms: Vec<Form> = (0..1000).map(|_| Form::new()).collect();
    let distinct: std::collections::BTreeSet<&str> = forms.iter().map(Form::boundary).collect();
    assert_eq!(distinct.len(), forms.len());
    assert!(
        distinct
            .iter()
            .all(|boundary| boundary.len() >= 32 && boundary.len() <= 70)
    );
}
