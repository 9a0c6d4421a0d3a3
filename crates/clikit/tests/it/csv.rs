use clikit::output::{CsvOptions, Ending, Format, Output, View};
use clikit::{Capture, Fields, Terminals};
use proptest::prelude::*;
use serde_json::value::RawValue;

use crate::{DEVICES, fields, list, list_with};

const FULL: &str = r#"{"zeta":true,"id":"d1","hostname":"web, 1","os":{"name":"Win \"11\"","v":{"a":{"b":1}}},
    "ips":["10.0.0.1","10.0.0.2"],"products":[{"code":"core"}],"none":null,"empty":{},"note":"a\nb"}"#;

#[test]
fn columns_are_the_preferred_ones_then_the_others_sorted() {
    let sparse = r#"{"id":"d2","health":{"overall":"good"},"abc":1.0}"#;
    assert_eq!(
        list(Format::Csv, &[FULL, sparse]),
        "hostname,id,health.overall,abc,ips,none,note,os.name,os.v.a,products,zeta\n\
         \"web, 1\",d1,,,\"10.0.0.1, 10.0.0.2\",,\"a\nb\",\"Win \"\"11\"\"\",\"{\"\"b\"\":1}\",\"[{\"\"code\"\":\"\"core\"\"}]\",true\n\
         ,d2,good,1.0,,,,,,,\n"
    );
}

#[test]
fn chosen_fields_are_the_columns_and_rows_stream() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    let output = Output::new(&console, Format::Csv).fields(fields("os.name,id,products.code"));
    let mut list = output.lead("tenant").list(&DEVICES).unwrap();
    let item: Box<RawValue> = serde_json::from_str(FULL).unwrap();
    list.push_from("Acme", &item).unwrap();
    list.end_page().unwrap();
    let first = "tenant,os.name,id,products.code\nAcme,\"Win \"\"11\"\"\",d1,core\n";
    assert_eq!(capture.stdout(), first);
    list.push_text(r#"{"id":"d2"}"#).unwrap();
    list.finish(Ending::new()).unwrap();
    assert_eq!(capture.stdout(), format!("{first},,d2,\n"));
}

#[test]
fn the_leading_column_comes_first_when_columns_are_learned() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    let mut list = Output::new(&console, Format::Csv)
        .lead("tenant")
        .list(&View::PLAIN)
        .unwrap();
    let item: Box<RawValue> = serde_json::from_str(r#"{"b":1,"a":2}"#).unwrap();
    list.push_from("Acme", &item).unwrap();
    list.push_text(r#"{"c":3}"#).unwrap();
    list.finish(Ending::new()).unwrap();
    assert_eq!(capture.stdout(), "tenant,a,b,c\nAcme,2,1,\n,,,3\n");
}

#[test]
fn an_empty_list_has_a_header_where_columns_are_known() {
    assert_eq!(list(Format::Csv, &[]), "hostname,id,health.overall\n");
    let (out, _) = list_with(Format::Csv, Terminals::NONE, &[], |output| {
        output.fields(fields("a,b"))
    });
    assert_eq!(out, "a,b\n");
}

#[test]
fn delimiter_flattening_and_formula_guard_can_be_set() {
    let item = r#"{"hostname":"=1+1","id":"-5","o":{"p":"@x;y"},"q":"a+b"}"#;
    let options = CsvOptions::default()
        .delimiter(';')
        .unwrap()
        .flatten(false)
        .excel_safe(true);
    let (out, _) = list_with(Format::Csv, Terminals::NONE, &[item], |output| {
        output.csv(options)
    });
    assert_eq!(
        out,
        "hostname;id;health.overall;o;q\n'=1+1;'-5;;\"{\"\"p\"\":\"\"@x;y\"\"}\";a+b\n"
    );
    assert!(CsvOptions::default().delimiter('"').is_err());
    assert!(CsvOptions::default().delimiter('\n').is_err());
}

#[test]
fn a_single_item_is_a_header_and_a_row() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    let item: Box<RawValue> = serde_json::from_str(r#"{"id":"d1","b":2,"a":1}"#).unwrap();
    Output::new(&console, Format::Csv)
        .object(&DEVICES, &item)
        .unwrap();
    assert_eq!(
        capture.stdout(),
        "hostname,id,health.overall,a,b\n,d1,,1,2\n"
    );
}

#[test]
fn many_rows_with_late_columns_come_out_in_order() {
    let items: Vec<String> = (0..5000)
        .map(|index| {
            format!(
                r#"{{"id":"d{index}","pad":"{}","c{}":1}}"#,
                "x".repeat(2000),
                index % 7
            )
        })
        .collect();
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    let out = list(Format::Csv, &items); // more than waits in memory
    let mut reader = csv::Reader::from_reader(out.as_bytes());
    assert_eq!(reader.headers().unwrap().iter().nth(3), Some("c0"));
    for (index, row) in reader.records().enumerate() {
        let row = row.unwrap();
        assert_eq!(&row[1], format!("d{index}"));
        assert_eq!(&row[3 + index % 7], "1");
        assert_eq!(row[10].len(), 2000);
    }
}

proptest! {
    #[test]
    fn every_cell_survives_the_way_through_a_reader(
        rows in prop::collection::vec(prop::collection::vec("[a,;\"' \\r\\n=é日]{0,6}", 1..4), 1..8),
        delimiter in prop::sample::select(vec![',', ';', '\t', '\'']),
    ) {
        let (console, capture) = Capture::new("", Terminals::NONE);
        let columns = rows.iter().map(Vec::len).max().unwrap();
        let names: Vec<String> = (0..columns).map(|index| format!("c{index}")).collect();
        let chosen: Fields = names.join(",").parse().unwrap();
        let options = CsvOptions::default().delimiter(delimiter).unwrap();
        let output = Output::new(&console, Format::Csv).fields(Some(chosen)).csv(options);
        let mut list = output.list(&View::PLAIN).unwrap();
        for row in &rows {
            let item: serde_json::Map<_, _> = names
                .iter()
                .zip(row)
                .map(|(name, cell)| (name.clone(), cell.clone().into()))
                .collect();
            list.push_text(&serde_json::Value::Object(item).to_string()).unwrap();
        }
        list.finish(Ending::new()).unwrap();
        let out = capture.stdout();
        prop_assert!(!out.ends_with("\n\n"));
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(u8::try_from(delimiter).unwrap())
            .from_reader(out.as_bytes());
        prop_assert_eq!(reader.headers().unwrap(), &csv::StringRecord::from(names));
        let back: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(back.len(), rows.len());
        for (got, mut row) in back.iter().zip(rows) {
            row.resize(columns, String::new());
            prop_assert_eq!(got, &csv::StringRecord::from(row));
        }
    }
}
