//! A state folder that is damaged: the house comes up with all that can be read and says what can't, or says
//! how to mend it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use store::{Database, DatabaseReader, Snapshot};
use types::InputNo;

use crate::harness::{Dispatcher, House, Kind, failing, finish, kill_when};

/// Counts presses of the desk's button; key 40 tells how many there were.
const COUNTING: &str = r#"
[var]
presses = { kind = "number", start = 0, keep = true }

[rule.count]
when = "desk.button.press"
do = { var = "presses", to = "${var.presses + 1}" }

[rule.tell]
when = "piano.keys.press"
if = "event.key == 40"
do = { notify = "all", text = "${var.presses} presses." }
"#;

const PRESSES: usize = 9;

fn press(dispatcher: &Dispatcher<'_>, times: usize) {
    let mut desk = dispatcher.device_client(Kind::RumqttcV5, "desk", &[]);
    for _ in 0..times {
        let acknowledged = desk.publish("iot/desk/button/event", r#"{"event":"press"}"#);
        assert_eq!(acknowledged, 0);
    }
}

/// How many presses it knows of.
fn presses(dispatcher: &Dispatcher<'_>) -> usize {
    let mark = dispatcher.mark();
    let mut piano = dispatcher.device_client(Kind::RumqttcV4, "piano", &[]);
    piano.publish("iot/piano/keys/event", r#"{"event":"press","key":40}"#);
    let line = dispatcher.says(mark, " presses.");
    let words: Vec<&str> = line.split_whitespace().collect();
    let place = words.iter().position(|word| word.starts_with("presses."));
    let count = words[place.unwrap() - 1].trim_matches(|c: char| !c.is_ascii_digit());
    count.parse().unwrap()
}

/// Flips a bit in the middle one of the presses in `file`.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let name = b"button";
    let places: Vec<usize> = (0..bytes.len() - name.len())
        .filter(|place| bytes[*place..].starts_with(name))
        .collect();
    assert!(places.len() >= PRESSES);
    bytes[places[places.len() / 2]] ^= 0x10;
    fs::write(file, bytes).unwrap();
}

fn database(house: &House) -> Database {
    Database::open(&house.state().join("house.db")).unwrap()
}

#[test]
fn a_bit_that_is_damaged_among_acknowledged_events_costs_one_of_them_and_is_told() {
    let house = House::with_rules(COUNTING).without_memory();
    let dispatcher = house.start();
    press(&dispatcher, PRESSES);
    dispatcher.kill_9();
    let newest = house.segments().pop().unwrap();
    damage(&newest);

    let dispatcher = house.start();
    let said = dispatcher.said(0);
    let place = format!("{} is damaged at byte ", newest.display());
    assert!(said.contains(&place), "{said}");
    assert!(said.contains("whole records follow in it"), "{said}");
    assert!(said.contains(" is missing"), "{said}");
    assert!(said.contains("replayed without the missing ones"), "{said}");
    assert!(!said.contains("unfinished write"), "{said}");
    assert!(newest.with_extension("damaged").exists());
    assert_eq!(
        presses(&dispatcher),
        PRESSES - 1,
        "the ones behind it count"
    );

    press(&dispatcher, 2);
    let dispatcher = dispatcher.kill_9_and_restart();
    assert_eq!(presses(&dispatcher), PRESSES + 1);
    assert!(!dispatcher.said(0).contains("damaged"), "it is told once");
}

#[test]
fn a_newest_journal_file_that_is_empty_zeroed_or_gone_is_told_with_its_name_and_first_number() {
    type Strike = fn(&Path);
    let strikes: [(Strike, &str); 3] = [
        (|file| fs::write(file, "").unwrap(), "is empty"),
        (|file| fs::write(file, [0; 60_000]).unwrap(), "is empty"),
        (|file| fs::remove_file(file).unwrap(), "is gone"),
    ];
    for (strike, how) in strikes {
        let house = House::with_rules(COUNTING);
        let dispatcher = house.start();
        press(&dispatcher, PRESSES);
        dispatcher.kill_9();
        let newest = house.segments().pop().unwrap();
        strike(&newest);
        let dispatcher = house.start();
        let said = dispatcher.said(0);
        let told = format!(
            "{} {how}, and inputs from 1 on were written to it",
            newest.display()
        );
        assert!(said.contains(&told), "{said}");

        press(&dispatcher, 2);
        let before = presses(&dispatcher);
        let dispatcher = dispatcher.kill_9_and_restart();
        let said = dispatcher.said(0);
        assert!(
            !said.contains("were written to it"),
            "it is told once: {said}"
        );
        assert!(!said.contains("missing"), "a snapshot covers it: {said}");
        assert_eq!(presses(&dispatcher), before);
        assert!(!newest.exists(), "its name is not used again");
    }
}

/// Where the newest record of a journal file ends.
fn used(file: &Path) -> usize {
    let bytes = fs::read(file).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

/// What comes of a file when all behind its middle is lost: its end, or what stood there.
const CUTS: [fn(&Path); 2] = [
    |file| {
        let half = used(file) / 2;
        let bytes = fs::read(file).unwrap();
        fs::write(file, &bytes[..half]).unwrap();
    },
    |file| {
        let half = used(file) / 2;
        let mut bytes = fs::read(file).unwrap();
        bytes[half..].fill(0);
        fs::write(file, bytes).unwrap();
    },
];

#[test]
fn a_newest_journal_file_that_lost_its_second_half_is_told_with_the_numbers_and_the_time() {
    for cut in CUTS {
        let house = House::with_rules(COUNTING).without_memory();
        let dispatcher = house.start();
        press(&dispatcher, PRESSES);
        // What people change is noted at once, with all before it; the rest every half hour.
        dispatcher.ask(&["device", "block", "hall"]).ok();
        dispatcher.kill_9();
        let newest = house.segments().pop().unwrap();
        cut(&newest);
        let dispatcher = house.start();
        let said = dispatcher.said(0);
        let told = format!("{} ends behind input ", newest.display());
        let line = said.lines().find(|line| line.contains(&told)).expect(&said);
        assert!(line.contains(" are lost"), "{line}");
        assert!(line.contains("the last of them came on 20"), "{line}");

        let left = presses(&dispatcher);
        assert!((1..PRESSES).contains(&left), "{left} are left");
        press(&dispatcher, 2);
        let dispatcher = dispatcher.kill_9_and_restart();
        let said = dispatcher.said(0);
        assert!(!said.contains("ends behind input"), "told once: {said}");
        assert!(!said.contains("missing"), "a snapshot covers it: {said}");
        assert_eq!(presses(&dispatcher), left + 2);
    }
}

#[test]
fn a_snapshot_that_is_newer_than_the_cut_holds_what_the_journal_lost() {
    for cut in CUTS {
        let house = House::with_rules(COUNTING);
        let mut dispatcher = house.start();
        press(&dispatcher, PRESSES);
        assert_eq!(dispatcher.interrupt(), Some(0));
        cut(&house.segments().pop().unwrap());
        let dispatcher = house.start();
        let said = dispatcher.said(0);
        assert!(said.contains("holds what came of them"), "{said}");
        assert!(!said.contains(" are lost"), "{said}");
        assert_eq!(presses(&dispatcher), PRESSES);
    }
}

#[test]
fn a_kill_before_the_first_input_leaves_nothing_to_tell() {
    let house = House::with_rules(COUNTING);
    house.start().kill_9();
    fs::write(house.state().join("journal/00000009.journal"), "").unwrap();
    let said = house.start().said(0);
    assert!(
        !said.contains("is empty") && !said.contains("is gone"),
        "{said}"
    );
}

#[test]
fn a_database_that_is_empty_or_gone_beside_a_journal_refuses_the_start_and_says_how_to_mend_it() {
    let house = House::with_rules(COUNTING);
    let dispatcher = house.start();
    press(&dispatcher, 2);
    dispatcher.kill_9();
    let file = |end: &str| house.state().join(format!("house.db{end}"));
    let kept: Vec<_> = ["", "-wal"]
        .into_iter()
        .map(|end| (file(end), fs::read(file(end)).unwrap()))
        .collect();
    let put = |file: &Path, bytes: &[u8]| {
        fs::write(file, bytes).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let clear = || {
        for end in ["", "-wal", "-shm"] {
            drop(fs::remove_file(file(end)));
        }
    };
    for is_there in [false, true] {
        clear();
        if is_there {
            put(&file(""), b"");
        }
        // Also the second time.
        for _ in 0..2 {
            let said = house.start_fails();
            assert!(said.contains("house.db is missing or empty"), "{said}");
            assert!(said.contains("Restore it from a backup"), "{said}");
            assert!(!said.contains("nobody can log in"), "{said}");
        }
    }
    clear();
    for (file, bytes) in kept {
        put(&file, &bytes);
    }
    assert_eq!(presses(&house.start()), 2);
}

#[test]
fn damage_that_a_snapshot_covers_costs_nothing_and_is_told() {
    let house = House::with_rules(COUNTING);
    let mut dispatcher = house.start();
    press(&dispatcher, PRESSES);
    assert_eq!(dispatcher.interrupt(), Some(0));
    damage(&house.segments().pop().unwrap());
    let dispatcher = house.start();
    let said = dispatcher.said(0);
    assert!(said.contains("is damaged at byte "), "{said}");
    assert!(!said.contains("replayed without"), "{said}");
    assert_eq!(presses(&dispatcher), PRESSES);
}

#[test]
fn damage_in_an_old_segment_without_any_snapshot_does_not_keep_the_house_down() {
    let house = House::with_rules(COUNTING).without_memory();
    let dispatcher = house.start();
    press(&dispatcher, PRESSES);
    dispatcher.kill_9();
    damage(&house.segments().pop().unwrap());
    // What is damaged is written no more: from here on it is an old segment.
    let dispatcher = house.start();
    press(&dispatcher, 1);
    dispatcher.kill_9();
    assert_eq!(house.segments().len(), 2);
    let old = house.segments().remove(0);
    fs::remove_file(old.with_extension("damaged")).unwrap();
    let dropped = database(&house)
        .prune_snapshots(InputNo(u64::MAX), 0)
        .unwrap();
    assert!(dropped > 0);

    let dispatcher = house.start();
    let said = dispatcher.said(0);
    assert!(
        said.contains(&format!("{} is damaged at byte ", old.display())),
        "{said}"
    );
    assert!(said.contains(" is missing"), "{said}");
    assert!(old.with_extension("damaged").exists(), "it is set aside");
    assert_eq!(presses(&dispatcher), PRESSES);
}

#[test]
fn a_lost_segment_and_no_snapshot_does_not_keep_the_house_down() {
    let house = House::with_rules(COUNTING).without_memory();
    let dispatcher = house.start();
    press(&dispatcher, PRESSES);
    dispatcher.kill_9();
    let only = house.segments().remove(0);
    damage(&only);
    let dispatcher = house.start();
    press(&dispatcher, 2);
    dispatcher.kill_9();
    fs::remove_file(only).unwrap();
    database(&house)
        .prune_snapshots(InputNo(u64::MAX), 0)
        .unwrap();
    let dispatcher = house.start();
    let said = dispatcher.said(0);
    assert!(said.contains("are missing"), "{said}");
    assert_eq!(presses(&dispatcher), 2);
}

#[test]
fn a_snapshot_that_can_not_be_read_means_an_older_one() {
    let house = House::with_rules(COUNTING);
    let dispatcher = house.start();
    press(&dispatcher, PRESSES);
    dispatcher.kill_9();
    let newest = {
        let mut database = database(&house);
        let newest = database
            .read()
            .newest_snapshot(InputNo(u64::MAX))
            .unwrap()
            .0
            .unwrap();
        let rubbish = Snapshot {
            no: newest.no.next(),
            body: b"no snapshot".to_vec(),
            broker: None,
            ..newest
        };
        database.put_snapshot(&rubbish).unwrap();
        rubbish.no
    };
    let dispatcher = house.start();
    let said = dispatcher.said(0);
    let what = format!("the snapshot of input {newest}: it is damaged");
    assert!(
        said.contains(&what) && said.contains("an older one is used"),
        "{said}"
    );
    assert_eq!(presses(&dispatcher), PRESSES);
}

#[test]
fn a_snapshot_of_a_newer_version_is_refused_with_what_to_do() {
    let house = House::with_rules("");
    // An orderly end leaves a snapshot; a kill right after the start may come before the first one.
    assert_eq!(house.start().interrupt(), Some(0));
    let mut newest = {
        let database = DatabaseReader::open(&house.state().join("house.db")).unwrap();
        database
            .newest_snapshot(InputNo(u64::MAX))
            .unwrap()
            .0
            .unwrap()
    };
    // An array that begins with its format.
    newest.body = vec![0x85, 0x18, 99];
    newest.binary = "9.0.0".to_owned();
    database(&house).put_snapshot(&newest).unwrap();
    let said = house.start_fails();
    assert!(
        said.contains("iot-control 9.0.0") && said.contains("start the newer version"),
        "{said}"
    );
}

#[test]
fn what_a_snapshot_says_of_its_format_counts_and_not_what_is_said_beside_it() {
    let house = House::with_rules(COUNTING);
    let mut dispatcher = house.start();
    press(&dispatcher, PRESSES);
    assert_eq!(dispatcher.interrupt(), Some(0));
    let newest = || {
        let database = DatabaseReader::open(&house.state().join("house.db")).unwrap();
        let (newest, _) = database.newest_snapshot(InputNo(u64::MAX)).unwrap();
        newest.unwrap()
    };
    for beside in [1, 99] {
        let mut older = newest();
        assert_eq!(older.format, dispatcher::STATE_FORMAT);
        older.format = beside;
        database(&house).put_snapshot(&older).unwrap();
        let mut dispatcher = house.start();
        assert_eq!(presses(&dispatcher), PRESSES);
        assert_eq!(dispatcher.interrupt(), Some(0));
    }
}

#[test]
fn a_blocklist_that_can_not_be_read_at_a_start_leaves_the_blocks_of_before_in_force() {
    let house = House::with_rules("");
    house.write("blocklist.toml", "[[block]]\ndevise = \"piano\"\n");
    let said = house.start_fails();
    assert!(
        said.contains("blocklist.toml"),
        "a first start knows no blocks: {said}"
    );
    house.write("blocklist.toml", "");
    let dispatcher = house.start();
    dispatcher.ask(&["device", "block", "piano"]).ok();
    dispatcher.kill_9();

    for _ in 0..2 {
        house.write("blocklist.toml", "[[block]]\ndevise = \"hall\"\n");
        let dispatcher = house.start();
        let said = dispatcher.said(0);
        assert!(
            said.contains("did you mean `device`?") || said.contains("blocklist.toml:"),
            "{said}"
        );
        assert!(said.contains("blocklist.toml is not in force"), "{said}");
        assert_eq!(dispatcher.device("piano")["blocked"], "both");
        let refused = dispatcher.ask(&["device", "block", "hall"]);
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains("not written down"), "{refused:?}");
        house.write("blocklist.toml", "");
        dispatcher.device_is("piano", "is not blocked", |piano| piano["blocked"] == "");
        dispatcher.ask(&["device", "block", "piano"]).ok();
        dispatcher.kill_9();
    }
}

#[test]
fn a_database_that_is_none_is_refused_with_what_to_do_and_nothing_in_it_is_changed() {
    let house = House::with_rules("");
    house.start().kill_9();
    let path = house.state().join("house.db");
    for side in ["house.db-wal", "house.db-shm"] {
        drop(fs::remove_file(house.state().join(side)));
    }
    fs::write(&path, b"a letter to my landlord\n".repeat(500)).unwrap();
    let before = fs::read(&path).unwrap();
    let said = house.start_fails();
    for part in [
        "house.db is damaged",
        "restore a backup",
        ".recover",
        "users are to be added again",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    // As it says: without its past the house begins anew.
    fs::rename(house.state(), house.state().with_extension("away")).unwrap();
    house.start();
}

#[test]
fn rubbish_beside_the_database_does_not_keep_the_house_down() {
    let house = House::with_rules(COUNTING);
    let mut dispatcher = house.start();
    press(&dispatcher, 3);
    assert_eq!(dispatcher.interrupt(), Some(0));
    for side in [
        "house.db-wal",
        "house.db-shm",
        "time-line",
        "lock",
        "reserve",
    ] {
        fs::write(house.state().join(side), b"rubbish\n".repeat(700)).unwrap();
    }
    fs::write(house.state().join("journal/notes.txt"), "?").unwrap();
    assert_eq!(presses(&house.start()), 3);
}

#[test]
fn pipes_and_links_in_the_way_of_small_files_keep_no_start_waiting_and_are_not_written_through() {
    let house = House::with_rules(COUNTING);
    let mut dispatcher = house.start();
    press(&dispatcher, 3);
    assert_eq!(dispatcher.interrupt(), Some(0));
    for name in ["time-line", "journal/end"] {
        let path = house.state().join(name);
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
    }
    let theirs = house.state().join("theirs");
    fs::write(&theirs, "theirs").unwrap();
    let reserve = house.state().join("reserve");
    fs::remove_file(&reserve).unwrap();
    std::os::unix::fs::symlink(&theirs, reserve).unwrap();
    let dispatcher = house.start();
    let said = dispatcher.said(0);
    assert!(
        said.contains("time-line is a named pipe, not a file"),
        "{said}"
    );
    assert_eq!(presses(&dispatcher), 3);
    assert_eq!(fs::read(&theirs).unwrap(), b"theirs");
}

#[test]
fn a_newest_journal_file_that_claims_terabytes_keeps_no_start_waiting() {
    let house = House::with_rules(COUNTING);
    let dispatcher = house.start();
    press(&dispatcher, 3);
    dispatcher.kill_9();
    let newest = house.state().join("journal/00000001.journal");
    let file = fs::OpenOptions::new().write(true).open(newest).unwrap();
    file.set_len(10 << 40).unwrap();
    assert_eq!(presses(&house.start()), 3);
}

#[test]
fn a_time_line_with_another_number_is_told_and_moves_no_clock() {
    let house = House::with_rules(COUNTING);
    house.start().kill_9();
    let line = house.state().join("time-line");
    let text = fs::read_to_string(&line).unwrap();
    let mut words = text.split(' ');
    let boot = words.next().unwrap();
    fs::write(
        &line,
        format!("{boot} {} {}", i64::MAX, words.nth(1).unwrap()),
    )
    .unwrap();
    let said = house.start().said(0);
    assert!(said.contains("time-line is damaged"), "{said}");
}

#[test]
fn a_folder_in_the_way_of_a_small_file_does_not_keep_the_house_down() {
    let house = House::with_rules("");
    house.start().kill_9();
    let line = house.state().join("time-line");
    fs::remove_file(&line).unwrap();
    fs::create_dir_all(line.join("in the way")).unwrap();
    let dispatcher = house.start();
    let said = dispatcher.said(0);
    assert!(said.contains("time-line can't be written"), "{said}");
    dispatcher.kill_9();
    let socket = house.state().join("control.sock");
    fs::remove_file(&socket).unwrap();
    fs::create_dir_all(socket.join("in the way")).unwrap();
    let said = house.start_fails();
    assert!(
        said.contains("control.sock") && said.contains("move it away"),
        "{said}"
    );
}

#[test]
fn a_second_dispatcher_on_one_state_folder_names_the_first() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let said = house.start_fails();
    assert!(said.contains("another dispatcher uses"), "{said}");
    assert!(
        said.contains(&format!("process {}", dispatcher.pid())),
        "{said}"
    );
    assert!(
        said.contains("stop it, or name another state folder"),
        "{said}"
    );
}

#[test]
fn a_state_folder_of_another_house_is_taken_over_by_who_says_so_alone() {
    let house = House::with_rules("");
    assert_eq!(house.start().interrupt(), Some(0));
    let mapping = house.read("mapping.toml");
    house.write(
        "mapping.toml",
        "format = 1\n[device.shed]\nid = 90\nio.door = { kind = \"contact\" }\n",
    );
    let said = house.start_fails();
    assert!(said.contains("it holds another house"), "{said}");
    assert!(said.contains("--replace-house"), "{said}");

    // A device that was renamed is no other one, alone or not.
    house.write("mapping.toml", &mapping.replace("piano", "organ"));
    assert_eq!(house.start().interrupt(), Some(0));
    house.write(
        "mapping.toml",
        "format = 1\n[device.shed]\nid = 90\nio.door = { kind = \"contact\" }\n",
    );
    let mut dispatcher = Dispatcher::start(&house, &["--replace-house"]);
    assert_eq!(dispatcher.device("shed")["online"], false);
    assert_eq!(dispatcher.interrupt(), Some(0));
    house.start();
}

#[test]
fn a_start_whose_port_is_taken_tells_and_changes_nothing_else() {
    let house = House::with_rules("");
    house.start().kill_9();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let time_line = fs::read(house.state().join("time-line")).unwrap();
    let said = house.start_on_fails(&address);
    assert!(said.contains(&format!("{address} is taken")), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert_eq!(
        fs::read(house.state().join("time-line")).unwrap(),
        time_line
    );
}

#[test]
fn a_state_folder_that_others_may_read_or_that_is_no_folder_is_refused_with_what_to_do() {
    let house = House::with_rules("");
    house.start().kill_9();
    let journal = house.state().join("journal");
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o755)).unwrap();
    let said = house.start_fails();
    assert!(
        said.contains(&format!("chmod 700 {}", journal.display())),
        "{said}"
    );
    fs::remove_dir_all(&journal).unwrap();
    fs::write(&journal, "").unwrap();
    let said = house.start_fails();
    assert!(said.contains("something else stands there"), "{said}");
}

/// A house with nine presses in its newest journal file, killed.
fn with_presses() -> (House, PathBuf) {
    let house = House::with_rules(COUNTING).without_memory();
    let dispatcher = house.start();
    press(&dispatcher, PRESSES);
    dispatcher.kill_9();
    let newest = house.segments().pop().unwrap();
    (house, newest)
}

#[test]
fn a_newest_journal_file_that_the_disk_does_not_open_is_not_passed_over() {
    let (house, newest) = with_presses();
    for calls in [
        "openat:error=EIO:when=2",
        "openat:error=EIO:when=1+",
        "statx:error=EIO:when=2+",
    ] {
        let run = house.run_on("127.0.0.1:0");
        let Some(run) = failing(&run, calls, &newest) else {
            return;
        };
        let ended = finish(run, "");
        assert_eq!(ended.code, Some(1), "{calls}: {ended:?}");
        let said = ended.stderr;
        assert!(said.contains(&newest.display().to_string()), "{said}");
        assert!(said.contains("Input/output error"), "{said}");
        assert!(said.contains("move it away"), "{said}");
    }
    assert_eq!(presses(&house.start()), PRESSES);
}

#[test]
fn what_the_disk_does_not_read_at_the_journals_end_is_not_cut_off() {
    let (house, newest) = with_presses();
    let before = fs::read(&newest).unwrap();
    let run = house.run_on("127.0.0.1:0");
    // The first read is of the header.
    let Some(run) = failing(&run, "pread64:error=EIO:when=2+", &newest) else {
        return;
    };
    let next = newest.with_file_name("00000002.journal");
    kill_when(run, "a journal file of this start", || next.exists());
    assert_eq!(fs::read(&newest).unwrap(), before);
}
