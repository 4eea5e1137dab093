//! A house in one file: made while its dispatcher runs, put in place on another machine, and refused where it is not whole.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::{Command, Stdio},
};

use crate::harness::{Dispatcher, House, Output, PIANO_AND_LAMPS, finish, iot_control, until};

fn run(word: &str, file: &Path, house: &House, more: &[&str]) -> Output {
    let state = ["--state".into(), house.state().into_os_string()];
    let more = more.iter().map(OsString::from);
    run_stateless(word, file, house, state.into_iter().chain(more))
}

/// As [`run`], where nobody says in which folder the state is.
fn run_stateless(
    word: &str,
    file: &Path,
    house: &House,
    more: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Output {
    let mut command = iot_control();
    command.arg(word).arg(file);
    command.arg("--house").arg(house.folder()).args(more);
    finish(command, "")
}

/// A house that ran once, so that it has a state.
fn house_that_ran() -> House {
    let house = House::new(PIANO_AND_LAMPS);
    drop(Dispatcher::start(&house, &[]));
    house
}

/// A house that has nothing in its folders yet.
fn nowhere() -> House {
    let house = House::new("");
    fs::remove_dir_all(house.folder()).unwrap();
    house
}

#[test]
fn a_house_goes_on_elsewhere_from_a_backup_that_was_made_while_it_ran() {
    let house = House::new(&format!(
        "{PIANO_AND_LAMPS}\n[rule.later]\nwhen = \"desk.button.press\"\ndo = {{ start = \"off\", for = \"2h\" }}\n[rule.off-then]\nwhen = {{ timer = \"off\" }}\ndo = \"hall.lamp.off\"\n"
    ));
    house.write("rules/notes.txt", "kept as it is");
    let dispatcher = Dispatcher::start(&house, &["--simulate"]);
    dispatcher.ask(&["press", "piano.keys", "key=60"]).ok();
    dispatcher.ask(&["press", "desk.button"]).ok();
    let file = house.folder().with_extension("tar.gz");
    let made = run("backup", &file, &house, &[]).ok();
    assert!(made.stdout.contains("whole to input"), "{made:?}");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // What happens after it is not in it.
    dispatcher.ask(&["press", "piano.keys", "key=61"]).ok();
    drop(dispatcher);

    let other = nowhere();
    let put = run("restore", &file, &other, &[]).ok();
    assert!(put.stdout.contains("whole to input"), "{put:?}");
    assert_eq!(
        fs::read_to_string(other.folder().join("rules/notes.txt")).unwrap(),
        "kept as it is"
    );
    let went_on = Dispatcher::start(&other, &["--simulate"]);
    let state = went_on.ask(&["state", "--json"]).ok().json();
    let text = state.to_string();
    assert!(text.contains("\"off\""), "the timer runs: {text}");
    let lamp = went_on.device("hall");
    assert_eq!(lamp["channels"]["lamp"]["target"]["on"], true, "{lamp}");
}

#[test]
fn a_backup_is_never_written_over_and_a_restore_moves_aside_what_is_there() {
    let house = house_that_ran();
    let file = house.folder().with_extension("tar.gz");
    run("backup", &file, &house, &[]).ok();
    let bytes = fs::read(&file).unwrap();
    let again = run("backup", &file, &house, &[]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("is there already"), "{again:?}");
    assert_eq!(fs::read(&file).unwrap(), bytes);

    house.write("mapping.toml", "format = 1\n# another house\n");
    let refused = run("restore", &file, &house, &[]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    let put = run("restore", &file, &house, &["--force"]).ok();
    let aside = house.folder().with_file_name("house.before-restore-1");
    assert!(put.stderr.contains(&*aside.to_string_lossy()), "{put:?}");
    let before = fs::read_to_string(aside.join("mapping.toml")).unwrap();
    assert!(before.contains("another house"));
    assert_eq!(
        fs::read_to_string(house.folder().join("mapping.toml")).unwrap(),
        PIANO_AND_LAMPS
    );
}

#[test]
fn nothing_is_changed_by_what_is_no_whole_backup_or_under_a_dispatcher() {
    let house = House::new(PIANO_AND_LAMPS);
    let file = house.folder().with_extension("tar.gz");
    drop(Dispatcher::start(&house, &[]));
    run("backup", &file, &house, &[]).ok();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = file.with_extension("damaged");
    fs::write(&damaged, &bytes).unwrap();
    let other = nowhere();
    let refused = run("restore", &damaged, &other, &[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("nothing was changed"),
        "{refused:?}"
    );
    assert!(!other.folder().exists() && !other.state().exists());
    let left: Vec<_> = fs::read_dir(other.folder().parent().unwrap())
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");

    let dispatcher = Dispatcher::start(&house, &[]);
    let refused = run("restore", &file, &house, &["--force"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains(&dispatcher.pid().to_string()),
        "{refused:?}"
    );
}

#[test]
fn what_of_the_house_is_not_in_a_backup_is_told() {
    let house = house_that_ran();
    symlink("/etc/passwd", house.folder().join("elsewhere.toml")).unwrap();
    house.write(".git/HEAD", "ref: refs/heads/main");
    let file = house.folder().with_extension("tar.gz");
    let made = run("backup", &file, &house, &[]).ok();
    for told in [
        "elsewhere.toml leads out of the house",
        ".git is the history",
    ] {
        assert!(made.stderr.contains(told), "{made:?}");
    }
    let other = nowhere();
    run("restore", &file, &other, &[]).ok();
    assert_eq!(names(&other.folder()), ["mapping.toml"]);
}

#[test]
fn a_file_that_is_none_of_the_state_is_told_and_left_out() {
    let house = House::new(PIANO_AND_LAMPS);
    drop(Dispatcher::start(&house, &[]));
    let note = house.state().join("notes.txt");
    fs::write(&note, "somebody's").unwrap();
    let file = house.folder().with_extension("tar.gz");
    let made = run("backup", &file, &house, &[]).ok();
    let told = format!("{} is no file of the state", note.display());
    assert!(made.stderr.contains(&told), "{made:?}");
    assert_eq!(made.stderr.lines().count(), 1, "{made:?}");
    let other = nowhere();
    run("restore", &file, &other, &[]).ok();
    assert!(!other.state().join("notes.txt").exists());
    assert!(other.state().join("house-folder").exists());
}

#[test]
fn keys_stay_their_owner_s_alone() {
    let house = House::new(PIANO_AND_LAMPS);
    house.write("tls/key.pem", "a key");
    house.write("notes.txt", "for all");
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(&house.folder().join("tls/key.pem"), 0o600);
    mode(&house.folder().join("notes.txt"), 0o644);
    mode(&house.folder(), 0o750);
    drop(Dispatcher::start(&house, &[]));
    let file = house.folder().with_extension("tar.gz");
    run("backup", &file, &house, &[]).ok();
    let other = nowhere();
    run("restore", &file, &other, &[]).ok();
    let modes = ["tls/key.pem", "notes.txt", ""].map(|name| {
        let metadata = other.folder().join(name).metadata().unwrap();
        metadata.permissions().mode() & 0o7777
    });
    assert_eq!(modes, [0o600, 0o644, 0o750]);
    // Its own rights are looked at by each start.
    drop(Dispatcher::start(&other, &[]));
}

#[test]
fn a_backup_in_what_it_packs_is_refused() {
    let house = House::new(PIANO_AND_LAMPS);
    drop(Dispatcher::start(&house, &[]));
    house.write("rules/notes.txt", "");
    let root = house.folder().parent().unwrap().to_owned();
    symlink(house.folder().join("rules"), root.join("way")).unwrap();
    for file in [
        house.folder().join("backup.tar.gz"),
        house.folder().join("rules/backup.tar.gz"),
        house.state().join("journal/backup.tar.gz"),
        root.join("way/backup.tar.gz"),
        root.join("state/../house/backup.tar.gz"),
    ] {
        let refused = run("backup", &file, &house, &[]);
        assert_eq!(refused.code, Some(1), "{file:?}");
        assert!(refused.stderr.contains("which is packed"), "{refused:?}");
        assert!(!file.exists());
    }
}

#[test]
fn the_state_goes_where_the_settings_in_the_backup_have_it_once_somebody_says_so() {
    let house = House::new(PIANO_AND_LAMPS);
    let root = house.folder().parent().unwrap().to_owned();
    let (named, file) = (root.join("kept/here"), root.join("backup.tar.gz"));
    house.write(
        "settings.toml",
        &format!("state = \"{}\"\n", named.display()),
    );
    drop(Dispatcher::start(&house, &[]));
    // The dispatcher of the tests is told its state; this house's is where its settings say.
    fs::create_dir(root.join("kept")).unwrap();
    fs::rename(house.state(), &named).unwrap();
    let command = |word: &str, more: &[&Path]| run_stateless(word, &file, &house, more);
    let made = command("backup", &[]).ok();
    assert!(made.stdout.contains("whole to input"), "{made:?}");

    fs::remove_dir_all(house.folder()).unwrap();
    fs::remove_dir_all(root.join("kept")).unwrap();
    // Whoever made the archive chose what it says.
    let refused = command("restore", &[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let how = format!("--state {}", named.display());
    assert!(refused.stderr.contains(&how), "{refused:?}");
    assert!(!named.exists() && !house.folder().exists());
    let put = command("restore", &[Path::new("--state"), &named]).ok();
    assert!(put.stdout.contains(named.to_str().unwrap()), "{put:?}");
    assert!(put.stderr.is_empty(), "{put:?}");
    assert!(named.join("house.db").exists());
    // Where the machine keeps states there anyway, it need not be said.
    fs::remove_dir_all(house.folder()).unwrap();
    fs::remove_dir_all(&named).unwrap();
    let mut by_machine = iot_control();
    by_machine.arg("restore").arg(&file);
    by_machine.arg("--house").arg(house.folder());
    by_machine.env("STATE_DIRECTORY", &named);
    finish(by_machine, "").ok();
    assert!(named.join("house.db").exists());

    // Elsewhere it is looked for in vain: what to do is said.
    fs::remove_dir_all(house.folder()).unwrap();
    let elsewhere = root.join("elsewhere");
    let put = command("restore", &[Path::new("--state"), &elsewhere]).ok();
    assert!(put.stderr.contains(named.to_str().unwrap()), "{put:?}");
    assert!(put.stderr.contains("write state = "), "{put:?}");
}

#[test]
fn a_state_that_is_named_and_not_there_is_no_backup_without_one() {
    let house = House::new(PIANO_AND_LAMPS);
    let file = house.folder().with_extension("tar.gz");
    let mistyped = house.folder().with_file_name("mistyped");
    let mistyped = mistyped.to_str().expect("a path of letters").to_owned();
    let refused = |more: &[&str]| {
        let refused = run_stateless("backup", &file, &house, more);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let told = format!("{mistyped}: there is no state of a house");
        assert!(refused.stderr.contains(&told), "{refused:?}");
        assert!(!file.exists());
    };
    refused(&["--state", &mistyped]);
    house.write("settings.toml", &format!("state = \"{mistyped}\"\n"));
    refused(&[]);
    // A folder without a state is none.
    fs::create_dir(&mistyped).expect("it is made");
    refused(&[]);
}

#[test]
fn settings_that_can_t_be_read_leave_no_state_out() {
    let house = house_that_ran();
    let file = house.folder().with_extension("tar.gz");
    house.write("settings.toml", "stat = \"/srv/house\"\n");
    let backup = |more: &[&str]| run_stateless("backup", &file, &house, more);
    let refused = backup(&[]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("--state"), "{refused:?}");
    let state = house.state();
    backup(&["--state", state.to_str().unwrap()]).ok();
}

#[test]
fn a_house_and_a_state_that_would_lie_in_each_other_are_refused() {
    let house = house_that_ran();
    let file = house.folder().with_extension("tar.gz");
    run("backup", &file, &house, &[]).ok();
    let before = names(&house.folder());
    for (house_at, state_at) in [("", ""), ("", "state"), ("inner", ""), ("", "../house/x")] {
        let mut command = iot_control();
        command.arg("restore").arg(&file).arg("--force");
        command.arg("--house").arg(house.folder().join(house_at));
        command.arg("--state").arg(house.folder().join(state_at));
        let refused = finish(command, "");
        assert_eq!(refused.code, Some(1), "{house_at} {state_at}: {refused:?}");
        assert_eq!(names(&house.folder()), before);
    }
}

#[test]
fn a_restore_into_the_folder_that_one_works_in_fills_that_very_folder() {
    let house = house_that_ran();
    let file = house.folder().with_extension("tar.gz");
    let files = |made: &Output| {
        let count = made
            .stdout
            .split_once(": ")
            .and_then(|it| it.1.split_once(','));
        count.expect("it says how many files").0.to_owned()
    };
    let first = files(&run("backup", &file, &house, &[]).ok());
    house.write("mapping.toml", "format = 1\n# another house\n");
    let before = house.folder().metadata().unwrap().ino();
    let mut command = iot_control();
    command
        .current_dir(house.folder())
        .arg("restore")
        .arg(&file);
    command
        .args(["--house", ".", "--force", "--state"])
        .arg(house.state());
    let put = finish(command, "").ok();
    assert!(put.stderr.contains("before-restore-1"), "{put:?}");
    assert_eq!(house.read("mapping.toml"), PIANO_AND_LAMPS);
    assert!(
        house
            .read("before-restore-1/mapping.toml")
            .contains("another house")
    );
    assert_eq!(house.folder().metadata().unwrap().ino(), before);
    // What was moved aside is not in the next backup.
    let next = file.with_extension("next");
    let made = run("backup", &next, &house, &[]).ok();
    assert_eq!(files(&made), first, "{made:?}");
    assert!(made.stderr.contains("before-restore-1"), "{made:?}");
}

#[test]
fn a_backup_or_restore_that_is_killed_leaves_no_half_file_and_the_next_one_tidies_up() {
    let house = House::new(PIANO_AND_LAMPS);
    drop(Dispatcher::start(&house, &[]));
    let folder = house.folder().parent().unwrap().to_owned();
    let file = folder.join("backup.tar.gz");
    let has_begun = || {
        let is_staging = |name: &String| name.starts_with(".iot-control-unfinished-");
        names(&folder).iter().any(is_staging)
    };
    let kill = |mut command: Command| {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("it begins or ends", || {
            (has_begun() || child.try_wait().unwrap().is_some()).then_some(())
        });
        drop(child.kill());
        child.wait().unwrap();
    };
    let command = |word: &str, at: &House| {
        let mut command = iot_control();
        command.arg(word).arg(&file).arg("--house").arg(at.folder());
        command.arg("--state").arg(at.state());
        command
    };
    for _ in 0..5 {
        kill(command("backup", &house));
        if file.exists() {
            finish(command("restore", &nowhere()), "").ok();
            fs::remove_file(&file).unwrap();
        }
        finish(command("backup", &house), "").ok();
        assert!(!has_begun(), "{:?}", names(&folder));
        let other = nowhere();
        kill(command("restore", &other));
        run("restore", &file, &other, &["--force"]).ok();
        let there = names(other.folder().parent().unwrap());
        let is_known = |name: &String| name.starts_with("house") || name.starts_with("state");
        assert!(there.iter().all(is_known), "{there:?}");
        drop(Dispatcher::start(&other, &[]));
        fs::remove_file(&file).unwrap();
    }
}

/// What is in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}
