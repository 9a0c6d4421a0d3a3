//! The list of rules in `docs/rules.md` and the tests agree.

use std::collections::BTreeSet;
use std::path::Path;

/// Every Rust file below a folder, but this one.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "rules.rs" {
            found.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// `B4`, `T2`, `H11`: a letter of a part that has ids, and a number that does not begin with 0.
fn is_id(word: &str) -> bool {
    let (letter, number) = word.split_at_checked(1).unwrap_or_default();
    let number = number.as_bytes();
    "ABCDFHIKLNPSTX".contains(letter)
        && matches!(number, [b'1'..=b'9'] | [b'1'..=b'9', b'0'..=b'9'])
        // What begins with s12_ is about a part as a whole.
        && !(letter == "S" && number.len() > 1)
}

/// The ids in the doc comment and at the beginning of the name of each function that is a test.
fn tested(text: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut comment = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            comment.push(words);
        } else if let Some(name) = line
            .trim_start_matches("async ")
            .strip_prefix("fn ")
            .and_then(|rest| rest.strip_suffix("() {"))
        {
            let words = comment.iter().flat_map(|words| words.split_whitespace());
            let words = words.map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
            ids.extend(words.filter(|word| is_id(word)).map(str::to_owned));
            let words = name.split('_').map(str::to_ascii_uppercase);
            ids.extend(words.take_while(|word| is_id(word)));
            comment.clear();
        } else if !line.starts_with("#[") {
            comment.clear();
        }
    }
    ids
}

#[test]
fn every_rule_is_tested_and_every_tested_rule_is_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join("docs/rules.md")).unwrap();
    let mut files = Vec::new();
    sources(&root.join("tests/it"), &mut files);
    let rows = list.lines().filter_map(|line| line.strip_prefix("| "));
    let ids: Vec<_> = rows
        .filter_map(|row| row.split(' ').next())
        .filter(|id| is_id(id))
        .collect();
    let listed: BTreeSet<_> = ids.iter().map(|&id| id.to_owned()).collect();
    assert_eq!(listed.len(), ids.len(), "an id is listed twice");
    let tested: BTreeSet<_> = files.iter().flat_map(|(_, text)| tested(text)).collect();
    let untested: Vec<_> = listed.difference(&tested).collect();
    assert!(untested.is_empty(), "rules without a test: {untested:?}");
    let unlisted: Vec<_> = tested.difference(&listed).collect();
    assert!(
        unlisted.is_empty(),
        "tests of rules that are not in docs/rules.md: {unlisted:?}"
    );
    // Files that the list names are there.
    for name in list
        .split('`')
        .filter(|text| text.starts_with('s') && text.ends_with(".rs"))
    {
        assert!(
            files.iter().any(|(file, _)| file == name),
            "{name} is not there"
        );
    }
}

#[test]
fn ids_are_read_from_names_and_comments() {
    let text = "/// B4, T2 (see UTF-8): x.\n#[test]\nfn a1_d10_s12_name() {\n/// H3.\nstruct X;\nfn helper(b1: u8) {\nasync fn s1_s2_x() {";
    let ids = tested(text);
    assert_eq!(
        ids.iter().map(String::as_str).collect::<Vec<_>>(),
        ["A1", "B4", "D10", "S1", "S2", "T2"]
    );
}
