//! What may lie in a house's folder besides a house: pipes, giants, links that are swapped, bytes that are no
//! text. Commands say what is wrong and end; a dispatcher that runs goes on.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use crate::harness::{Client, Dispatcher, House, Kind, PIANO_AND_LAMPS, iot_control, run};

/// Memory that checking any house may take for its data, debug build and allocator's reserves included.
/// A house at every limit takes 500 MB, one of 100,000 rules 340.
const DATA_KIB_MAX: u32 = 600_000;

fn mkfifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo is everywhere").success());
}

/// A house with this main file and one that it may include.
fn house(mapping: &str) -> House {
    let house = House::new(mapping);
    house.write("rules.toml", "");
    house
}

fn remove(house: &House, name: &str) -> std::path::PathBuf {
    let path = house.folder().join(name);
    drop(fs::remove_file(&path));
    path
}

#[test]
fn what_is_no_file_is_said_and_nothing_waits_for_it() {
    for name in [
        "mapping.toml",
        "rules.toml",
        "a.test.toml",
        "blocklist.toml",
        "settings.toml",
    ] {
        for (what, make) in [
            ("a named pipe", &mkfifo as &dyn Fn(&Path)),
            ("a folder", &|path| fs::create_dir(path).unwrap()),
            ("a device", &|path| symlink("/dev/zero", path).unwrap()),
        ] {
            if what == "a device" && matches!(name, "rules.toml" | "a.test.toml") {
                // A link out of the folder is not followed, whatever it leads to.
                continue;
            }
            let house = house(
                &format!("{PIANO_AND_LAMPS}\n")
                    .replace("format = 1", "format = 1\ninclude = [\"rules.toml\"]"),
            );
            make(&remove(&house, name));
            let folder = house.folder().display().to_string();
            let checked = run(["check", &folder], "");
            assert_eq!(checked.code, Some(1), "{name} {what}: {checked:?}");
            let expected = format!("is {what}, not a file");
            assert!(checked.stderr.contains(&expected), "{name}: {checked:?}");
            assert!(checked.stderr.contains(name), "{name}: {checked:?}");
            let json = run(["check", &folder, "--json"], "");
            let problems = json.json();
            assert_eq!(problems.as_array().map(Vec::len), Some(1), "{problems:#}");
            let said = house.start_fails();
            assert!(said.contains(&expected), "{name} {what}: {said}");
        }
    }
}

/// `check`, which dies where it takes more memory than any house may.
fn checked(house: &House) -> String {
    let limited = format!("ulimit -d {DATA_KIB_MAX} && exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command
        .args(["-c", &limited])
        .arg(iot_control().get_program());
    let output = command
        .arg("check")
        .arg(house.folder())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{:?}: {said}", output.status);
    assert_eq!(code == Some(1), said.contains("error"), "{said}");
    assert!(said.len() < 2_000_000, "{} bytes are said", said.len());
    said
}

fn numbered(count: u32, line: impl Fn(u32) -> String) -> String {
    (0..count).fold(String::new(), |mut text, at| {
        let _ = writeln!(text, "{}", line(at));
        text
    })
}

#[test]
fn any_house_is_checked_in_bounded_memory() {
    for (what, mapping, expected) in [
        (
            "ten megabytes of dotted keys",
            numbered(800_000, |at| format!("a{at}.b = 1")),
            "is larger than 4 MB",
        ),
        (
            "as many of them as may be",
            numbered(99_000, |at| format!("a{at}.b = 1")),
            "unknown-key",
        ),
        (
            "as many words as may be, all of them wrong",
            "=\n".repeat(499_000),
            "more than 200 mistakes",
        ),
        (
            "as many tables as may be",
            format!("a = [{}]", "{b=1},".repeat(99_000)),
            "unknown-key",
        ),
        (
            "the same key again and again",
            "a = 1\n".repeat(160_000),
            "stands here twice",
        ),
        ("brackets", format!("a = {}", "[".repeat(990_000)), "syntax"),
        (
            "as many rules as may be",
            numbered(30_000, |at| {
                format!("[rule.r{at}]\nwhen = \"a.b.c\"\ndo = \"a.b.c\"")
            }),
            "more than 1000 problems",
        ),
        (
            "rules about everybody",
            numbered(10_000, |at| {
                format!(
                    "[device.d{at}]\nid = {}\nio.a = {{ kind = \"button\" }}",
                    at + 1
                )
            }) + &numbered(1_000, |at| {
                format!(
                    "[rule.r{at}]\nwhen = \"*.offline\"\ndo = {{ notify = \"all\", text = \"\" }}"
                )
            }),
            "more than 300000",
        ),
    ] {
        let house = house(&mapping);
        let said = checked(&house);
        assert!(
            said.contains(expected),
            "{what}: {}",
            said.get(..2_000).unwrap_or(&said)
        );
    }
}

#[test]
fn as_many_files_as_may_be_are_checked_in_bounded_memory() {
    for (text, files) in [
        (numbered(99_000, |at| format!("a{at}.b = 1")), 4),
        (format!("a = [{}]", "{b=1},".repeat(99_000)), 4),
        ("=\n".repeat(499_000), 5),
        (format!("a = [{}]", "1,".repeat(499_000)), 5),
    ] {
        let house = house("format = 1\ninclude = [\"large-*.toml\"]\n");
        for file in 0..files {
            let path = house.folder().join(format!("large-{file}.toml"));
            fs::write(path, &text).unwrap();
        }
        let said = checked(&house);
        assert!(said.contains("house-too-large"), "{said}");
    }
}

#[test]
fn a_file_that_is_replaced_and_cut_while_it_is_read_never_breaks_a_command() {
    let house = house("format = 1\ninclude = [\"rules.toml\"]\n");
    let whole = numbered(2_000, |at| format!("[var]\nv{at} = {{ kind = \"bool\" }}"))
        .replacen("[var]\n", "[vra]\n", 1)
        .replace("[var]\n", "");
    let path = house.folder().join("rules.toml");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut length = 1;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                length = length * 7 % whole.len();
                fs::write(&path, &whole.as_bytes()[..length]).unwrap();
                let new = path.with_extension("new");
                fs::write(&new, &whole).unwrap();
                fs::rename(&new, &path).unwrap();
            }
        });
        for _ in 0..20 {
            checked(&house);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        writer.join().unwrap();
    });
}

const KEYS: &str = "iot/piano/keys/event";
const HALL: &str = "iot/hall/lamp/target";

fn rule(key: u32) -> String {
    format!(
        "[rule.extra]\nwhen = \"piano.keys.press\"\nif = \"event.key == {key}\"\ndo = \"hall.lamp.on\"\n"
    )
}

/// Key `key` switches the hall lamp on, 61 (of the house itself) off.
fn switches(dispatcher: &Dispatcher<'_>, piano: &mut Client, key: u32) {
    let watcher = dispatcher.watcher();
    for (key, on) in [(61, false), (key, true)] {
        let mark = if on { watcher.mark() } else { 0 };
        let press = format!("{{\"event\":\"press\",\"key\":{key},\"velocity\":80}}");
        assert_eq!(piano.publish(KEYS, &press), 0);
        watcher.field(mark, HALL, "on", on);
    }
}

/// Puts a link to `to` in the place of what is at `path`, as `ln -sfn` and Kubernetes do.
fn swap(path: &Path, to: &str) {
    let new = path.with_file_name("swap");
    symlink(to, &new).unwrap();
    fs::rename(&new, path).unwrap();
}

#[test]
fn edits_behind_links_are_seen() {
    let house = House::new("format = 1\n");
    let folder = house.folder();
    let real = house.state().with_file_name("real");
    fs::create_dir(&real).unwrap();
    let mapping = PIANO_AND_LAMPS.replace("format = 1", "format = 1\ninclude = [\"rules/*.toml\"]");
    fs::write(real.join("mapping.toml"), &mapping).unwrap();
    for (version, key) in [("..v1", 50), ("..v2", 51), ("..v3", 52)] {
        fs::create_dir(folder.join(version)).unwrap();
        fs::write(folder.join(version).join("extra.toml"), rule(key)).unwrap();
    }
    // As Kubernetes lays out a mounted configuration: files lead through `..data` to a version.
    symlink("..v1", folder.join("..data")).unwrap();
    fs::create_dir(folder.join("rules")).unwrap();
    symlink("../..data/extra.toml", folder.join("rules/extra.toml")).unwrap();
    swap(&folder.join("mapping.toml"), "../real/mapping.toml");

    let dispatcher = house.start();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    switches(&dispatcher, &mut piano, 50);

    let mark = dispatcher.mark();
    swap(&folder.join("..data"), "..v2");
    dispatcher.says(mark, "are in force");
    switches(&dispatcher, &mut piano, 51);

    // The file behind the link of mapping.toml, saved by rename.
    let mark = dispatcher.mark();
    let edited = mapping.replace(
        "include = [\"rules/*.toml\"]",
        "include = [\"..v3/extra.toml\"]",
    );
    fs::write(real.join("mapping.new"), &edited).unwrap();
    fs::rename(real.join("mapping.new"), real.join("mapping.toml")).unwrap();
    dispatcher.says(mark, "are in force");
    switches(&dispatcher, &mut piano, 52);

    // The file that this one includes, written in place.
    let mark = dispatcher.mark();
    fs::write(folder.join("..v3/extra.toml"), rule(53)).unwrap();
    dispatcher.says(mark, "are in force");
    switches(&dispatcher, &mut piano, 53);
}

#[test]
fn a_folder_that_is_swapped_as_a_whole_is_seen() {
    let house = House::new(&format!("{PIANO_AND_LAMPS}{}", rule(50)));
    let folder = house.folder();
    let old = folder.with_file_name("old");
    let new = folder.with_file_name("new-house");
    fs::create_dir(&new).unwrap();
    fs::write(
        new.join("mapping.toml"),
        format!("{PIANO_AND_LAMPS}{}", rule(51)),
    )
    .unwrap();
    fs::rename(&folder, &old).unwrap();
    symlink("old", &folder).unwrap();
    let dispatcher = house.start();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    switches(&dispatcher, &mut piano, 50);
    let mark = dispatcher.mark();
    swap(&folder, "new-house");
    dispatcher.says(mark, "are in force");
    switches(&dispatcher, &mut piano, 51);
}

#[test]
fn a_running_house_goes_on_whatever_takes_the_place_of_its_files() {
    let house = House::new(
        &PIANO_AND_LAMPS.replace("format = 1", "format = 1\ninclude = [\"rules.toml\"]"),
    );
    house.write("rules.toml", &rule(50));
    house.write("blocklist.toml", "[[block]]\ndevice = \"desk\"\n");
    let dispatcher = house.start();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    let rules = house.folder().join("rules.toml");
    let pipe = house.folder().join("pipe");
    let giant = || fs::write(&pipe, vec![b'#'; 5_000_000]).unwrap();
    let utf16 = || fs::write(&pipe, b"\xff\xfe[\0r\0").unwrap();
    let cases: [(&dyn Fn(), &str); 3] = [
        (&|| mkfifo(&pipe), "`rules.toml` is a named pipe"),
        (&giant, "`rules.toml` is larger than 4 MB"),
        (&utf16, "`rules.toml` is not UTF-8, at byte 0"),
    ];
    for (make, expected) in cases {
        let mark = dispatcher.mark();
        make();
        fs::rename(&pipe, &rules).unwrap();
        dispatcher.says(mark, expected);
        dispatcher.says(mark, "not in force");
        switches(&dispatcher, &mut piano, 50);
    }
    // The last file is watched although it can't be read.
    let mark = dispatcher.mark();
    house.write("rules.toml", &rule(51));
    dispatcher.says(mark, "are in force");
    switches(&dispatcher, &mut piano, 51);
}

#[test]
fn an_unreadable_blocklist_keeps_the_last_one_in_force_over_a_restart_too() {
    let house = House::with_rules("");
    house.write("blocklist.toml", "[[block]]\ndevice = \"piano\"\n");
    let dispatcher = house.start();
    let path = house.folder().join("blocklist.toml");
    let giant = || fs::write(&path, vec![b'#'; 1_000_001]).unwrap();
    let cases: [(&dyn Fn(), &str); 2] = [
        (&giant, "`blocklist.toml` is larger than 1 MB"),
        (
            &|| mkfifo(&remove(&house, "blocklist.toml")),
            "`blocklist.toml` is a named pipe",
        ),
    ];
    for (make, expected) in cases {
        let mark = dispatcher.mark();
        make();
        dispatcher.says(mark, expected);
        dispatcher.says(mark, "the last one stays");
        assert_eq!(dispatcher.device("piano")["blocked"], "both");
    }
    let refused = dispatcher.ask(&["device", "block", "hall"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("is a named pipe"), "{refused:?}");
    assert!(refused.stderr.contains("not written down"), "{refused:?}");

    let dispatcher = dispatcher.kill_9_and_restart();
    dispatcher.says(0, "were in force last stay");
    assert_eq!(dispatcher.device("piano")["blocked"], "both");
    fs::remove_file(&path).unwrap();
    dispatcher.device_is("piano", "is heard again", |piano| piano["blocked"] == "");
}

#[test]
fn an_edit_of_what_is_no_file_and_a_schema_through_a_link_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let house = folder.path().join("house");
    fs::create_dir(&house).unwrap();
    mkfifo(&house.join("mapping.toml"));
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let path = house.to_str().unwrap();
    let edit = run(words(&["edit", "set", path, "/rule/x/if", "true"]), "");
    assert_eq!(edit.code, Some(1), "{edit:?}");
    assert!(edit.stderr.contains("named pipe"), "{edit:?}");

    // What could not be written is not shown as if it were.
    fs::remove_file(house.join("mapping.toml")).unwrap();
    let included = "format = 1\ninclude = [\"more.toml\"]\n";
    fs::write(house.join("mapping.toml"), included).unwrap();
    let elsewhere = folder.path().join("elsewhere.toml");
    fs::write(&elsewhere, "[home]\ntimezone = \"Europe/Berlin\"\n").unwrap();
    symlink(&elsewhere, house.join("more.toml")).unwrap();
    let edit = ["edit", "set", path, "/home/timezone", "\"Europe/Paris\""];
    let edit = run(words(&edit), "");
    assert_eq!((edit.code, &*edit.stdout), (Some(1), ""), "{edit:?}");
    assert!(edit.stderr.contains("nothing was changed"), "{edit:?}");

    fs::write(house.join("mapping.toml"), "format = 1\n").unwrap();
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, house.join("mapping.schema.json")).unwrap();
    let schema = run(words(&["schema", path, "--write"]), "");
    assert_eq!(schema.code, Some(1), "{schema:?}");
    assert!(
        schema.stderr.contains("leads out of the house"),
        "{schema:?}"
    );
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
}
