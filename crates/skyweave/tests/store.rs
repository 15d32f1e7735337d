//! The store and the desk: the same tests on SQLite and on PostgreSQL.

#[path = "store/away.rs"]
mod away;
#[path = "store/commands.rs"]
mod commands;
#[path = "store/killed.rs"]
mod killed;
#[path = "common/lines.rs"]
mod lines;
#[path = "store/markets.rs"]
mod markets;
#[path = "store/places.rs"]
mod places;
#[path = "store/things.rs"]
mod things;

use places::*;
use skyweave::operator::*;
use skyweave_base::{Geodetic, Span, Time, Utc};
use skyweave_service::*;
use std::collections::BTreeSet;
use std::fs;
use std::io::BufRead as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use things::*;

type Check = fn(&Site<'_>);

/// What both databases must do.
const SUITE: &[(&str, Check)] = &[
    (
        "every action is read back",
        every_action_is_read_back_as_it_was,
    ),
    (
        "a refusal changes nothing",
        a_refused_command_changes_nothing,
    ),
    ("group commit", commands_that_wait_share_a_transaction),
    (
        "together or not at all",
        commands_of_one_draft_are_executed_together_or_not_at_all,
    ),
    (
        "conditions and records",
        conditions_and_records_go_with_the_command,
    ),
    ("usage", usage_is_kept_by_period),
    (
        "clock steps",
        a_clock_that_is_set_back_and_forward_loses_nothing,
    ),
    ("one writer", one_process_writes_and_others_read),
    (
        "append only",
        the_audit_log_is_append_only_and_verify_finds_the_first_changed_row,
    ),
    (
        "versions",
        an_older_version_goes_forwards_a_newer_or_foreign_one_is_refused,
    ),
    (
        "backup",
        a_backup_taken_while_writing_is_restored_whole_or_not_at_all,
    ),
    (
        "events",
        subscribers_hear_what_was_done_or_that_they_missed_some,
    ),
    (
        "away and back",
        reads_go_on_while_the_database_is_away_and_it_comes_back_by_itself,
    ),
    (
        "commands",
        commands::a_database_is_looked_at_saved_and_restored_by_commands,
    ),
    ("changed rows", commands::each_changed_row_is_named),
    (
        "migrate",
        commands::an_older_database_is_brought_forwards_by_command,
    ),
    (
        "goods sold elsewhere",
        markets::goods_sold_in_one_country_and_seen_only_in_another_are_found,
    ),
    ("lost rows", a_database_that_lost_rows_is_not_written),
    ("locked", a_lock_of_somebody_else_is_named_and_waited_for),
    ("read-only", a_database_that_became_read_only_says_so),
];

#[test]
fn sqlite() {
    for (name, check) in SUITE {
        eprintln!("sqlite: {name}");
        check(&Site::new(Kind::Sqlite));
    }
}

#[test]
fn postgres() {
    let Some(server) = Server::start() else {
        return;
    };
    for (name, check) in SUITE {
        eprintln!("postgres: {name}");
        check(&Site::new(Kind::Postgres(&server)));
    }
}

/// Rows of the audit log in `tests/data/service-v1`.
const ROWS_OF_OLD: u64 = 51;

/// A desk on a new database with a day's work done.
fn worked(url: &StoreUrl) -> Desk {
    let desk = Desk::open(url).unwrap();
    for command in a_days_work() {
        desk.execute(command).unwrap();
    }
    desk
}

fn put(n: u64) -> Command {
    command(n.cast_signed(), Action::PutOrganisation(organisation(n)))
}

/// Waits until this holds, for at most 20 s: what is waited for takes a retry of the desk or less.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "{what} did not happen within 20 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn works(desk: &Desk) -> bool {
    matches!(desk.health().database, Database::Working)
}

fn every_action_is_read_back_as_it_was(site: &Site<'_>) {
    let commands = a_days_work();
    assert_eq!(names(&commands).len(), 33, "{:?}", names(&commands));
    let url = url(&site.fresh());
    let desk = Desk::open(&url).unwrap();
    let mut beside = Store::read_only(&url).unwrap();
    for command in commands {
        desk.execute(command.clone())
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let stored = beside.load().unwrap();
        assert_eq!(stored, desk.register().to_things(), "after {command:?}");
        // With what the register keeps beside the lists.
        assert_eq!(Register::load(stored).unwrap(), *desk.register());
    }
    let last = desk.register();
    drop(desk);
    let again = Desk::open(&url).unwrap();
    assert_eq!(*again.register(), *last);
    let head = beside.verify_audit(Some(last.audit_head())).unwrap();
    assert_eq!(head, last.audit_head());
    let secret = serde_json::to_string(&HASH).unwrap();
    for row in beside.audit(1, usize::MAX).unwrap() {
        let shown = row.body.contains(secret.trim_matches('"')) || row.body.contains("argon2");
        assert!(!shown, "a secret's hash is in the audit log: {}", row.body);
    }
}

fn a_refused_command_changes_nothing(site: &Site<'_>) {
    let url = url(&site.fresh());
    let desk = worked(&url);
    let before = desk.register();
    let again = command(99, Action::AddTerminals(vec![sold(500), sold(1)]));
    assert!(matches!(
        desk.execute(again),
        Err(Rejected::Refused(Refused::Exists { .. }))
    ));
    assert_eq!(*desk.register(), *before);
    assert_eq!(
        Store::read_only(&url).unwrap().load().unwrap(),
        before.to_things()
    );
    desk.execute(command(100, Action::AddTerminals(vec![sold(500)])))
        .unwrap();
    assert_eq!(
        before.terminals().len() + 1,
        desk.register().terminals().len()
    );
}

fn commands_that_wait_share_a_transaction(site: &Site<'_>) {
    let desk = Desk::open(&url(&site.fresh())).unwrap();
    let tickets: Vec<_> = (1..=500)
        .map(|n| desk.submit(move |_| Ok(put(n).into())))
        .collect();
    let numbers: Vec<u64> = tickets
        .into_iter()
        .map(|t| t.wait().unwrap().unwrap().row.number)
        .collect();
    assert_eq!(numbers, (1..=500).collect::<Vec<_>>());
    // The first may have gone alone, and a thread may be slow to order; one each it never is.
    assert!(desk.health().transactions < 250, "{:?}", desk.health());
}

fn commands_of_one_draft_are_executed_together_or_not_at_all(site: &Site<'_>) {
    let url = url(&site.fresh());
    let desk = worked(&url);
    let before = desk.register();
    let (slow, waits) = std::sync::mpsc::channel::<()>();
    // Three orders of one transaction: the one in the middle is refused after two of its commands were applied.
    let held = desk.submit(move |_| {
        let _ = waits.recv();
        Ok(put(1).into())
    });
    let refused = desk.submit(|_| {
        Ok(Draft {
            commands: vec![
                put(2),
                put(3),
                command(9, Action::AddTerminals(vec![sold(1)])),
            ],
            records: Vec::new(),
        })
    });
    let last = desk.submit(|_| {
        Ok(Draft {
            commands: vec![put(4), put(5)],
            records: Vec::new(),
        })
    });
    drop(slow);
    held.wait().unwrap();
    let refused = refused.wait().unwrap_err();
    assert!(
        matches!(refused, Rejected::Refused(Refused::Exists { .. })),
        "{refused}"
    );
    let last = last.wait().unwrap().unwrap();
    assert_eq!(last.row.number, before.audit_head().rows + 3);
    let after = desk.register();
    let new: Vec<u64> = after.organisations().keys().map(|o| o.0).collect();
    let new: Vec<u64> = new
        .into_iter()
        .filter(|n| !before.organisations().contains_key(&OrganisationId(*n)))
        .collect();
    assert_eq!(new, [1, 4, 5]);
    let mut store = Store::read_only(&url).unwrap();
    assert_eq!(store.load().unwrap(), after.to_things());
    store.verify_audit(Some(after.audit_head())).unwrap();
}

fn conditions_and_records_go_with_the_command(site: &Site<'_>) {
    let url = url(&site.fresh());
    let desk = Desk::open(&url).unwrap();
    let record = |body: Option<&str>| Record {
        kind: "token".into(),
        id: "é 1".into(),
        body: body.map(str::to_owned),
    };
    let (first, second) = (record(Some("one")), record(Some("two")));
    let order = |expected: u64, records: Vec<Record>| {
        desk.submit(move |register| {
            let rows = register.audit_head().rows;
            if rows != expected {
                return Err(Rejected::Condition(format!("{rows} rows")));
            }
            Ok(Draft {
                commands: vec![put(rows + 1)],
                records,
            })
        })
        .wait()
    };
    order(0, vec![first.clone()]).unwrap();
    let refused = order(0, vec![second.clone()]).unwrap_err();
    assert!(matches!(refused, Rejected::Condition(why) if why == "1 rows"));
    let kept = || desk.ask(|store| store.records("token")).wait().unwrap();
    assert_eq!(kept(), [first]);
    order(1, vec![record(None), second.clone()]).unwrap();
    assert_eq!(kept(), [second]);
    let alone = Draft {
        commands: Vec::new(),
        records: vec![record(None)],
    };
    assert!(desk.submit(|_| Ok(alone)).wait().unwrap().is_none());
    assert_eq!(kept(), []);
    assert_eq!(desk.register().audit_head().rows, 2);
}

fn usage_is_kept_by_period(site: &Site<'_>) {
    let url = url(&site.fresh());
    let desk = worked(&url);
    let used = |terminal, period, down_bytes| UsageRecord {
        terminal: ut(terminal),
        period_start: Time::from_nanos(period),
        down_bytes,
        up_bytes: 1,
    };
    desk.record_usage(vec![
        used(1, 10, 5),
        used(1, 10, 7),
        used(2, 10, u64::MAX),
        used(9999, 10, 1),
    ]);
    desk.record_usage(vec![used(1, 20, 3)]);
    until("usage is written", || {
        let health = desk.health();
        health.refused_usage == 1
            && health.unwritten_usage == 0
            && desk.register().usage().get(&ut(1)) == Some(&used(1, 20, 3))
    });
    let history = desk.ask(|store| store.usage_of(ut(1))).wait().unwrap();
    assert_eq!(history, [used(1, 10, 7), used(1, 20, 3)]);
    drop(desk);
    let register = Desk::open(&url).unwrap().register();
    assert_eq!(register.usage()[&ut(1)], used(1, 20, 3));
    // A database holds 63 bits of a counter: 9 EB.
    assert_eq!(register.usage()[&ut(2)], used(2, 10, i64::MAX as u64));
}

/// The clock of the host is an argument here: noon, an hour back, an hour ahead, and noon again.
fn a_clock_that_is_set_back_and_forward_loses_nothing(site: &Site<'_>) {
    let url = url(&site.fresh());
    let mut desk = worked(&url);
    let noon: Time = "2026-03-01T12:00:00Z".parse::<Utc>().unwrap().into();
    let hour = Span::from_secs(3600);
    let (back, ahead) = (noon - hour, noon + hour);
    let order = |desk: &Desk, at: Time, action: Action| {
        let stamp = Stamp {
            by: "user:50".into(),
            at,
            why: "test".into(),
        };
        desk.execute(Command { stamp, action }).unwrap()
    };
    let secret = |n: u64| SecretHash([n as u8; 32]);
    let sign_in = |n: u64, opened: Time, lasts: Span| {
        Action::SignIn(SignIn {
            id: SignInId(n),
            user: UserId(50),
            hash: secret(n),
            opened,
            expires: opened + lasts,
        })
    };
    let token = |n: u64, created: Time, lasts: Span| {
        Action::AddToken(Token {
            id: TokenId(n),
            user: UserId(50),
            name: "a program".into(),
            hash: secret(n),
            permissions: BTreeSet::from([Permission::ReadTerminals]),
            created,
            expires: created + lasts,
        })
    };
    let owner = User {
        id: UserId(50),
        name: "clock".into(),
        mandate: Mandate::Owner,
        identity: None,
        standing: UserStanding::Active,
    };
    let before = desk.register().audit_head().rows;
    let opens = Validity {
        from: Some(noon),
        until: None,
    };
    let half = Span::from_secs(1800);
    for (at, action) in [
        (noon, Action::PutUser(owner)),
        (noon, Action::SetValidity(vec![AreaId(1), AreaId(3)], opens)),
        (noon, token(70, noon, hour)),
        (noon, sign_in(60, noon, hour)),
        (back, token(71, back, hour * 3)),
        (back, sign_in(61, back, half)),
        (ahead, sign_in(62, ahead, hour)),
        (noon, token(72, noon, hour)),
    ] {
        order(&desk, at, action);
    }
    let holds = |desk: &Desk| {
        let register = desk.register();
        let directory = register.directory();
        let session = |n, at| directory.by_sign_in(SignInId(n), secret(n), at).is_some();
        let token = |n, at| directory.by_token(TokenId(n), secret(n), at).is_some();
        // What was made at a time that has not come again is good when it has, and ends when it was to end.
        assert!(!token(70, back) && token(70, noon) && !token(70, ahead));
        assert!(token(71, back) && token(71, ahead) && token(72, noon));
        // Who signs in an hour ahead closes what has ended by then: whoever is concerned signs in again.
        assert!(!session(60, noon) && !session(61, back));
        assert!(!session(62, noon) && session(62, ahead));
        // Areas begin and end by the time that is asked about.
        let policy = Policy::new(&register);
        let here = Geodetic::from_degrees(48.0, 30.0).unwrap();
        let area = &register.areas()[&AreaId(1)];
        let open = [back, noon, ahead].map(|t| policy.market(here, t).is_some());
        assert_eq!(open, [back, noon, ahead].map(|t| area.validity.contains(t)));
        assert_eq!(area.validity, opens);
    };
    holds(&desk);
    // Traffic of the hour that comes again is one period's; the later count stands.
    let used = |bytes| UsageRecord {
        terminal: ut(1),
        period_start: noon,
        down_bytes: bytes,
        up_bytes: 0,
    };
    desk.record_usage(vec![used(10)]);
    desk.record_usage(vec![used(20)]);
    until("traffic", || {
        desk.health().unwritten_usage == 0
            && desk
                .register()
                .usage()
                .get(&ut(1))
                .is_some_and(|u| u.down_bytes == 20)
    });
    drop(desk);
    // A start on what was written at all these times.
    desk = Desk::open(&url).unwrap();
    holds(&desk);
    let head = desk.register().audit_head();
    assert_eq!(head.rows, before + 8);
    let mut beside = Store::read_only(&url).unwrap();
    assert_eq!(beside.verify_audit(Some(head)).unwrap(), head);
    // The log is in the order in which things were done, with the time that the clock showed.
    let told: Vec<Time> = beside
        .audit(before + 1, 8)
        .unwrap()
        .iter()
        .map(|row| serde_json::from_str::<AuditEntry>(&row.body).unwrap())
        .map(|entry| entry.stamp.at)
        .collect();
    assert_eq!(told, [noon, noon, noon, noon, back, back, ahead, noon]);
}

fn one_process_writes_and_others_read(site: &Site<'_>) {
    let url = url(&site.fresh());
    if site.is_sqlite() {
        assert!(matches!(Store::read_only(&url), Err(StoreError::Absent(_))));
    }
    let desk = worked(&url);
    let second = Desk::open(&url).unwrap_err();
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    let mut reader = Store::read_only(&url).unwrap();
    assert_eq!(reader.head().unwrap(), desk.register().audit_head());
    assert!(reader.probe().is_err() || !site.is_sqlite());
    drop(desk);
    Desk::open(&url).unwrap();
}

fn the_audit_log_is_append_only_and_verify_finds_the_first_changed_row(site: &Site<'_>) {
    let text = site.fresh();
    let url = url(&text);
    let head = worked(&url).register().audit_head();
    for change in [
        "UPDATE audit SET body = '{}' WHERE number = 5",
        "DELETE FROM audit WHERE number = 5",
        "DELETE FROM audit",
        "INSERT INTO audit (number, body, hash) VALUES (1000, '', '')",
        "INSERT INTO audit (number, body, hash) VALUES (-1, '', '')",
    ] {
        let refused = site.sql(&text, change).unwrap_err();
        assert!(refused.contains("append-only"), "{change}: {refused}");
    }
    let verify = || Store::read_only(&url).unwrap().verify_audit(Some(head));
    assert_eq!(verify().unwrap(), head);
    let triggers = if site.is_sqlite() {
        "DROP TRIGGER audit_keeps; DROP TRIGGER audit_holds; DROP TRIGGER audit_appends"
    } else {
        "DROP TRIGGER audit_keeps ON audit; DROP TRIGGER audit_appends ON audit"
    };
    site.sql(&text, triggers).unwrap();
    let last = head.rows;
    for (change, expected) in [
        (
            format!("DELETE FROM audit WHERE number = {last}"),
            AuditBroken::OtherEnd {
                found: last - 1,
                expected: last,
            },
        ),
        (
            "UPDATE audit SET hash = 'nonsense' WHERE number = 30".into(),
            AuditBroken::Changed { number: 30 },
        ),
        (
            "DELETE FROM audit WHERE number = 20".into(),
            AuditBroken::Changed { number: 20 },
        ),
        (
            "UPDATE audit SET body = replace(body, 'user:1', 'user:2') WHERE number = 7".into(),
            AuditBroken::Changed { number: 7 },
        ),
        (
            "INSERT INTO audit (number, body, hash) VALUES (0, '', '')".into(),
            AuditBroken::Changed { number: 1 },
        ),
    ] {
        site.sql(&text, &change).unwrap();
        match verify() {
            Err(StoreError::Audit(broken)) => assert_eq!(broken, expected, "{change}"),
            other => panic!("{change}: {other:?}"),
        }
    }
}

/// A database of an older version with what its program had written.
fn of_version(site: &Site<'_>, version: u32) -> String {
    let text = site.fresh();
    site.put_version_1(&text);
    if version == 2 {
        let step = if site.is_sqlite() {
            include_str!("../migrations/sqlite/0002.sql")
        } else {
            include_str!("../migrations/postgres/0002.sql")
        };
        site.sql(&text, step).unwrap();
        let written = "INSERT INTO record (kind, id, body) VALUES ('answer', '1', '{}'), ('token', '1', '{}')";
        site.sql(&text, written).unwrap();
        site.sql(&text, "UPDATE meta SET value = '2' WHERE key = 'version'")
            .unwrap();
    }
    text
}

fn an_older_version_goes_forwards_a_newer_or_foreign_one_is_refused(site: &Site<'_>) {
    for version in [1, 2] {
        goes_forwards(site, &of_version(site, version), version);
    }

    let text = site.fresh();
    drop(worked(&url(&text)));
    site.sql(&text, "UPDATE meta SET value = '4' WHERE key = 'version'")
        .unwrap();
    let newer = Desk::open(&url(&text)).unwrap_err();
    assert!(
        matches!(
            newer,
            StoreError::Newer {
                found: 4,
                known: 3,
                ..
            }
        ),
        "{newer}"
    );
    assert!(
        newer.to_string().contains("use a newer skyweave"),
        "{newer}"
    );

    for foreign in [
        "CREATE TABLE books (title TEXT)",
        "CREATE TABLE meta (x TEXT)",
    ] {
        let text = site.fresh();
        site.sql(&text, foreign).unwrap();
        let refused = Desk::open(&url(&text)).unwrap_err();
        assert!(matches!(refused, StoreError::NotOurs(_)), "{refused}");
    }
}

fn goes_forwards(site: &Site<'_>, text: &str, version: u32) {
    let url_of_old = url(text);
    let older = Store::read_only(&url_of_old).err().unwrap();
    assert!(
        matches!(older, StoreError::Older { found, known: 3, .. } if found == version),
        "{older}"
    );
    let desk = Desk::open(&url_of_old).unwrap();
    let register = desk.register();
    assert_eq!(
        (
            register.terminals().len(),
            register.lists().len(),
            register.audit_head().rows
        ),
        (40, 2, ROWS_OF_OLD)
    );
    assert_eq!(register.usage()[&ut(1)].down_bytes, 12_345);
    let head = desk.ask(|store| store.verify_audit(None)).wait().unwrap();
    assert_eq!(head, register.audit_head());
    let kept = |kind| desk.ask(move |store| store.records(kind)).wait().unwrap();
    assert_eq!(kept("answer").len(), version as usize - 1);
    assert_eq!(kept("token"), []);
    // What only this version knows is written and read back.
    for command in a_days_work().into_iter().filter(|c| {
        matches!(
            c.action,
            Action::PutUser(User {
                mandate: Mandate::Owner,
                ..
            }) | Action::SetPassword(UserId(1), _)
        )
    }) {
        desk.execute(command).unwrap();
    }
    let last = desk.register();
    drop(desk);
    assert_eq!(*Desk::open(&url_of_old).unwrap().register(), *last);
    assert!(site.sql(text, "DELETE FROM audit").is_err());
}

fn a_backup_taken_while_writing_is_restored_whole_or_not_at_all(site: &Site<'_>) {
    let url_of_first = url(&site.fresh());
    let desk = Arc::new(worked(&url_of_first));
    let saving = Arc::new(AtomicBool::new(true));
    let (writer, going_on) = (Arc::clone(&desk), Arc::clone(&saving));
    let writing = std::thread::spawn(move || {
        let mut n = 1000;
        while going_on.load(Ordering::Relaxed) {
            writer.execute(put(n)).unwrap();
            n += 1;
        }
        // One at least is not in what was saved.
        writer.execute(put(n)).unwrap();
    });
    until("some rows are written", || {
        desk.register().audit_head().rows > 100
    });
    let mut saved = Vec::new();
    let done = backup(&mut Store::read_only(&url_of_first).unwrap(), &mut saved).unwrap();
    saving.store(false, Ordering::Relaxed);
    writing.join().unwrap();
    assert!(done.audit.rows >= 100 && done.audit.rows < desk.register().audit_head().rows);

    // Into a new database of the same kind, and into a file: from there it would have come, or would go.
    let file = tempfile::tempdir().unwrap();
    let file = file.path().join("restored").display().to_string();
    for text in [site.fresh(), file] {
        let mut store = Store::open(&url(&text)).unwrap();
        let restored = restore(&mut store, &saved[..]).unwrap();
        assert_eq!(
            (restored.audit, restored.rows, restored.broken),
            (done.audit, done.rows, None)
        );
        assert_eq!(store.verify_audit(Some(done.audit)).unwrap(), done.audit);
        let things = store.load().unwrap();
        assert_eq!(things.terminals, desk.register().to_things().terminals);
        let full = restore(&mut store, &saved[..]).unwrap_err();
        assert!(matches!(full, StoreError::NotEmpty(_)), "{full}");
        let mut again = Vec::new();
        backup(&mut store, &mut again).unwrap();
        assert!(again == saved, "a restored database gives the same backup");
    }

    let mut store = Store::open(&url(&site.fresh())).unwrap();
    let mut changed = saved.clone();
    changed[saved.len() / 2] ^= 1;
    for bad in [
        &saved[..saved.len() - 1],
        &saved[..saved.len() / 2],
        &changed,
        b"",
        b"{}",
    ] {
        let refused = restore(&mut store, bad).unwrap_err();
        assert!(
            matches!(refused, StoreError::BadBackup(_) | StoreError::Audit(_)),
            "{refused}"
        );
        assert_eq!(store.head().unwrap(), AuditHead::default());
    }
}

fn subscribers_hear_what_was_done_or_that_they_missed_some(site: &Site<'_>) {
    let desk = Desk::open(&url(&site.fresh())).unwrap();
    let mut events = desk.subscribe();
    let outcome = desk.execute(put(1)).unwrap();
    match events.wait() {
        Some(Event::Done(heard)) => assert!(Arc::ptr_eq(&heard, &outcome)),
        other => panic!("{other:?}"),
    }
    assert_eq!(outcome.touched, [Touched::Organisation(OrganisationId(1))]);
    let tickets: Vec<_> = (2..1600)
        .map(|n| desk.submit(move |_| Ok(put(n).into())))
        .collect();
    tickets.into_iter().for_each(|t| drop(t.wait().unwrap()));
    assert!(matches!(events.wait(), Some(Event::Everything)));
    drop(desk);
    let rest = std::iter::from_fn(|| events.wait()).count();
    assert!((1..1598).contains(&rest), "{rest}");
}

fn reads_go_on_while_the_database_is_away_and_it_comes_back_by_itself(site: &Site<'_>) {
    let text = site.fresh();
    let desk = worked(&url(&text));
    let before = desk.register();
    site.take_away(&text);
    let refused = desk.execute(put(1)).unwrap_err();
    assert!(matches!(refused, Rejected::Away(_)), "{refused:?}");
    assert!(!works(&desk));
    assert_eq!(*desk.register(), *before);
    assert!(desk.ask(|store| store.head()).wait().is_err());
    // Counted traffic decides on entitlement although it cannot be written yet.
    let used = UsageRecord {
        terminal: ut(1),
        period_start: Time::from_nanos(5),
        down_bytes: 1 << 41,
        up_bytes: 0,
    };
    desk.record_usage(vec![used]);
    until("usage counts", || {
        desk.register().usage().contains_key(&ut(1))
    });
    assert_eq!(desk.health().unwritten_usage, 1);
    // What is refused is refused at once: nobody waits for the database.
    let begin = Instant::now();
    assert!(desk.execute(put(1)).is_err());
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
    site.bring_back(&text);
    until("the desk works", || works(&desk));
    desk.execute(put(1)).unwrap();
    until("usage is written", || desk.health().unwritten_usage == 0);
    let stored = desk.ask(|store| store.load()).wait().unwrap();
    assert_eq!(stored, desk.register().to_things());
    assert_eq!(stored.usage, [used]);

    // A server that was away between two writes is not even noticed.
    site.take_away(&text);
    site.bring_back(&text);
    desk.execute(put(2)).unwrap();
}

fn a_database_that_lost_rows_is_not_written(site: &Site<'_>) {
    let text = site.fresh();
    let mut saved = Vec::new();
    let desk = worked(&url(&text));
    backup(&mut Store::read_only(&url(&text)).unwrap(), &mut saved).unwrap();
    desk.execute(put(1)).unwrap();
    let head = desk.register().audit_head();
    // Somebody puts an older backup in its place.
    site.replace_with(&text, &saved);
    let refused = desk.execute(put(2)).unwrap_err();
    until("the desk sees what is lost", || {
        match desk.health().database {
            Database::Away { why, .. } => matches!(*why, StoreError::Diverged { .. }),
            _ => false,
        }
    });
    assert!(!matches!(refused, Rejected::Refused(_)), "{refused}");
    assert_eq!(desk.register().audit_head(), head);
    assert!(matches!(desk.execute(put(3)), Err(Rejected::Away(_))));
}

fn a_lock_of_somebody_else_is_named_and_waited_for(site: &Site<'_>) {
    let text = site.fresh();
    let desk = worked(&url(&text));
    let lock = site.lock(&text);
    let refused = desk.execute(put(1)).unwrap_err();
    match &refused {
        Rejected::Away(why) => assert!(matches!(**why, StoreError::Locked { .. }), "{why:?}"),
        other => panic!("{other:?}"),
    }
    assert!(
        !desk
            .register()
            .organisations()
            .contains_key(&OrganisationId(1))
    );
    drop(lock);
    until("the desk works", || works(&desk));
    desk.execute(put(1)).unwrap();
}

fn a_database_that_became_read_only_says_so(site: &Site<'_>) {
    let text = site.fresh();
    let head = worked(&url(&text)).register().audit_head();
    let said = match site.kind {
        Kind::Sqlite => {
            let _ = fs::remove_file(format!("{text}.lock"));
            site.set_read_only(&text, true);
            let child = killed::child(&text, "open", |c| {
                // Root may write where nobody may.
                if is_root() {
                    c.uid(NOBODY).gid(NOBODY);
                }
            });
            let said = child.wait_with_output().unwrap();
            site.set_read_only(&text, false);
            String::from_utf8_lossy(&said.stdout).into_owned()
        }
        Kind::Postgres(server) => {
            let name = text.rsplit('/').next().unwrap();
            let sql = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
            client(&server.url("postgres")).batch_execute(&sql).unwrap();
            let desk = Desk::open(&url(&text)).unwrap();
            desk.execute(put(1)).unwrap_err().to_string()
        }
    };
    assert!(said.contains("can only be read"), "{said}");
    assert_eq!(Store::read_only(&url(&text)).unwrap().head().unwrap(), head);
}

#[test]
fn a_full_disk_is_named_and_nothing_is_lost() {
    let site = Site::new(Kind::Sqlite);
    let dir = site.dir.path().join("small");
    fs::create_dir(&dir).unwrap();
    let Some(said) = killed::on_a_small_disk(&dir, 4, "fill") else {
        return;
    };
    assert!(said.contains("the disk of database"), "{said}");
    assert!(said.contains("all confirmed rows are there"), "{said}");
}

#[test]
fn a_full_disk_of_a_server_loses_nothing() {
    if !is_root() || Server::start().is_none() {
        eprintln!("SKIPPED: a server on a disk of its own needs root and PostgreSQL");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let Some(said) = killed::on_a_small_disk(dir.path(), 96, "fill postgres") else {
        return;
    };
    // A server that stops over its log is away; one that goes on says that its disk is full.
    let named = said.contains("is full") || said.contains("is away");
    assert!(named && said.contains("PostgreSQL database"), "{said}");
    assert!(said.contains("all confirmed rows are there"), "{said}");
}

#[test]
fn a_lock_that_another_process_holds_is_named_and_goes_with_it() {
    let site = Site::new(Kind::Sqlite);
    let text = site.fresh();
    let desk = worked(&url(&text));
    let mut holder = killed::child(&text, "hold", |c| {
        c.stdin(std::process::Stdio::piped());
    });
    let mut said = std::io::BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap() == "held"));
    let refused = desk.execute(put(1)).unwrap_err().to_string();
    assert!(
        refused.contains("is locked by another process"),
        "{refused}"
    );
    // Whoever reads the register is not held up.
    assert!(desk.register().terminals().contains_key(&ut(1)));
    holder.kill().unwrap();
    holder.wait().unwrap();
    until("the desk works", || works(&desk));
    desk.execute(put(1)).unwrap();
    let stored = desk.ask(|store| store.load()).wait().unwrap();
    assert_eq!(stored, desk.register().to_things());
}

/// Pages overwritten one after the other, as a bad disk does it: what reads them says so or does not need them, and the check
/// finds each that holds something.
#[test]
fn a_page_of_rubbish_is_found_and_never_panics() {
    const PAGE: usize = 4096;
    let site = Site::new(Kind::Sqlite);
    let text = site.fresh();
    drop(worked(&url(&text)));
    let whole = fs::read(&text).unwrap();
    let mut found = 0;
    let pages = whole.len() / PAGE;
    for page in 0..pages {
        let bad = site.fresh();
        let mut bytes = whole.clone();
        for (n, byte) in bytes[page * PAGE..(page + 1) * PAGE].iter_mut().enumerate() {
            *byte = (n * 151 + page) as u8;
        }
        fs::write(&bad, &bytes).unwrap();
        let whole = Store::read_only(&url(&bad))
            .and_then(|mut store| store.check())
            .is_ok_and(|parts| parts.iter().all(|part| part.found.is_ok()));
        found += usize::from(!whole);
        if let Err(error) = Desk::open(&url(&bad)) {
            assert!(
                matches!(error, StoreError::Damaged { .. }),
                "{page}: {error}"
            );
        }
    }
    assert_eq!(found, pages);
}

#[test]
fn a_full_disk_of_postgresql_is_named() {
    let Some(server) = Server::start() else {
        return;
    };
    let text = server.database();
    let desk = worked(&url(&text));
    let site = Site::new(Kind::Postgres(&server));
    // The server's own words for a full disk, without filling one.
    site.sql(
        &text,
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
         CREATE TRIGGER full_disk BEFORE INSERT ON thing FOR EACH STATEMENT EXECUTE FUNCTION full_disk()",
    )
    .unwrap();
    let before = desk.register();
    match desk.execute(put(1)).unwrap_err() {
        Rejected::Away(why) => assert!(matches!(*why, StoreError::Full { .. }), "{why:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(*desk.register(), *before);
    site.sql(&text, "DROP TRIGGER full_disk ON thing").unwrap();
    until("the desk works", || works(&desk));
    desk.execute(put(1)).unwrap();
    let stored = desk.ask(|store| store.load()).wait().unwrap();
    assert_eq!(stored, desk.register().to_things());
}

#[test]
fn a_torn_or_foreign_file_is_refused_and_never_panics() {
    let site = Site::new(Kind::Sqlite);
    let text = site.fresh();
    drop(worked(&url(&text)));
    let whole = fs::read(&text).unwrap();
    let torn = site.fresh();
    let mut seen = BTreeSet::new();
    for length in [
        0,
        1,
        50,
        100,
        4096,
        5000,
        whole.len() / 2,
        whole.len() - 4096,
        whole.len() - 1,
    ] {
        fs::write(&torn, &whole[..length]).unwrap();
        match Desk::open(&url(&torn)) {
            // An empty file is a new database.
            Ok(desk) => assert!(
                length == 0 && desk.register().audit_head().rows == 0,
                "{length}"
            ),
            Err(error) => {
                let damaged = matches!(error, StoreError::Damaged { .. });
                assert!(damaged, "{length}: {error}");
                seen.insert(error.to_string());
            }
        }
        for beside in ["-wal", "-shm", ".lock"] {
            let _ = fs::remove_file(format!("{torn}{beside}"));
        }
    }
    assert!(
        seen.iter().all(|e| e.contains("restore a backup")),
        "{seen:?}"
    );
    fs::write(
        &torn,
        "Sehr geehrte Damen und Herren, dies ist keine Datenbank.".repeat(100),
    )
    .unwrap();
    let foreign = Desk::open(&url(&torn)).unwrap_err();
    assert!(matches!(foreign, StoreError::Damaged { .. }), "{foreign}");
}

#[test]
fn what_cannot_be_opened_says_why() {
    let nowhere = Desk::open(&url("/no/such/folder/x.sqlite")).unwrap_err();
    assert!(
        nowhere.to_string().contains("/no/such/folder/x.sqlite"),
        "{nowhere}"
    );
    let nobody = Desk::open(&url(
        "postgres://sky:s3cret@127.0.0.1:1/x?connect_timeout=2",
    ))
    .unwrap_err();
    assert!(matches!(nobody, StoreError::Gone { .. }), "{nobody}");
    assert!(!nobody.to_string().contains("s3cret"), "{nobody}");
}

#[test]
fn a_csv_with_bad_rows_in_the_middle_imports_nothing_and_lists_them_all() {
    let site = Site::new(Kind::Sqlite);
    let desk = worked(&url(&site.fresh()));
    let before = desk.register();
    let mut csv = String::from("id,key,model,batch,market\n");
    for n in 1000..2000 {
        let t = sold(n);
        csv += &match n {
            1300 => format!("{},{},rev4,none,Ukraine\n", t.id, t.key),
            1500 => format!("{},{},rev4,1,UA\n", ut(1000), t.key),
            // One that the register has.
            1700 => format!("{},{},rev4,1,UA\n", ut(7), t.key),
            1701 => format!("{},{},rev4,1,UA\n", t.id, sold(8).key),
            _ => format!("{},{},rev4,{},UA\n", t.id, t.key, t.batch),
        };
    }
    let bad = parse_new_terminals(csv.as_bytes(), || &*before).unwrap_err();
    let lines: Vec<u64> = bad.0.iter().map(|row| row.line).collect();
    assert_eq!(lines, [302, 502, 702, 703], "{bad}");
    let said = bad.to_string();
    assert!(
        said.contains("line 703: terminal ut01000000-00000000-00000008 has this key"),
        "{said}"
    );
    let good: String = csv
        .lines()
        .zip(1..)
        .filter(|(_, n)| !lines.contains(n))
        .map(|(line, _)| format!("{line}\n"))
        .collect();
    let terminals = parse_new_terminals(good.as_bytes(), || &*before).unwrap();
    let done = desk
        .execute(command(1, Action::AddTerminals(terminals)))
        .unwrap();
    assert_eq!(done.touched.len(), 996);
}

#[test]
fn a_csv_of_ten_thousand_is_imported_by_one_command() {
    let site = Site::new(Kind::Sqlite);
    let mut csv = String::from("id,key,model,batch,market\n");
    for n in 1..=10_000 {
        let t = sold(n);
        csv += &format!("{},{},rev4,{},UA\n", t.id, t.key, t.batch);
    }
    let terminals = parse_terminals(csv.as_bytes()).unwrap();
    let text = site.fresh();
    let desk = Desk::open(&url(&text)).unwrap();
    let outcome = desk
        .execute(command(1, Action::AddTerminals(terminals)))
        .unwrap();
    assert_eq!((outcome.touched.len(), outcome.row.number), (10_000, 1));
    let register = desk.register();
    drop(desk);
    assert_eq!(*Desk::open(&url(&text)).unwrap().register(), *register);
}
