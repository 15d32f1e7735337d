//! The store and the desk, the same tests on both databases.

#[path = "store/places.rs"]
mod places;
#[path = "store/things.rs"]
mod things;

use places::*;
use skyweave::operator::*;
use skyweave_base::Time;
use skyweave_service::*;
use std::sync::Arc;
use things::*;

type Check = fn(&Site<'_>);

/// What both databases must do.
const SUITE: &[(&str, Check)] = &[(
    "every action is read back as it was",
    every_action_is_read_back_as_it_was,
)];

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

fn every_action_is_read_back_as_it_was(place: &Site<'_>) {
    let commands = a_days_work();
    assert_eq!(names(&commands).len(), 23, "{:?}", names(&commands));
    let url = url(&place.fresh());
    let desk = Desk::open(&url).unwrap();
    let mut beside = Store::read_only(&url).unwrap();
    for command in commands {
        desk.execute(command.clone())
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let stored = Register::load(beside.load().unwrap()).unwrap();
        assert_eq!(all(&stored), all(&desk.register()), "after {command:?}");
        assert_eq!(stored, *desk.register());
    }
    let last = desk.register();
    drop(desk);
    let again = Desk::open(&url).unwrap();
    assert_eq!(*again.register(), *last);
    assert_eq!(
        beside.verify_audit(Some(last.audit_head())).unwrap(),
        last.audit_head()
    );
}
