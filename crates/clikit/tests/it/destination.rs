use std::fs;
use std::path::Path;

use clikit::output::{Destination, Ending, Format, Output};
use clikit::{Capture, Class, Error, Terminals};
use serde_json::value::RawValue;

use crate::DEVICES;

fn write(path: &Path, force: bool) -> Result<(), Error> {
    let (console, capture) = Capture::new("", Terminals::ALL);
    let destination = Destination::file(path).force(force);
    let output = Output::new(&console, Format::Table).destination(destination);
    let mut list = output.list(&DEVICES)?;
    list.push_text(r#"{"id":"d1","hostname":"web-1","health":{"overall":"good"}}"#)?;
    list.finish(Ending::new())?;
    assert_eq!(capture.stdout(), "");
    Ok(())
}

const TABLE: &str = "hostname  id  health\nweb-1     d1  good\n";

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_file_gets_the_data_without_colour() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.txt");
    write(&path, false).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), TABLE);
    assert_eq!(names(folder.path()), ["out.txt"]);
}

#[test]
fn an_existing_file_is_replaced_only_with_force() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.txt");
    fs::write(&path, "old").unwrap();
    let error = write(&path, false).unwrap_err();
    assert_eq!(error.class(), Class::User);
    assert_eq!(
        error.hints().collect::<Vec<_>>(),
        ["add `--force` to replace it"]
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    write(&path, true).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), TABLE);
}

#[test]
fn a_check_finds_what_stands_in_the_way_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.txt");
    let (console, _) = Capture::new("", Terminals::NONE);
    let check = |path: &Path, force: bool| {
        let destination = Destination::file(path).force(force);
        Output::new(&console, Format::Json)
            .destination(destination)
            .check()
    };
    check(&path, false).unwrap();
    assert_eq!(names(folder.path()), [""; 0]);
    fs::write(&path, "old").unwrap();
    assert_eq!(check(&path, false).unwrap_err().class(), Class::User);
    check(&path, true).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(folder.path()), ["out.txt"]);
    assert!(check(folder.path(), true).is_err());
    assert!(check(&folder.path().join("missing/out.txt"), true).is_err());
    check(Path::new("-"), false).unwrap();
}

#[test]
fn a_file_that_appears_meanwhile_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.json");
    let (console, _) = Capture::new("", Terminals::NONE);
    let output = Output::new(&console, Format::Json).destination(Destination::file(&path));
    let list = output.list(&DEVICES).unwrap();
    fs::write(&path, "somebody else").unwrap();
    assert_eq!(list.finish(Ending::new()).unwrap_err().class(), Class::User);
    assert_eq!(fs::read_to_string(&path).unwrap(), "somebody else");
    assert_eq!(names(folder.path()), ["out.json"]);
}

#[test]
fn a_list_that_is_given_up_leaves_no_file_and_the_old_one_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.json");
    fs::write(&path, "old").unwrap();
    let (console, _) = Capture::new("", Terminals::NONE);
    let destination = Destination::file(&path).force(true);
    let output = Output::new(&console, Format::Json).destination(destination);
    let mut list = output.list(&DEVICES).unwrap();
    list.push_text("{}").unwrap();
    list.end_page().unwrap();
    drop(list);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(folder.path()), ["out.json"]);
}

#[test]
fn a_wrong_path_fails_before_any_item_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let (console, _) = Capture::new("", Terminals::NONE);
    let open = |path: &Path| {
        Output::new(&console, Format::Json)
            .destination(Destination::file(path))
            .list(&DEVICES)
            .map(drop)
            .unwrap_err()
            .class()
    };
    assert_eq!(open(&folder.path().join("missing/out.json")), Class::User);
    assert_eq!(open(folder.path()), Class::User);
}

#[test]
fn a_dash_is_standard_output() {
    let (console, capture) = Capture::new("", Terminals::NONE);
    let output = Output::new(&console, Format::Json).destination(Destination::file("-"));
    output
        .object(&DEVICES, &RawValue::from_string("{}".to_owned()).unwrap())
        .unwrap();
    output.text("plain").unwrap();
    assert_eq!(capture.stdout(), "{}\nplain\n");
}

#[cfg(unix)]
#[test]
fn permissions_and_links_of_a_replaced_file_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (
        folder.path().join("real.txt"),
        folder.path().join("link.txt"),
    );
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&path, &link).unwrap();
    write(&link, true).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&path).unwrap(), TABLE);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o640
    );
}

#[cfg(unix)]
#[test]
fn a_device_is_written_directly_and_needs_no_force() {
    write(Path::new("/dev/null"), false).unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}
