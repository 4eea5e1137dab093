//! The database: what is put in comes out, old data goes, newer versions are refused.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use store::{
    ArchivedMapping, Change, Chronicle, Credential, Database, DatabaseReader, DbError, Device,
    Edit, MappingHash, Rename, Snapshot, Thing, User, UserKind,
};
use tempfile::TempDir;
use types::{DeviceId, InputNo, Instant, UnixTime, Value};

fn database() -> (TempDir, PathBuf, Database) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("house.db");
    let db = Database::open(&path).unwrap();
    (folder, path, db)
}

pub(crate) fn mapping(byte: u8, used_at: u64) -> ArchivedMapping {
    ArchivedMapping {
        hash: MappingHash([byte; 32]),
        files: vec![byte; 100],
        used_at: Instant(used_at),
    }
}

pub(crate) fn snapshot(no: u64, mapping: u8) -> Snapshot {
    Snapshot {
        no: InputNo(no),
        now: crate::second(no),
        mapping: MappingHash([mapping; 32]),
        format: 1,
        binary: "0.1.0".to_owned(),
        body: vec![no as u8; 1_000],
        broker: None,
    }
}

#[test]
fn users_are_added_changed_and_removed() {
    let (_folder, _, mut db) = database();
    let mut ada = User {
        name: "ada".to_owned(),
        kind: UserKind::Person,
        credential: Credential::Phc("$argon2id$v=19$..".to_owned()),
        grants: "admin".to_owned(),
    };
    let piano = User {
        name: "piano".to_owned(),
        kind: UserKind::Device,
        credential: Credential::Blake2s([9; 32]),
        grants: String::new(),
    };
    db.put_user(&piano).unwrap();
    db.put_user(&ada).unwrap();
    ada.grants = "read".to_owned();
    db.put_user(&ada).unwrap();
    assert_eq!(db.read().users().unwrap().0, [ada.clone(), piano]);
    assert_eq!(db.read().user("ada").unwrap(), Some(ada.clone()));
    assert!(db.remove_user("ada").unwrap());
    assert!(!db.remove_user("ada").unwrap());
    assert_eq!(db.read().user("ada").unwrap(), None);
    assert!(!format!("{ada:?}").contains("argon2"));
}

#[test]
fn a_row_that_is_damaged_keeps_nobody_else_out() {
    let (_folder, path, mut db) = database();
    let user = |name: &str| User {
        name: name.to_owned(),
        kind: UserKind::Tool,
        credential: Credential::Blake2s([9; 32]),
        grants: String::new(),
    };
    for name in ["ada", "bob", "cy", "dee"] {
        db.put_user(&user(name)).unwrap();
    }
    let raw = rusqlite::Connection::open(path).unwrap();
    raw.execute_batch(
        "PRAGMA ignore_check_constraints = 1;
         UPDATE users SET kind = 9 WHERE name = 'ada';
         UPDATE users SET blake2s = X'00' WHERE name = 'cy';",
    )
    .unwrap();
    let (users, damaged) = db.read().users().unwrap();
    assert_eq!(users, [user("bob"), user("dee")]);
    let said: Vec<_> = damaged.iter().map(ToString::to_string).collect();
    assert!(said[0].contains("user 'ada' is of kind 9"), "{said:?}");
    assert!(said[1].contains("a user's: "), "{said:?}");
    assert!(said.iter().all(|line| line.contains("restore a backup")));
}

#[test]
fn what_is_no_database_is_said_to_be_damaged_with_what_to_do() {
    let (_folder, path, db) = database();
    drop(db);
    std::fs::write(&path, b"not a database".repeat(100)).unwrap();
    let error = Database::open(&path).unwrap_err();
    assert!(matches!(error, DbError::Corrupt(_)), "{error:?}");
    assert!(error.to_string().contains("restore a backup"), "{error}");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let error = Database::open(&path).unwrap_err();
    assert!(matches!(error, DbError::Denied(_)), "{error:?}");
}

#[test]
fn a_device_keeps_its_first_time_and_its_counters_grow() {
    let (_folder, _, mut db) = database();
    let seen = |name: &str, at, refused| Device {
        id: DeviceId(17),
        name: name.to_owned(),
        first_seen: UnixTime(at),
        last_seen: UnixTime(at + 1),
        counters: BTreeMap::from([("refused".to_owned(), refused)]),
    };
    let mut add = |up_to, device| {
        let chronicle = Chronicle {
            up_to: InputNo(up_to),
            devices: vec![device],
            ..Chronicle::default()
        };
        db.add_history(&chronicle).unwrap();
    };
    add(5, seen("hall lamp", 5, 3));
    add(9, seen("hall", 7, 1));
    let mut both = seen("hall", 5, 4);
    both.last_seen = UnixTime(8);
    assert_eq!(db.read().devices().unwrap(), [both]);
    assert_eq!(db.read().history_up_to().unwrap(), Some(InputNo(9)));
}

#[test]
fn the_newest_snapshot_whose_checksum_holds_is_taken() {
    let (_folder, path, mut db) = database();
    db.archive_mapping(&mapping(1, 0)).unwrap();
    for no in [10, 20, 30] {
        db.put_snapshot(&snapshot(no, 1)).unwrap();
    }
    let raw = rusqlite::Connection::open(path).unwrap();
    raw.execute(
        "UPDATE snapshots SET body = zeroblob(1000) WHERE no = 30",
        [],
    )
    .unwrap();
    let (newest, rejected) = db.read().newest_snapshot(InputNo(u64::MAX)).unwrap();
    assert_eq!(newest, Some(snapshot(20, 1)));
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].no, InputNo(30));
    let (older, rejected) = db.read().newest_snapshot(InputNo(19)).unwrap();
    assert_eq!((older, rejected), (Some(snapshot(10, 1)), vec![]));
    let (none, _) = db.read().newest_snapshot(InputNo(9)).unwrap();
    assert_eq!(none, None);
}

#[test]
fn a_snapshot_of_a_mapping_that_is_not_archived_is_refused() {
    let (_folder, _, mut db) = database();
    let error = db.put_snapshot(&snapshot(1, 7)).unwrap_err();
    assert!(matches!(error, DbError::UnknownMapping(MappingHash(hash)) if hash == [7; 32]));
}

#[test]
fn pruning_keeps_the_newest_snapshots_and_the_mappings_that_are_still_needed() {
    let (_folder, _, mut db) = database();
    for (byte, used_at) in [(1, 0), (2, 15_000_000), (3, 35_000_000), (4, 38_000_000)] {
        db.archive_mapping(&mapping(byte, used_at)).unwrap();
    }
    for (no, byte) in [(10, 1), (20, 2), (30, 2), (40, 4)] {
        db.put_snapshot(&snapshot(no, byte)).unwrap();
    }
    assert_eq!(db.prune_snapshots(InputNo(25), 1).unwrap(), 2);
    assert_eq!(db.prune_snapshots(InputNo(1_000), 2).unwrap(), 0);
    let kept: Vec<_> = db.read().snapshots().unwrap();
    assert_eq!(kept.iter().map(|s| s.no.0).collect::<Vec<_>>(), [40, 30]);
    assert_eq!(db.prune_mappings().unwrap(), 1);
    assert_eq!(db.read().mapping(MappingHash([1; 32])).unwrap(), None);
    let reloaded = db.read().mapping(MappingHash([3; 32])).unwrap();
    assert_eq!(reloaded, Some(mapping(3, 35_000_000)));
}

#[test]
fn history_comes_back_in_order_and_typed_and_is_pruned_by_age() {
    let (_folder, _, mut db) = database();
    let change = |at, field: &str, value| Change {
        at: UnixTime(at),
        thing: Arc::new(thing(7, "hall")),
        field: field.into(),
        value,
    };
    let changes = vec![
        change(1, "on", Some(Value::Bool(true))),
        change(3, "on", None),
        change(2, "on", Some(Value::Bool(false))),
        change(2, "level", Some(Value::Number(1.0))),
        change(2, "level", Some(Value::Number(40.0))),
        change(1, "mode", Some("warm".into())),
    ];
    assert_eq!(db.read().history_up_to().unwrap(), None);
    db.add_history(&Chronicle {
        changes,
        ..Chronicle::default()
    })
    .unwrap();
    let read = |db: &Database, field, limit| {
        let all = UnixTime(i64::MIN)..UnixTime(i64::MAX);
        db.read()
            .history((&thing(7, "hall"), None), field, all.start, all.end, limit)
            .unwrap()
    };
    let on = [
        (UnixTime(1), Some(Value::Bool(true))),
        (UnixTime(2), Some(Value::Bool(false))),
        (UnixTime(3), None),
    ];
    assert_eq!(read(&db, "on", 10), on);
    assert_eq!(read(&db, "on", 2), on[1..]);
    assert_eq!(
        read(&db, "level", 10),
        [(UnixTime(2), Some(Value::Number(40.0)))]
    );
    assert_eq!(read(&db, "mode", 10), [(UnixTime(1), Some("warm".into()))]);
    assert_eq!(db.prune_history(UnixTime(2)).unwrap(), 2);
    assert_eq!(read(&db, "on", 10), on[1..]);
    assert_eq!(read(&db, "mode", 10), []);
}

/// The lamp of a device; 0: of one without a number.
fn thing(number: u16, device: &str) -> Thing {
    Thing {
        number: (number != 0).then_some(DeviceId(number)),
        device: device.into(),
        channel: "lamp".into(),
        kind: "dimmer".into(),
    }
}

fn level(at: i64, thing: Thing, value: f64) -> Change {
    Change {
        at: UnixTime(at),
        thing: Arc::new(thing),
        field: "level".into(),
        value: Some(Value::Number(value)),
    }
}

fn levels(db: &DatabaseReader, thing: &Thing, gone: Option<i64>) -> Vec<f64> {
    let all = UnixTime(i64::MIN)..UnixTime(i64::MAX);
    let gone = gone.map(UnixTime);
    let rows = db.history((thing, gone), "level", all.start, all.end, 10);
    let values = rows.unwrap().into_iter().filter_map(|(_, value)| value);
    values.filter_map(|value| value.as_number()).collect()
}

fn edit(at: i64, behind: usize, renames: &[(Thing, Thing)]) -> Edit {
    let renames = renames.iter().cloned();
    Edit {
        no: InputNo(1),
        at: UnixTime(at),
        behind,
        renames: renames.map(|(was, is)| Rename { was, is }).collect(),
    }
}

#[test]
fn history_follows_things_to_their_new_names_and_is_nobody_else_s() {
    let (_folder, _path, mut db) = database();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| thing(0, name));
    let gone = thing(0, "gone");
    let chronicle = Chronicle {
        changes: vec![
            level(1, a.clone(), 1.0),
            level(1, b.clone(), 2.0),
            level(1, c.clone(), 3.0),
            level(1, gone.clone(), 4.0),
            level(5, b.clone(), 9.0),
            level(6, c.clone(), 8.0),
        ],
        edits: vec![edit(
            3,
            4,
            &[
                (a.clone(), b.clone()),
                (b.clone(), a.clone()),
                (c.clone(), gone.clone()),
                (thing(0, "never"), d.clone()),
            ],
        )],
        ..Chronicle::default()
    };
    db.add_history(&chronicle).unwrap();
    let db = db.read();
    assert_eq!(levels(db, &a, None), [2.0]);
    assert_eq!(levels(db, &b, None), [1.0, 9.0]);
    assert_eq!(levels(db, &c, None), [8.0], "a new one has its name");
    assert_eq!(levels(db, &gone, None), [3.0]);
    assert_eq!(levels(db, &gone, Some(2)), [4.0], "that was another one");
    assert_eq!(levels(db, &d, None), [0.0; 0]);
}

#[test]
fn history_of_a_device_with_a_number_is_its_own_whatever_it_is_called() {
    let (_folder, _path, mut db) = database();
    let chronicle = Chronicle {
        changes: vec![
            level(1, thing(7, "hall"), 1.0),
            level(5, thing(8, "hall"), 2.0),
            level(9, thing(7, "attic"), 3.0),
        ],
        edits: vec![edit(3, 1, &[(thing(7, "hall"), thing(7, "floor"))])],
        ..Chronicle::default()
    };
    db.add_history(&chronicle).unwrap();
    assert_eq!(levels(db.read(), &thing(7, "attic"), None), [1.0, 3.0]);
    assert_eq!(levels(db.read(), &thing(8, "hall"), None), [2.0]);
}

/// What stood in a database before it told things from names.
const NAMES_ALONE: &str = "
    DROP TABLE series; DROP TABLE things;
    CREATE TABLE series (
        id      INTEGER PRIMARY KEY,
        channel TEXT NOT NULL,
        field   TEXT NOT NULL,
        UNIQUE (channel, field)
    ) STRICT;
    INSERT INTO series VALUES (1, 'hall.lamp', 'level'), (2, 'gone.lamp', 'level'), (3, 'hall.lamp', 'on');
    INSERT INTO history VALUES (1, 1, 10.0), (1, 2, 20.0), (2, 1, 30.0), (3, 1, 1);
    PRAGMA user_version = 2;
";

#[test]
fn history_by_names_alone_is_read_and_claimed_by_who_is_there() {
    let (_folder, path, db) = database();
    drop(db);
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "foreign_keys", false).unwrap();
    raw.execute_batch(NAMES_ALONE).unwrap();
    drop(raw);
    let hall = thing(7, "hall");
    // Who only looks makes no newer one of it.
    let reader = DatabaseReader::open(&path).unwrap();
    assert_eq!(levels(&reader, &hall, None), [10.0, 20.0]);
    assert!(!reader.has_nameless_things().unwrap());
    drop(reader);

    let mut db = Database::open(&path).unwrap();
    let raw = rusqlite::Connection::open(&path).unwrap();
    let mut check = raw.prepare("PRAGMA foreign_key_check").unwrap();
    assert!(!check.exists([]).unwrap(), "a row refers to none");
    assert!(db.read().has_nameless_things().unwrap());
    assert_eq!(levels(db.read(), &hall, None), [10.0, 20.0]);
    let chronicle = Chronicle {
        claims: vec![hall.clone()],
        changes: vec![level(9, thing(8, "hall"), 70.0)],
        ..Chronicle::default()
    };
    db.add_history(&chronicle).unwrap();
    assert_eq!(levels(db.read(), &hall, None), [10.0, 20.0]);
    assert_eq!(levels(db.read(), &thing(7, "floor"), None), [10.0, 20.0]);
    assert_eq!(levels(db.read(), &thing(8, "hall"), None), [70.0]);
    let gone = thing(9, "gone");
    assert_eq!(levels(db.read(), &gone, Some(5)), [30.0]);
}

#[test]
fn the_newest_broker_parts_are_kept_and_a_damaged_one_is_passed_over() {
    let (_folder, path, mut db) = database();
    db.archive_mapping(&mapping(1, 0)).unwrap();
    let newest = |db: &store::Database| db.read().newest_broker_part().unwrap();
    assert_eq!(
        newest(&db),
        (None, vec![]),
        "of an older version there is none"
    );
    for no in 1..=5 {
        let part = Some(vec![no as u8; 100]).filter(|_| no != 4);
        let broker = part.clone();
        db.put_snapshot(&Snapshot {
            broker,
            ..snapshot(no, 1)
        })
        .unwrap();
    }
    let part = |no: u64| {
        Some(store::BrokerPart {
            no: InputNo(no),
            body: vec![no as u8; 100],
        })
    };
    assert_eq!(newest(&db), (part(5), vec![]));
    let (read, _) = db.read().newest_snapshot(InputNo(5)).unwrap();
    assert_eq!(read, Some(snapshot(5, 1)));
    let raw = rusqlite::Connection::open(&path).unwrap();
    let count = |raw: &rusqlite::Connection| {
        raw.query_row("SELECT count(*) FROM broker_parts", [], |row| {
            row.get::<_, i64>(0)
        })
    };
    assert_eq!(count(&raw).unwrap(), 2);
    raw.execute("UPDATE broker_parts SET body = x'00' WHERE no = 5", [])
        .unwrap();
    assert_eq!(newest(&db), (part(3), vec![InputNo(5)]));
    assert!(db.prune_snapshots(InputNo(5), 1).unwrap() > 0);
    assert_eq!(count(&raw).unwrap(), 1, "a part goes with its snapshot");
}

#[test]
fn a_failed_change_leaves_nothing_behind() {
    let (_folder, _, mut db) = database();
    let result = db.together(|db| {
        db.archive_mapping(&mapping(1, 0))?;
        db.put_snapshot(&snapshot(1, 2))
    });
    assert!(result.is_err());
    assert_eq!(db.read().mapping(MappingHash([1; 32])).unwrap(), None);
    db.archive_mapping(&mapping(1, 0)).unwrap();
}

#[test]
fn a_reader_sees_each_commit() {
    let (_folder, path, mut db) = database();
    let reader = DatabaseReader::open(&path).unwrap();
    assert_eq!(reader.mapping(MappingHash([1; 32])).unwrap(), None);
    db.archive_mapping(&mapping(1, 0)).unwrap();
    let archived = reader.mapping(MappingHash([1; 32])).unwrap();
    assert_eq!(archived, Some(mapping(1, 0)));
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let (_folder, path, db) = database();
    drop(db);
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    for error in [
        Database::open(&path).unwrap_err(),
        DatabaseReader::open(&path).unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(
            text.contains("newer iot-control (its schema is 99"),
            "{text}"
        );
        assert!(text.contains("restore a backup"), "{text}");
    }
}

#[test]
fn an_empty_file_becomes_a_database_and_an_old_one_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("house.db");
    std::fs::write(&path, b"").unwrap();
    Database::open(&path)
        .unwrap()
        .archive_mapping(&mapping(3, 0))
        .unwrap();
    let again = Database::open(&path).unwrap();
    let archived = again.read().mapping(MappingHash([3; 32])).unwrap();
    assert_eq!(archived, Some(mapping(3, 0)));
}
