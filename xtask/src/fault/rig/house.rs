//! A house in a folder of its own, its state and its dispatcher.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

use super::super::Way;
use crate::{
    bench::broker::{
        packet::Login,
        server::{self, Server},
    },
    shell,
};

/// A house that a fault strikes.
pub(crate) struct House {
    binary: PathBuf,
    folder: PathBuf,
    /// Words before each of its commands: what puts them onto another disk or under another clock.
    within: Vec<OsString>,
    /// Variables of all of them.
    variables: Vec<(&'static str, String)>,
}

impl House {
    /// Makes the folder of fault `name` anew, with this `mapping.toml`.
    ///
    /// # Errors
    /// The disk, or the house does not check.
    pub(crate) fn new(way: &Way, name: &str, mapping: &str) -> Result<Self> {
        let folder = shell::root().join("target/fault").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("can't empty {}", folder.display()))?;
        }
        let house = Self {
            binary: way.binary.clone(),
            folder,
            within: Vec::new(),
            variables: Vec::new(),
        };
        for folder in [house.files(), house.state()] {
            fs::create_dir_all(&folder)
                .with_context(|| format!("can't create {}", folder.display()))?;
        }
        house.write("mapping.toml", mapping)?;
        let mut check = house.command();
        shell::output(check.arg("check").arg(house.files()))?;
        Ok(house)
    }

    /// From now on its commands run behind these words.
    pub(crate) fn goes_within<W: Into<OsString>>(&mut self, words: impl IntoIterator<Item = W>) {
        self.within = words.into_iter().map(Into::into).collect();
    }

    /// From now on its commands have these variables.
    pub(crate) fn has_variables(&mut self, variables: Vec<(&'static str, String)>) {
        self.variables = variables;
    }

    /// What belongs to this fault; the log of the dispatcher stands there.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder with `mapping.toml`.
    pub(crate) fn files(&self) -> PathBuf {
        self.folder.join("house")
    }

    /// The state folder; it is there before the first start.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Writes one of its files.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.files().join(name);
        fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))
    }

    /// The binary, with its state folder.
    pub(crate) fn command(&self) -> Command {
        let mut words = self.within.iter();
        let mut command = match words.next() {
            None => Command::new(&self.binary),
            Some(first) => {
                let mut command = Command::new(first);
                command.args(words).arg(&self.binary);
                command
            }
        };
        command
            .env("IOT_CONTROL__STATE", self.state())
            .env("IOT_CONTROL__WEB__LISTEN", "")
            .env("IOT_CONTROL__STREAM", "off")
            // A rule that fires more than 100 times a second is cut off in a house: here it is the point.
            .env("IOT_CONTROL__ENGINE__FUSE", "1000000")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command, which must succeed; gives what it prints.
    ///
    /// # Errors
    /// It fails.
    pub(crate) fn ask(&self, words: &[&str]) -> Result<String> {
        shell::output(self.command().args(words))
    }

    /// Runs a command that may fail.
    ///
    /// # Errors
    /// It can't be started.
    pub(crate) fn tries(&self, words: &[&str]) -> Result<Output> {
        let output = self.command().args(words).output();
        output.with_context(|| format!("can't run `{}`", words.join(" ")))
    }

    /// As [`Self::ask`], of what prints JSON.
    ///
    /// # Errors
    /// It fails, or prints something else.
    pub(crate) fn ask_json(&self, words: &[&str]) -> Result<Json> {
        let text = self.ask(words)?;
        serde_json::from_str(&text)
            .with_context(|| format!("`{}` printed no JSON: {text}", words.join(" ")))
    }

    /// A login for this device.
    ///
    /// # Errors
    /// The binary refuses it.
    pub(crate) fn device_login(&self, device: &str) -> Result<Login> {
        self.login(&["user", "add", device, "--device", device])
    }

    /// A login for a program that sees the house.
    ///
    /// # Errors
    /// The binary refuses it.
    pub(crate) fn tool_login(&self, name: &str) -> Result<Login> {
        self.login(&["user", "add", name, "--tool"])
    }

    fn login(&self, words: &[&str]) -> Result<Login> {
        Ok(Login {
            user: words[2].to_owned(),
            password: self.ask(words)?.trim().to_owned(),
        })
    }

    /// Starts its dispatcher on a free port and waits until `login` gets in.
    ///
    /// # Errors
    /// It does not come up.
    pub(crate) fn start(&self, login: &Login) -> Result<Server> {
        self.start_with(login, &[])
    }

    /// As [`Self::start`], with settings as variables.
    ///
    /// # Errors
    /// It does not come up.
    pub(crate) fn start_with(&self, login: &Login, settings: &[(&str, &str)]) -> Result<Server> {
        let address = server::free_address()?;
        let mut command = self.run()?;
        command
            .env("IOT_CONTROL__MQTT__LISTEN", address.to_string())
            .envs(settings.iter().copied());
        Server::start(&mut command, address, Some(login)).with_context(|| self.last_said())
    }

    /// Starts its dispatcher where it must not come up; gives what it said.
    ///
    /// # Errors
    /// It came up.
    pub(crate) fn start_fails(&self) -> Result<String> {
        let before = self.said().len();
        let mut command = self.run()?;
        let status = command
            .env("IOT_CONTROL__MQTT__LISTEN", "127.0.0.1:0")
            .status()?;
        if status.success() {
            bail!("it ended as if all were well");
        }
        Ok(self.said().split_off(before))
    }

    fn run(&self) -> Result<Command> {
        let path = self.log();
        let log = fs::File::options().create(true).append(true).open(&path);
        let log = log.with_context(|| format!("can't write {}", path.display()))?;
        let mut command = self.command();
        command
            .arg("run")
            .arg(self.files())
            .stdout(Stdio::null())
            .stderr(log);
        Ok(command)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// What its dispatchers said so far.
    pub(crate) fn said(&self) -> String {
        let said = fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// For errors: the end of what was said.
    fn last_said(&self) -> String {
        let said = self.said();
        let lines: Vec<&str> = said.lines().collect();
        let last = &lines[lines.len().saturating_sub(5)..];
        format!("{} ends with:\n{}", self.log().display(), last.join("\n"))
    }

    /// How often a dispatcher panicked so far.
    pub(crate) fn panics(&self) -> u64 {
        self.said().matches("panicked at").count() as u64
    }

    /// The value of a variable of the mapping, as the state folder has it.
    ///
    /// # Errors
    /// It can't be told.
    pub(crate) fn number(&self, state: &Json, name: &str) -> Result<u64> {
        let value = state["vars"][name].as_f64();
        value
            .map(|value| value as u64)
            .with_context(|| format!("{name} is no number: {state}"))
    }
}
