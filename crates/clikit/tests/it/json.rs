use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use clikit::output::{Ending, Format, Output, View};
use clikit::{Capture, Console, Exit, ReportForm, Terminals};
use serde_json::value::RawValue;

use crate::{DEVICES, fields, list, list_with};

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

#[test]
fn a_list_is_one_document_with_members_in_their_own_order() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    let mut list = Output::new(&console, Format::Json).list(&DEVICES).unwrap();
    list.push_text(r#"{"id":"d1","zz":{"n":1.50,"e":{}},"name":"caf\u00e9"}"#)
        .unwrap();
    list.end_page().unwrap();
    list.push_from("Acme", &raw(r#"{"id":"d2","tags":["a","b"],"none":null}"#))
        .unwrap();
    let ending = Ending::new()
        .pages(Some(raw(r#"{"size":50,"total":2}"#)))
        .errors(Some(vec![raw(
            r#"{"tenant":"Initech","message":"forbidden"}"#,
        )]));
    assert_eq!(list.finish(ending).unwrap(), 2);
    assert_eq!(
        capture.stdout(),
        r#"{
  "items": [
    {
      "id": "d1",
      "zz": {
        "n": 1.50,
        "e": {}
      },
      "name": "café"
    },
    {
      "id": "d2",
      "tags": [
        "a",
        "b"
      ],
      "none": null
    }
  ],
  "pages": {
    "size": 50,
    "total": 2
  },
  "errors": [
    {
      "tenant": "Initech",
      "message": "forbidden"
    }
  ]
}
"#
    );
    assert_eq!(capture.stderr(), "");
}

#[test]
fn an_empty_list_is_a_complete_document() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    let list = Output::new(&console, Format::Json).list(&DEVICES).unwrap();
    list.finish(
        Ending::new()
            .pages(Some(raw("{}")))
            .errors(Some(Vec::new())),
    )
    .unwrap();
    assert_eq!(
        capture.stdout(),
        "{\n  \"items\": [],\n  \"pages\": {},\n  \"errors\": []\n}\n"
    );
}

#[test]
fn no_indentation_is_one_line_and_keys_sort_on_request() {
    let item = r#"{"b":{"y":1,"x":2},"a":[{"d":1,"c":2}]}"#;
    let (out, _) = list_with(Format::Json, Terminals::NONE, &[item], |output| {
        output.indent(0).sort_keys(true)
    });
    assert_eq!(
        out,
        "{\"items\":[{\"a\":[{\"c\":2,\"d\":1}],\"b\":{\"x\":2,\"y\":1}}]}\n"
    );
}

#[test]
fn ndjson_copies_an_item_and_only_joins_its_lines() {
    let items = [r#"{"id": "d1", "x": "\u00e9" }"#, "{\n  \"id\": \"d2\"\n}"];
    assert_eq!(
        list(Format::Ndjson, &items),
        "{\"id\": \"d1\", \"x\": \"\\u00e9\" }\n{\"id\":\"d2\"}\n"
    );
}

#[test]
fn ndjson_reaches_the_reader_page_by_page() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    let mut list = Output::new(&console, Format::Ndjson)
        .list(&DEVICES)
        .unwrap();
    list.push_text(r#"{"id":1}"#).unwrap();
    list.end_page().unwrap();
    assert_eq!(capture.stdout(), "{\"id\":1}\n");
    list.push_text(r#"{"id":2}"#).unwrap();
    assert_eq!(capture.stdout(), "{\"id\":1}\n");
    list.finish(Ending::new()).unwrap();
    assert_eq!(capture.stdout(), "{\"id\":1}\n{\"id\":2}\n");
}

#[test]
fn chosen_fields_cut_items_down_in_their_own_nesting() {
    let item = r#"{"id":"d1","os":{"name":"Windows","build":1},"x":1}"#;
    let (out, err) = list_with(Format::Ndjson, Terminals::NONE, &[item], |output| {
        output.fields(fields("os.name,id"))
    });
    assert_eq!(out, "{\"id\":\"d1\",\"os\":{\"name\":\"Windows\"}}\n");
    assert_eq!(err, "");
}

#[test]
fn a_mistyped_field_is_warned_about_with_a_suggestion() {
    let item = r#"{"id":"d1","serial":{"number":7}}"#;
    let choose = |output: Output| output.fields(fields("id,hostnme,serial.nmber,lastSeenAt,qqqq"));
    let (_, err) = list_with(Format::Json, Terminals::NONE, &[item], choose);
    assert_eq!(
        err,
        "warning: no item has the field `hostnme`; did you mean `hostname`?\n\
         warning: no item has the field `serial.nmber`; did you mean `serial.number`?\n\
         warning: no item has the field `qqqq`\n"
    );
}

#[test]
fn a_single_item_is_the_document_itself() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    let item = raw(r#"{"id":"d1","os":{"name":"Windows"}}"#);
    Output::new(&console, Format::Json)
        .object(&DEVICES, &item)
        .unwrap();
    Output::new(&console, Format::Ndjson)
        .object(&DEVICES, &item)
        .unwrap();
    Output::new(&console, Format::Json)
        .fields(fields("os"))
        .indent(0)
        .object(&DEVICES, &item)
        .unwrap();
    assert_eq!(
        capture.stdout(),
        "{\n  \"id\": \"d1\",\n  \"os\": {\n    \"name\": \"Windows\"\n  }\n}\n\
         {\"id\":\"d1\",\"os\":{\"name\":\"Windows\"}}\n{\"os\":{\"name\":\"Windows\"}}\n"
    );
}

#[test]
fn an_item_that_is_no_json_is_refused() {
    let (console, _) = Capture::new("", Terminals::NONE);
    let mut list = Output::new(&console, Format::Json).list(&DEVICES).unwrap();
    let error = list.push_text("{\"id\":").unwrap_err();
    assert_eq!(error.to_string(), "an item is not JSON");
    assert!(list.push_text("{} {}").is_err());
}

#[test]
fn the_end_of_a_cut_list_is_told_on_stderr() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    for (total, quiet) in [
        (Some(300), false),
        (None, false),
        (Some(1), false),
        (Some(300), true),
    ] {
        let output = Output::new(&console.with_quiet(quiet), Format::Ndjson);
        let mut list = output.list(&View::PLAIN).unwrap();
        list.push_text("1").unwrap();
        list.finish(Ending::new().remainder(total, "use `--all` for the rest"))
            .unwrap();
    }
    assert_eq!(
        capture.stderr(),
        "note: showing 1 of 300; use `--all` for the rest\n\
         note: showing the first 1; use `--all` for the rest\n"
    );
}

/// Takes so many bytes and is gone then.
struct ClosedPipe(usize);

impl Write for ClosedPipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.min(bytes.len()) {
            0 => Err(io::ErrorKind::BrokenPipe.into()),
            taken => {
                self.0 -= taken;
                Ok(taken)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_ends_in_silence() {
    let kept = Kept::default();
    let console = Console::new(io::empty(), ClosedPipe(4), kept.clone(), Terminals::NONE);
    for format in [Format::Json, Format::Ndjson, Format::Csv, Format::Table] {
        let mut list = Output::new(&console, format).list(&DEVICES).unwrap();
        list.push_text(r#"{"id":"d1"}"#).unwrap();
        let error = list.finish(Ending::new()).unwrap_err();
        assert!(error.is_broken_pipe(), "{format}: {error:?}");
        for form in [ReportForm::Text, ReportForm::Json] {
            assert_eq!(error.report(&console, form), Exit::BrokenPipe);
        }
    }
    assert!(kept.0.lock().unwrap().is_empty());
}
