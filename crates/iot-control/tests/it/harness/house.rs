//! A house folder of a test, its state folder, and its users.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;
use wire::Identity;

use super::{
    command::{finish, iot_control, kill_when, run},
    dispatcher::Dispatcher,
    module::identity,
};

/// A house of three modules: a piano, a hall with lamp and motion sensor, a desk with button and lamp.
/// Key 60 switches the hall lamp on, 61 off, 62 toggles it; keys from 72 on dim it by their velocity.
pub const PIANO_AND_LAMPS: &str = r#"
format = 1

[device.piano]
id = 17
board = "esp32-c3"
uart = { rx = 6 }
io.keys = { kind = "midi" }

[device.hall]
id = 21
board = "esp32-c3"
io.lamp = { kind = "dimmer", pin = 4 }
io.motion = { kind = "motion", pin = 5 }

[device.desk]
id = 25
board = "esp32-c3"
io.button = { kind = "button", pin = 10 }
io.lamp = { kind = "switch", pin = 4 }

[rule.on]
when = "piano.keys.press"
if = "event.key == 60"
do = "hall.lamp.on"

[rule.off]
when = "piano.keys.press"
if = "event.key == 61"
do = "hall.lamp.off"

[rule.toggle]
when = "piano.keys.press"
if = "event.key == 62"
do = "hall.lamp.toggle"

[rule.dim]
when = "piano.keys.press"
if = "event.key >= 72"
do = { set = "hall.lamp", brightness = "${event.velocity * 100 / 127}" }

[rule.desk]
when = "desk.button.press"
do = "desk.lamp.toggle"
"#;

/// User and password.
#[derive(Clone, Debug)]
pub struct Login {
    /// Name it logs in with.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// A house in a folder that goes when the test ends.
pub struct House {
    root: TempDir,
    logins: RefCell<BTreeMap<String, Login>>,
    /// What stands for the folder in memory that systemd gives a service.
    memory: Option<TempDir>,
}

impl House {
    /// A house with this mapping.toml.
    pub fn new(mapping: &str) -> Self {
        let house = Self {
            root: tempfile::tempdir().unwrap(),
            logins: RefCell::default(),
            memory: Some(tempfile::tempdir().unwrap()),
        };
        fs::create_dir(house.folder()).unwrap();
        house.write("mapping.toml", mapping);
        house
    }

    /// The house of [`PIANO_AND_LAMPS`] with more rules.
    pub fn with_rules(rules: &str) -> Self {
        Self::new(&format!("{PIANO_AND_LAMPS}\n{rules}"))
    }

    /// A copy of a folder, so that a test can edit it.
    pub fn copy(from: &Path) -> Self {
        let house = Self::new("");
        copy(from, &house.folder());
        house
    }

    /// The folder with mapping.toml.
    pub fn folder(&self) -> PathBuf {
        self.root.path().join("house")
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    /// Its dispatcher is given no folder in memory, as where no service manager starts it: all is on the disk at once.
    pub fn without_memory(mut self) -> Self {
        self.memory = None;
        self
    }

    /// Variables that a service manager sets.
    pub fn surroundings(&self) -> Option<(&'static str, &Path)> {
        let memory = self.memory.as_ref()?;
        Some(("RUNTIME_DIRECTORY", memory.path()))
    }

    /// Writes a file as an editor does: whole, then renamed.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    /// What a file holds.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder().join(name)).unwrap()
    }

    /// Starts the dispatcher and waits until it is ready.
    pub fn start(&self) -> Dispatcher<'_> {
        Dispatcher::start(self, &[])
    }

    /// `iot-control run` for this house, not started yet.
    pub fn run_on(&self, address: &str) -> Command {
        let (folder, state) = (self.folder(), self.state());
        let mut command = iot_control();
        command
            .args([Path::new("run"), &folder, Path::new("--state"), &state])
            .envs(self.surroundings())
            .env("IOT_CONTROL__WEB__LISTEN", "")
            .env("IOT_CONTROL__MQTT__LISTEN", address);
        command
    }

    /// Starts the dispatcher and kills it with `kill -9` as soon as `is` says so, ready or not.
    pub fn start_and_kill_when(&self, what: &str, is: impl Fn() -> bool) {
        kill_when(self.run_on("127.0.0.1:0"), what, is);
    }

    /// Starts a dispatcher that must not come up; gives what it said.
    pub fn start_fails(&self) -> String {
        self.start_on_fails("127.0.0.1:0")
    }

    /// As [`Self::start_fails`], where it is to listen on `address`.
    pub fn start_on_fails(&self, address: &str) -> String {
        let ended = finish(self.run_on(address), "");
        assert_eq!(ended.code, Some(1), "{ended:?}");
        ended.stderr
    }

    /// The segments of the journal, oldest first.
    pub fn segments(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state().join("journal")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|end| end == "journal"))
            .collect();
        segments.sort();
        segments
    }

    /// The login of a device, added where it has none yet; running or not.
    pub fn device_login(&self, device: &str) -> Login {
        self.login(device, &["--device", device])
    }

    /// The login of a program that sees the whole house.
    pub fn tool_login(&self) -> Login {
        self.login("watcher", &["--tool"])
    }

    /// The login of a bridge that carries the foreign devices below `filter`.
    pub fn bridge_login(&self, user: &str, filter: &str) -> Login {
        self.login(user, &["--bridge", filter])
    }

    /// The identity of a device that speaks over the sealed link; running or not.
    pub fn identity(&self, device: &str) -> Identity {
        self.identity_by(device, &[])
    }

    /// As [`Self::identity`], with more words.
    pub fn identity_by(&self, device: &str, more: &[&str]) -> Identity {
        let file = self.root.path().join(format!("{device}.identity"));
        let state = self.state();
        let (out, state) = (file.to_str().unwrap(), state.to_str().unwrap());
        let mut args = vec!["device", "add", device, "--out", out, "--state", state];
        args.extend(more);
        run(args, "").ok();
        let identity = identity(&file);
        fs::remove_file(file).unwrap();
        identity
    }

    fn login(&self, user: &str, kind: &[&str]) -> Login {
        let known = self.logins.borrow().get(user).cloned();
        known.unwrap_or_else(|| {
            let state = self.state();
            let mut args = vec!["user", "add", user, "--state", state.to_str().unwrap()];
            args.extend(kind);
            let output = run(args, "").ok();
            let login = Login {
                user: user.to_owned(),
                password: output.stdout.trim().to_owned(),
            };
            assert!(
                login.password.len() >= 20 && !login.password.contains('\n'),
                "stdout is the password and nothing else: {output:?}"
            );
            let mut logins = self.logins.borrow_mut();
            logins.insert(user.to_owned(), login.clone());
            login
        })
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
