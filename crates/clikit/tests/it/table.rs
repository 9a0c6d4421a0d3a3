use clikit::output::{Column, Ending, Format, Output, Paint, View};
use clikit::{Capture, Terminals};
use proptest::prelude::*;
use serde_json::value::RawValue;

use crate::{DEVICES, fields, list, list_with};

const ID: &str = "6d41b5e2-8c1f-4f6e-9a52-0b7e3c2d1f00";

fn object(view: &View, item: &str, shape: impl FnOnce(Output) -> Output) -> String {
    let (console, capture) = Capture::new("", Terminals::NONE);
    let item: Box<RawValue> = serde_json::from_str(item).unwrap();
    shape(Output::new(&console, Format::Table))
        .object(view, &item)
        .unwrap();
    capture.stdout()
}

#[test]
fn preferred_columns_line_up_and_a_dash_marks_what_is_missing() {
    let items = [
        r#"{"hostname":"web-1","id":"d1","health":{"overall":"good"},"more":1}"#,
        r#"{"hostname":"database-2","id":"d2"}"#,
        r#"{"id":"d3","hostname":"","health":{"overall":null}}"#,
    ];
    assert_eq!(
        list(Format::Table, &items),
        "hostname    id  health\nweb-1       d1  good\ndatabase-2  d2  -\n-           d3  -\n"
    );
}

#[test]
fn an_empty_table_is_told_on_stderr_only() {
    let (out, err) = list_with(Format::Table, Terminals::NONE, &[], |output| output);
    assert_eq!((out.as_str(), err.as_str()), ("", "No data to display\n"));
}

#[test]
fn long_cells_are_cut_and_ids_stay_whole() {
    let item = format!(
        r#"{{"hostname":"a-very-long-host-name-that-does-not-fit-anywhere.example.com","id":"{ID}","health":{{"overall":"good"}}}}"#
    );
    let (out, err) = list_with(Format::Table, Terminals::NONE, &[&item], |output| output);
    assert_eq!(
        out.lines().nth(1).unwrap(),
        format!("a-very-long-host-name-that-does-n…  {ID}  good")
    );
    assert!(out.lines().all(|line| line.chars().count() <= 80));
    assert_eq!(err, "");
}

#[test]
fn columns_without_room_are_left_out_and_named() {
    static WIDE: View = View::new(&[
        Column::new("hostname"),
        Column::new("id").whole(),
        Column::new("type"),
        Column::new("os.name").priority(9),
        Column::new("health.overall").header("health"),
        Column::new("person"),
        Column::new("seen").priority(8),
    ]);
    let item = format!(
        r#"{{"hostname":"workstation-17","id":"{ID}","type":"computer","os":{{"name":"Windows 11 Pro"}},"health":{{"overall":"suspicious"}},"seen":"2026-11-21T10:00:00Z"}}"#
    );
    let (console, capture) = Capture::new("", Terminals::NONE);
    let mut table = Output::new(&console, Format::Table).list(&WIDE).unwrap();
    table.push_text(&item).unwrap();
    table.finish(Ending::new()).unwrap();
    assert_eq!(
        capture.stdout(),
        "hostname        id                                    type      health\n\
         workstation-17  6d41b5e2-8c1f-4f6e-9a52-0b7e3c2d1f00  computer  suspicious\n"
    );
    assert_eq!(
        capture.stderr(),
        "note: no room for os.name, person, seen in 80 columns; use a wider terminal, `--fields` or another format\n"
    );
}

#[test]
fn wide_characters_keep_the_columns_straight() {
    let items = [
        r#"{"hostname":"日本語サーバー","id":"d1","health":{"overall":"good"}}"#,
        r#"{"hostname":"e\u0301t\u0301","id":"d2","health":{"overall":"bad"}}"#,
    ];
    assert_eq!(
        list(Format::Table, &items),
        "hostname        id  health\n日本語サーバー  d1  good\ne\u{301}t\u{301}              d2  bad\n"
    );
    let (out, _) = list_with(Format::Table, Terminals::NONE, &items[..1], |output| {
        output.fields(fields("hostname")).max_width(Some(8))
    });
    assert_eq!(out, "hostname\n日本語…\n");
}

#[test]
fn values_are_coloured_on_a_terminal_only() {
    let items = [
        r#"{"hostname":"a","id":"1","health":{"overall":"good"}}"#,
        r#"{"hostname":"b","id":"2","health":{"overall":"Bad"}}"#,
        r#"{"hostname":"c","id":"3","health":{"overall":"other"}}"#,
    ];
    let (out, _) = list_with(Format::Table, Terminals::ALL, &items, |output| output);
    assert_eq!(
        out,
        "\x1b[1mhostname\x1b[0m  \x1b[1mid\x1b[0m  \x1b[1mhealth\x1b[0m\n\
         a         1   \x1b[32mgood\x1b[0m\nb         2   \x1b[31mBad\x1b[0m\nc         3   other\n"
    );
    let (console, capture) = Capture::new("", Terminals::ALL);
    let output = Output::new(&console.with_color(false), Format::Table);
    let mut table = output.list(&DEVICES).unwrap();
    table.push_text(items[0]).unwrap();
    table.finish(Ending::new()).unwrap();
    assert!(!capture.stdout().contains('\x1b'));
}

#[test]
fn control_characters_of_the_service_do_not_reach_the_terminal() {
    let item = "{\"hostname\":\"a\\u001b[2Jb\\nc\\u202ed\",\"id\":\"1\"}";
    let out = list(Format::Table, &[item]);
    assert_eq!(
        out.lines().nth(1).unwrap(),
        "a\u{fffd}[2Jb c\u{fffd}d  1   -"
    );
}

#[test]
fn chosen_fields_are_the_columns_with_arrays_joined() {
    let item =
        r#"{"id":"d1","ips":["10.0.0.1","10.0.0.2"],"products":[{"code":"a"},{"code":"b"}]}"#;
    let (out, _) = list_with(Format::Table, Terminals::NONE, &[item], |output| {
        output.fields(fields("products.code,ips,id"))
    });
    assert_eq!(
        out,
        "products.code  ips                 id\na, b           10.0.0.1, 10.0.0.2  d1\n"
    );
}

#[test]
fn items_nothing_is_known_about_show_their_own_members() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    let mut table = Output::new(&console, Format::Table)
        .lead("tenant")
        .list(&View::PLAIN)
        .unwrap();
    let item: Box<RawValue> = serde_json::from_str(r#"{"b":{"x":1,"y":{"z":2}},"a":2}"#).unwrap();
    table.push_from("Acme", &item).unwrap();
    table.push_text(r#"{"c":3}"#).unwrap();
    table.finish(Ending::new()).unwrap();
    assert_eq!(
        capture.stdout(),
        "tenant  b.x  b.y      a  c\nAcme    1    {\"z\":2}  2  -\n-       -    -        -  3\n"
    );
}

#[test]
fn a_single_item_is_a_line_per_member() {
    static VIEW: View = View::new(&[
        Column::new("hostname"),
        Column::new("health").paint(&[("bad", Paint::Red)]),
    ]);
    let item =
        r#"{"id":"d1","health":"bad","os":{"name":"Windows"},"hostname":"web-1","none":null}"#;
    assert_eq!(
        object(&VIEW, item, |output| output),
        "hostname  web-1\nhealth    bad\nid        d1\nos.name   Windows\nnone      -\n"
    );
    assert_eq!(
        object(&VIEW, item, |output| output.fields(fields("id,nope"))),
        "id    d1\nnope  -\n"
    );
}

#[test]
fn long_values_of_a_single_item_wrap() {
    let item = r#"{"id":"d1","text":"one two three four five six seven eight nine"}"#;
    assert_eq!(
        object(&View::PLAIN, item, |output| output.max_width(Some(30))),
        "id    d1\ntext  one two three four five\n      six seven eight nine\n"
    );
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_table(
        cells in prop::collection::vec(("\\PC{0,40}", "[a-z日本]{0,50}", "\\PC{0,12}"), 1..6),
        width in 5usize..130,
    ) {
        let (console, capture) = Capture::new("", Terminals::NONE);
        let output = Output::new(&console.with_width(Some(width)), Format::Table);
        let mut table = output.list(&DEVICES).unwrap();
        for (hostname, id, health) in &cells {
            let item = serde_json::json!({"hostname": hostname, "id": id, "health": {"overall": health}});
            table.push_text(&item.to_string()).unwrap();
            let item: Box<RawValue> = serde_json::from_str(&item.to_string()).unwrap();
            output.object(&DEVICES, &item).unwrap();
        }
        table.finish(Ending::new()).unwrap();
        for line in capture.stdout().lines() {
            let cells = unicode_width::UnicodeWidthStr::width(line);
            prop_assert!(cells <= width, "{cells} cells in {width}: {line:?}");
        }
    }
}
