//! What is put into a form is what a reader of forms finds in it, whatever names and contents there are.
//!
//! An input is a list of parts: each a length byte and a name, a length byte and a file name (0 for none), a length byte
//! and content. The corpus is run as an ordinary test by `crates/reqivo/tests/it`.

#![cfg_attr(fuzzing, no_main)]

use reqivo::Body;
use reqivo::multipart::{Form, Part};

/// Takes a length and so many bytes.
fn take<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = input.split_first()?;
    let (taken, rest) = rest.split_at(usize::from(*length).min(rest.len()));
    *input = rest;
    Some(taken)
}

/// The text between two marks, and what follows.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(start)?.split_once(end)
}

fn escaped(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn check(mut input: &[u8]) {
    let mut parts = Vec::new();
    while let (Some(name), Some(file_name), Some(content)) =
        (take(&mut input), take(&mut input), take(&mut input))
    {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let file_name = (!file_name.is_empty()).then(|| text(file_name));
        parts.push((text(name), file_name, content.to_vec()));
    }
    let mut form = Form::new();
    for (name, file_name, content) in &parts {
        let mut part = Part::bytes(content.clone());
        if let Some(file_name) = file_name {
            part = part.file_name(file_name);
        }
        form = form.part(name, part);
    }
    let boundary = form.boundary().to_owned();
    let body = Body::from(form);
    let mut rest = body.as_bytes().expect("small parts are in memory");
    assert_eq!(body.length(), Some(rest.len() as u64));

    let delimiter = format!("--{boundary}");
    for (name, file_name, content) in &parts {
        rest = rest
            .strip_prefix(delimiter.as_bytes())
            .expect("a delimiter");
        let end = rest
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .expect("an end of the fields");
        let head = std::str::from_utf8(&rest[..end]).expect("text");
        let start = "\r\nContent-Disposition: form-data; name=\"";
        let (seen, head) = between(head, start, "\"").expect("a name");
        assert_eq!(seen, escaped(name));
        match file_name {
            Some(file_name) => {
                let (seen, head) = between(head, "; filename=\"", "\"").expect("a file name");
                assert_eq!(seen, escaped(file_name));
                let content_type = head
                    .strip_prefix("\r\nContent-Type: ")
                    .expect("a content type");
                assert!(content_type.bytes().all(|byte| byte.is_ascii_graphic()));
            }
            None => assert_eq!(head, ""),
        }
        rest = rest[end + 4..]
            .strip_prefix(&content[..])
            .expect("the content");
        rest = rest.strip_prefix(b"\r\n").expect("a line end");
    }
    assert_eq!(rest, format!("{delimiter}--\r\n").as_bytes());
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| check(input));

/// Without the engine: runs the files that are named.
#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    for path in std::env::args_os().skip(1) {
        check(&std::fs::read(path)?);
    }
    Ok(())
}
