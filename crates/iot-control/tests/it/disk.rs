//! The disk fails or is full: lights keep switching, nothing is acknowledged that is not kept, people hear it,
//! and all is well again when it takes writes again.
//!
//! What fails every write of the dispatcher, and of nobody else, is a limit on the size of its files.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::harness::{Client, Connect, Dispatcher, House, Kind, run, until};

const KEYS: &str = "iot/piano/keys/event";
const TARGET: &str = "iot/hall/lamp/target";

/// From now on files of the dispatcher may have so many bytes.
pub fn limit_files(dispatcher: &Dispatcher<'_>, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(dispatcher.pid()).unwrap());
    let before = prlimit(
        pid,
        Resource::Fsize,
        Rlimit {
            current: bytes,
            maximum: None,
        },
    );
    assert!(before.is_ok(), "{before:?}");
}

fn press(key: u32) -> String {
    format!(r#"{{"event":"press","key":{key},"velocity":80}}"#)
}

#[test]
fn a_disk_that_fails_is_told_and_lights_go_on_and_acknowledgements_come_when_it_is_mended() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let lamp = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    assert_eq!(piano.publish(KEYS, &press(60)), 0);
    lamp.field(0, TARGET, "on", true);

    let (mark, told) = (lamp.mark(), dispatcher.mark());
    limit_files(&dispatcher, Some(0));
    piano.publish_only(KEYS, &press(61));
    lamp.field(mark, TARGET, "on", false);
    dispatcher.says(told, "nothing is acknowledged until this is mended");
    let mark = lamp.mark();
    piano.publish_only(KEYS, &press(60));
    lamp.field(mark, TARGET, "on", true);
    assert_eq!(piano.answers(), 1, "what is not kept is not acknowledged");
    let status = dispatcher.ask(&["status"]).ok();
    assert!(status.stdout.contains("store     the disk"), "{status:?}");
    // What people change needs the disk: they hear that it is not kept.
    let refused = dispatcher.ask(&["user", "add", "anna", "--tool"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let refused = dispatcher.ask(&["device", "block", "desk"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("not written down"), "{refused:?}");

    let told = dispatcher.mark();
    limit_files(&dispatcher, None);
    dispatcher.says(told, "the disk takes inputs again");
    piano.answered(3);
    dispatcher.ask(&["device", "block", "desk"]).ok();
    let dispatcher = dispatcher.kill_9_and_restart();
    let lamp = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
    lamp.field(0, TARGET, "on", true);
    assert_eq!(dispatcher.device("desk")["blocked"], "both");
}

#[test]
fn a_state_folder_that_is_deleted_is_told_and_nothing_more_is_acknowledged() {
    let house = House::with_rules("");
    let mut dispatcher = house.start();
    let lamp = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    assert_eq!(piano.publish(KEYS, &press(60)), 0);
    let (mark, told) = (lamp.mark(), dispatcher.mark());
    fs::remove_dir_all(house.state()).unwrap();
    piano.publish_only(KEYS, &press(61));
    lamp.field(mark, TARGET, "on", false);
    let said = dispatcher.says(told, "was deleted while the dispatcher runs");
    assert!(said.contains("start the dispatcher again"), "{said}");
    assert!(said.contains("lights keep switching"), "{said}");
    assert_eq!(piano.answers(), 1, "what is not kept is not acknowledged");
    assert_eq!(dispatcher.interrupt(), Some(1), "{}", dispatcher.said(told));
}

#[test]
fn a_database_that_is_deleted_or_replaced_is_told_and_nothing_more_is_acknowledged_until_it_is_back()
 {
    for (is_replaced, how) in [
        (false, "was deleted"),
        (true, "was replaced by another file"),
    ] {
        let house = House::with_rules("");
        let mut dispatcher = house.start();
        let lamp = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET]);
        let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
        let (database, away) = (house.state().join("house.db"), house.state().join("away"));
        let told = dispatcher.mark();
        fs::rename(&database, &away).unwrap();
        if is_replaced {
            fs::copy(&away, &database).unwrap();
        }
        // Also where nothing happens.
        let said = dispatcher.says(told, "while the dispatcher runs");
        assert!(said.contains(&format!("house.db {how}")), "{said}");
        assert!(said.contains("start the dispatcher again"), "{said}");
        assert!(said.contains("lights keep switching"), "{said}");
        let mark = lamp.mark();
        piano.publish_only(KEYS, &press(60));
        lamp.field(mark, TARGET, "on", true);
        for words in [
            ["user", "add", "anna", "--tool"].as_slice(),
            &["device", "block", "desk"],
        ] {
            let refused = dispatcher.ask(words);
            assert_eq!(refused.code, Some(1), "{refused:?}");
        }
        assert_eq!(piano.answers(), 0, "what is not kept is not acknowledged");
        let repeated = dispatcher
            .said(told)
            .matches("lights keep switching")
            .count();
        assert_eq!(repeated, 1, "it is told once");

        // The very file is put back: all is well again.
        let told = dispatcher.mark();
        fs::rename(&away, &database).unwrap();
        dispatcher.says(told, "acknowledgements go on");
        piano.answered(1);
        dispatcher.ask(&["user", "add", "bert", "--tool"]).ok();
        fs::remove_file(&database).unwrap();
        assert_eq!(dispatcher.interrupt(), Some(1), "{}", dispatcher.said(told));
    }
}

fn newest_journal(state: &Path) -> PathBuf {
    let files = fs::read_dir(state.join("journal")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let segments = files.filter(|path| path.extension().is_some_and(|it| it == "journal"));
    segments.max().expect("there is one")
}

fn empty(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(0).unwrap();
}

#[test]
fn files_that_are_moved_cut_or_emptied_under_a_house_are_told_and_nothing_more_is_acknowledged() {
    let spoils: [(fn(&Path), _); 4] = [
        (
            |state| fs::rename(newest_journal(state), state.join("away")).unwrap(),
            ".journal was moved away",
        ),
        (
            |state| empty(&newest_journal(state)),
            ".journal was cut short",
        ),
        (
            |state| empty(&state.join("house.db")),
            "house.db was emptied",
        ),
        (
            |state| fs::remove_file(state.join("lock")).unwrap(),
            "lock was deleted",
        ),
    ];
    for (spoil, how) in spoils {
        let house = House::with_rules("");
        let mut dispatcher = house.start();
        let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
        assert_eq!(piano.publish(KEYS, &press(60)), 0);
        let told = dispatcher.mark();
        spoil(&house.state());
        // Also where nothing happens.
        let said = dispatcher.says(told, "while the dispatcher runs");
        assert!(said.contains(how), "{said}");
        piano.publish_only(KEYS, &press(61));
        dispatcher.ask(&["status"]).ok();
        assert_eq!(piano.answers(), 1, "{how}: not acknowledged");
        dispatcher.interrupt();
    }
}

#[test]
fn a_block_that_only_the_journal_does_not_take_is_in_force_and_no_success() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    // What is written to a file that is there, and is shorter than the limit, is no matter.
    let told = dispatcher.mark();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    assert_eq!(piano.publish(KEYS, &press(60)), 0);
    fs::remove_dir_all(house.state().join("journal")).unwrap();
    piano.publish_only(KEYS, &press(61));
    dispatcher.says(told, "nothing is acknowledged until this is mended");
    for (words, said) in [
        (
            ["device", "block", "desk"],
            "desk is blocked as both, and blocklist.toml says so; but",
        ),
        (
            ["device", "unblock", "desk"],
            "desk is no longer blocked, and blocklist.toml says so; but",
        ),
    ] {
        let refused = dispatcher.ask(&words);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
    dispatcher.ask(&["device", "block", "desk"]);
    assert_eq!(dispatcher.device("desk")["blocked"], "both");
    assert!(house.read("blocklist.toml").contains("desk"));
}

/// A shell with a small disk of its own, which nobody else sees.
pub struct SmallDisk {
    shell: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl SmallDisk {
    /// One of `size`; `None` where this machine does not let us make one.
    pub fn at(folder: &Path, size: &str) -> Option<Self> {
        let mount = "mount -t tmpfs -o size=$1,mode=700 small \"$0\" && echo mounted && \
                     while read -r line; do eval \"$line\"; echo done; done";
        let mut shell = Command::new("unshare")
            .args(["-Urm", "sh", "-c", mount])
            .arg(folder)
            .arg(size)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut disk = Self {
            orders: shell.stdin.take()?,
            answers: BufReader::new(shell.stdout.take()?),
            shell,
        };
        (disk.answer() == "mounted").then_some(disk)
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    pub fn run(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        assert_eq!(self.answer(), "done", "{order}");
    }

    /// Starts a dispatcher there whose words for people go to `log`; gives its port.
    pub fn start(&mut self, house: &House, state: &Path, log: &Path) -> u16 {
        self.run(&format!(
            "env -i IOT_CONTROL__WEB__LISTEN= IOT_CONTROL__MQTT__LISTEN=127.0.0.1:0 IOT_CONTROL__MQTT__ANONYMOUS=loopback \
             {} run {} --state {} </dev/null >/dev/null 2>{} & PID=$!",
            env!("CARGO_BIN_EXE_iot-control"),
            house.folder().display(),
            state.display(),
            log.display(),
        ));
        let port = |line: &str| line.trim().rsplit_once("mqtt://127.0.0.1:")?.1.parse().ok();
        until("`ready in`", || {
            let said = fs::read_to_string(log).unwrap_or_default();
            let ready = said.contains("ready in");
            ready.then(|| said.lines().find_map(port)).flatten()
        })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What still runs there goes first; it may have ended.
        let _ = writeln!(self.orders, "kill -9 $PID; exit");
        drop(self.shell.wait());
    }
}

/// A client of a dispatcher that lets everybody in; it hears the hall lamp's target.
pub fn client(port: u16, user: &str) -> Client {
    let connect = Connect {
        scheme: "mqtt",
        ca: None,
        port,
        id: user.to_owned(),
        login: None,
        filters: vec![TARGET.to_owned()],
        will: None,
    };
    Client::connect(Kind::RumqttcV5, &connect).unwrap()
}

#[test]
fn a_house_runs_on_a_full_disk_and_starts_on_one() {
    let house = House::with_rules("");
    let root = tempfile::tempdir().unwrap();
    let state = root.path().join("state");
    fs::create_dir(&state).unwrap();
    let Some(mut disk) = SmallDisk::at(&state, "1m") else {
        println!("skipped: this machine gives us no disk of our own");
        return;
    };
    let log = |round: u32| root.path().join(format!("log-{round}"));
    let fill = format!("cat /dev/zero >{}/fill 2>/dev/null", state.display());
    let make_room = format!("rm {}/fill", state.display());
    let says = |round, text: &str| {
        until(text, || {
            let said = fs::read_to_string(log(round)).unwrap();
            said.contains(text).then_some(())
        });
    };
    let set = "iot/hall/lamp/set";
    // One that differs from the last.
    let brightness = |asked: usize| asked % 100 + 1;

    let port = disk.start(&house, &state, &log(1));
    let mut first = client(port, "first");
    assert_eq!(first.publish(set, r#"{"on":true,"brightness":1}"#), 0);
    disk.run(&fill);
    // Until what fits in the page that is there is used up.
    let mut asked = 1;
    until("the disk to be found full", || {
        let mark = first.mark();
        asked += 1;
        let brightness = brightness(asked);
        first.publish_only(set, &format!(r#"{{"brightness":{brightness}}}"#));
        first.field(mark, TARGET, "brightness", brightness);
        let said = fs::read_to_string(log(1)).unwrap();
        said.contains("the disk is full").then_some(())
    });
    assert!(first.answers() < asked, "not all can have been kept");
    disk.run(&make_room);
    says(1, "the disk takes inputs again");
    first.answered(asked);

    // An orderly end leaves nothing of what SQLite needs to open a database.
    disk.run("kill -INT $PID; wait $PID");
    disk.run(&fill);
    let port = disk.start(&house, &state, &log(2));
    says(2, "the disk is full: what was kept in reserve");
    let mut second = client(port, "second");
    second.field(0, TARGET, "brightness", brightness(asked));
    let mark = second.mark();
    let kept = brightness(asked + 1);
    second.publish_only(set, &format!(r#"{{"brightness":{kept}}}"#));
    second.field(mark, TARGET, "brightness", kept);
    disk.run(&make_room);
    second.answered(1);
    disk.run("kill -9 $PID; wait $PID");
    let port = disk.start(&house, &state, &log(3));
    client(port, "third").field(0, TARGET, "brightness", kept);
    assert!(!fs::read_to_string(log(3)).unwrap().contains("full"));
}

#[test]
fn an_import_that_finds_no_room_leaves_nothing_and_says_so() {
    let house = House::with_rules("");
    let exported = run(["export", &house.folder().display().to_string()], "").ok();
    house.write("house.json", &exported.stdout);
    let disk = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=64k,mode=700 small \"$0\" && echo mounted && \
                  { cat /dev/zero >\"$0/fill\" 2>/dev/null; \
                  \"$1\" import \"$2\" --into \"$0/new/house\"; echo \"ended with $?\"; ls -A \"$0\"; }";
    let Ok(made) = Command::new("unshare")
        .args(["-Urm", "sh", "-c", script])
        .arg(disk.path())
        .arg(env!("CARGO_BIN_EXE_iot-control"))
        .arg(house.folder().join("house.json"))
        .output()
    else {
        return println!("skipped: this machine gives us no disk of our own");
    };
    let said = String::from_utf8_lossy(&made.stdout);
    if !said.starts_with("mounted") {
        return println!("skipped: this machine gives us no disk of our own");
    }
    assert_eq!(said, "mounted\nended with 1\nfill\n", "{made:?}");
    let told = String::from_utf8_lossy(&made.stderr);
    assert!(
        told.contains("No space left") && told.contains("nothing was changed"),
        "{told}"
    );
}
