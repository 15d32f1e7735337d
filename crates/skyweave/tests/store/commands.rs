//! The commands that work on a database directly, as a script sees them.

use super::places::*;
use super::things::*;
use super::{put, worked};
use skyweave::operator::Desk;
use std::fs;
use std::path::Path;
use std::process::{Command as Process, Output, Stdio};

fn skyweave(args: &[&str]) -> Output {
    Process::new(env!("CARGO_BIN_EXE_skyweave"))
        .args(args)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn told(args: &[&str]) -> String {
    let output = skyweave(args);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{args:?}\n{out}\n{err}");
    out
}

fn json(args: &[&str]) -> serde_json::Value {
    serde_json::from_str(&told(args)).unwrap()
}

/// What a command that fails says, both streams.
fn refused(args: &[&str]) -> String {
    let output = skyweave(args);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{args:?}\n{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

pub(crate) fn a_database_is_looked_at_saved_and_restored_by_commands(site: &Site<'_>) {
    let database = site.fresh();
    let desk = worked(&url(&database));
    let db = ["--database", database.as_str()];
    let with = |args: &[&'static str]| [args, &db[..]].concat();

    // Beside the desk that writes.
    let info = json(&with(&["database", "info", "--json"]));
    assert_eq!(
        (&info["version"], &info["things"]["terminal"]),
        (&info["known_version"], &40.into())
    );
    assert!(info["bytes"].as_u64().unwrap() > 10_000, "{info}");
    let rows = desk.register().audit_head().rows;
    assert_eq!(info["audit_rows"], rows);
    assert!(told(&with(&["database", "info"])).contains("40  terminal"));
    let checked = json(&with(&["database", "check", "--json"]));
    assert_eq!(checked["whole"], true, "{checked}");
    let verified = json(&with(&["audit", "verify", "--json"]));
    let head = verified["head"].as_str().unwrap().to_owned();
    assert_eq!(head, desk.register().audit_head().to_string());

    let lines = |args: &[&str]| -> Vec<serde_json::Value> {
        let told = told(args);
        told.lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    };
    let last = lines(&with(&["audit", "show", "--json"]));
    assert_eq!((last.len(), &last[19]["number"]), (20, &rows.into()));
    assert_eq!(last[19]["head"], head.as_str());
    let third = lines(&with(&[
        "audit", "show", "--json", "--from", "3", "--limit", "2",
    ]));
    assert_eq!((third.len(), &third[0]["number"]), (2, &3.into()));
    assert_eq!(
        (&third[0]["by"], &third[0]["why"]),
        (&"user:1".into(), &"test 3".into())
    );
    assert_eq!(third[0]["at"], "1999-12-31T23:59:31.000000021Z");
    let id = ut(40).to_string();
    let args = [&["audit", "show", "--json", "--terminal", &id][..], &db].concat();
    assert_eq!(lines(&args).len(), 1, "only its retirement names it");
    assert!(told(&with(&["audit", "show", "--by", "nobody"])).contains("no such rows"));

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let saved = path("saved");
    let args = [&["backup", &saved, "--json"][..], &db].concat();
    assert_eq!(json(&args)["head"], head.as_str());
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&saved).unwrap());
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    let args = [&["backup", &saved][..], &db].concat();
    assert!(refused(&args).contains("not replaced"));
    assert!(!Path::new(&path("saved.partial")).exists());
    let piped = skyweave(&with(&["backup", "-"]));
    assert_eq!(piped.stdout, fs::read(&saved).unwrap());

    // The end is noted; the log grows; it still has that end.
    desk.execute(put(7)).unwrap();
    let args = [&["audit", "verify", "--head", &head][..], &db].concat();
    assert!(told(&args).contains("the noted end is in it"));
    drop(desk);

    // Cut off: nothing is restored, nothing is left behind.
    let (cut, new) = (path("cut"), path("new.sqlite"));
    let bytes = fs::read(&saved).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 9]).unwrap();
    assert!(refused(&["restore", &cut, "--database", &new]).contains("backup is not usable"));
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
    for target in [&new, &site.fresh()] {
        let restored = json(&["restore", &saved, "--json", "--database", target]);
        assert_eq!(restored["head"], head.as_str());
        let again = refused(&["restore", &saved, "--database", target]);
        assert!(again.contains("is not empty"), "{again}");
        assert!(told(&["database", "check", "--database", target]).contains("40 terminals"));
    }
    assert_eq!(
        Desk::open(&url(&new))
            .unwrap()
            .register()
            .audit_head()
            .to_string(),
        head
    );
    // The restored log lacks the row that was written after the backup.
    let newer = json(&with(&["audit", "verify", "--json"]))["head"]
        .as_str()
        .unwrap()
        .to_owned();
    let said = refused(&["audit", "verify", "--database", &new, "--head", &newer]);
    assert!(said.contains("does not have row"), "{said}");
}

pub(crate) fn each_changed_row_is_named(site: &Site<'_>) {
    let database = site.fresh();
    let rows = worked(&url(&database)).register().audit_head().rows;
    let triggers = if site.is_sqlite() {
        "DROP TRIGGER audit_keeps; DROP TRIGGER audit_holds; DROP TRIGGER audit_appends"
    } else {
        "DROP TRIGGER audit_keeps ON audit; DROP TRIGGER audit_appends ON audit"
    };
    for sql in [
        triggers,
        "UPDATE audit SET body = replace(body, 'test 7', 'test 8') WHERE number = 7",
        "DELETE FROM audit WHERE number BETWEEN 20 AND 22",
        "UPDATE audit SET hash = 'nonsense' WHERE number = 30",
        "INSERT INTO audit (number, body, hash) VALUES (-1, 'put in', '')",
    ] {
        site.sql(&database, sql).unwrap();
    }
    let said = refused(&["audit", "verify", "--database", &database]);
    for words in [
        "row 7 was changed",
        "(test 8)",
        "rows 20 to 22 are missing",
        "row 30 was changed",
        "row 31 was changed",
        "row -1 stands after row 0",
        "changed in 5 places",
    ] {
        assert!(said.contains(words), "`{words}` is not in:\n{said}");
    }
    let output = skyweave(&["audit", "verify", "--json", "--database", &database]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["whole"], &told["rows"]),
        (&false.into(), &rows.into())
    );
    assert_eq!(told["breaks"].as_array().unwrap().len(), 5);
    let checked = refused(&["database", "check", "--database", &database]);
    assert!(checked.contains("audit log  DAMAGED: row 1 "), "{checked}");

    // A thing that nobody can read is named, too.
    site.sql(
        &database,
        "UPDATE thing SET body = '{}' WHERE kind = 'plan'",
    )
    .unwrap();
    let checked = refused(&["database", "check", "--database", &database]);
    assert!(
        checked.contains("DAMAGED: plan 1: missing field"),
        "{checked}"
    );
}

pub(crate) fn an_older_database_is_brought_forwards_by_command(site: &Site<'_>) {
    let database = site.fresh();
    site.put_version_1(&database);
    let db = ["--database", database.as_str()];
    let with = |args: &[&'static str]| [args, &db[..]].concat();
    assert!(told(&with(&["database", "info"])).contains("version 1;"));
    let said = refused(&with(&["audit", "verify"]));
    assert!(said.contains("skyweave database migrate"), "{said}");
    let moved = json(&with(&["database", "migrate", "--json"]));
    assert_eq!(moved["from"], 1);
    assert!(told(&with(&["database", "migrate"])).contains("nothing to do"));
    assert!(told(&with(&["database", "check"])).contains("40 terminals"));
    let held = Desk::open(&url(&database)).unwrap();
    assert!(refused(&with(&["database", "migrate"])).contains("used by another process"));
    drop(held);
}

#[test]
fn commands_on_what_is_no_database_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let absent = path("absent.sqlite");
    for args in [
        &["database", "info"][..],
        &["database", "check"],
        &["database", "migrate"],
        &["audit", "verify"],
        &["audit", "show"],
        &["backup", "-"],
    ] {
        let said = refused(&[args, &["--database", &absent]].concat());
        assert!(
            said.contains("there is no database") && said.contains("absent.sqlite"),
            "{said}"
        );
    }
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing was made by asking"
    );
    let letter = path("letter");
    fs::write(
        &letter,
        "Dear Sir or Madam, this is no database. ".repeat(64),
    )
    .unwrap();
    let said = refused(&["database", "info", "--database", &letter]);
    assert!(said.contains("letter is damaged"), "{said}");
    let said = refused(&["restore", &letter, "--database", &path("new")]);
    assert!(said.contains("backup is not usable"), "{said}");
    let said = refused(&["database", "info", "--database", "mysql://me:s3cret@db/sky"]);
    assert!(
        said.contains("no such kind of database") && !said.contains("s3cret"),
        "{said}"
    );
    let output = Process::new(env!("CARGO_BIN_EXE_skyweave"))
        .args(["database", "info"])
        .env("SKYWEAVE_DATABASE", &absent)
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert!(text(&output.stderr).contains("absent.sqlite"));
    assert_eq!(skyweave(&["database", "info"]).status.code(), Some(2));
    let help = told(&["database", "info", "--help"]);
    assert!(
        help.contains("SKYWEAVE_DATABASE") && help.contains("Example"),
        "{help}"
    );
}

/// Nobody may write there, not even SQLite's own files beside the database: it is read all the same.
#[test]
fn a_database_on_a_read_only_medium_is_looked_at_and_saved() {
    let site = Site::new(Kind::Sqlite);
    let database = site.fresh();
    let head = worked(&url(&database)).register().audit_head().to_string();
    let program = env!("CARGO_BIN_EXE_skyweave");
    let output = site.read_by_program(&database, program, &["audit", "verify", "--database"]);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(said.contains(&head), "{said}");
}
