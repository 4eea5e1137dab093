//! `cargo xtask conformance PATH`: Eclipse's MQTT test suite (paho.mqtt.testing) against the release dispatcher.
//!
//! Called by people, with a checkout of the suite: nothing of it is ours. `agents/conformance.py` runs its clients.

mod outcome;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    bench::broker::{
        build,
        server::{self, Server},
    },
    shell,
};
use outcome::Totals;

/// The house that the broker belongs to: none of its topics is one of the suite's.
const HOUSE: &str = "format = 1\n[device.taster]\nid = 1\nio.button = { kind = \"button\" }\n";

/// A login that may not subscribe to `test/nosubscribe`, as the suite expects of every broker. A client of this machine
/// without a login may do everything, as the rest of the suite expects.
const LOGIN: [&str; 5] = ["user", "add", "suite", "--bridge", "TopicA/#"];

/// A version of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V3,
    V5,
}

impl Version {
    fn name(self) -> &'static str {
        match self {
            Self::V3 => "3.1.1",
            Self::V5 => "5.0",
        }
    }

    /// The suite's script for it.
    fn script(self) -> &'static str {
        match self {
            Self::V3 => "client_test.py",
            Self::V5 => "client_test5.py",
        }
    }
}

/// What to run.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    suite: PathBuf,
    versions: Vec<Version>,
    /// All where `None`.
    test: Option<String>,
}

impl Options {
    /// Takes the words after `conformance`.
    ///
    /// # Errors
    /// There is no such option, or no folder.
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let (mut suite, mut test) = (None, None);
        let mut versions = vec![Version::V3, Version::V5];
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a value"))
            };
            match *word {
                "--version" => {
                    let name = *value()?;
                    versions.retain(|version| version.name() == name);
                    if versions.is_empty() {
                        bail!("--version is 3.1.1 or 5.0");
                    }
                }
                "--test" => test = Some((*value()?).to_owned()),
                option if option.starts_with('-') => bail!("conformance has no option {option}"),
                path if suite.is_none() => suite = Some(PathBuf::from(path)),
                more => bail!("conformance takes one folder; what is {more}?"),
            }
        }
        Ok(Self {
            suite: suite
                .context("conformance needs the path of a checkout of paho.mqtt.testing")?,
            versions,
            test,
        })
    }
}

/// Builds the dispatcher, starts it, and runs the suite against it: a line for each test, totals for each version.
///
/// # Errors
/// A test fails that is not known to, or passes that is; or nothing can be run.
pub(crate) fn run(options: &Options) -> Result<()> {
    let clients = options.suite.join("interoperability");
    let clients = clients
        .canonicalize()
        .ok()
        .filter(|folder| folder.join(Version::V5.script()).is_file())
        .with_context(|| {
            format!(
                "{} is no checkout of paho.mqtt.testing",
                options.suite.display()
            )
        })?;
    let binary = build()?;
    let folder = shell::root().join("target/conformance");
    let (mut wrong, mut ran) = (0, false);
    for &version in &options.versions {
        let broker = Broker::start(&binary, &folder)?;
        let test = options.test.as_deref();
        let totals = run_version(version, &clients, &broker, test)
            .with_context(|| format!("MQTT {} (logs in {})", version.name(), folder.display()))?;
        println!("MQTT {}: {totals}", version.name());
        wrong += totals.wrong;
        ran |= !totals.is_empty();
    }
    if !ran {
        bail!("there is no such test");
    }
    if wrong > 0 {
        bail!("{wrong} tests ended otherwise than expected");
    }
    Ok(())
}

/// The dispatcher, and the login of [`LOGIN`].
struct Broker {
    server: Server,
    password: String,
    /// Where the suite's own words go.
    log: PathBuf,
}

impl Broker {
    /// Starts it in a folder that is emptied first.
    fn start(binary: &Path, folder: &Path) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)
                .with_context(|| format!("can't empty {}", folder.display()))?;
        }
        let house = folder.join("house");
        fs::create_dir_all(&house).with_context(|| format!("can't create {}", house.display()))?;
        fs::write(house.join("mapping.toml"), HOUSE).context("can't write a house")?;
        let command = || {
            let mut command = Command::new(binary);
            command
                .env("IOT_CONTROL__STATE", folder.join("state"))
                .stdin(Stdio::null());
            command
        };
        let password = shell::output(command().args(LOGIN))?.trim().to_owned();
        let address = server::free_address()?;
        let mut run = command();
        run.arg("run")
            .arg(&house)
            .env("IOT_CONTROL__MQTT__LISTEN", address.to_string())
            .env("IOT_CONTROL__MQTT__ANONYMOUS", "loopback")
            .env("IOT_CONTROL__WEB__LISTEN", "")
            .env("IOT_CONTROL__STREAM", "off")
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("dispatcher.log"))?);
        Ok(Self {
            server: Server::start(&mut run, address, None)?,
            password,
            log: folder.join("suite.log"),
        })
    }
}

/// Runs the tests of a version, or the one that is named.
fn run_version(
    version: Version,
    clients: &Path,
    broker: &Broker,
    test: Option<&str>,
) -> Result<Totals> {
    let mut command = Command::new("python3");
    command
        .arg(shell::root().join("xtask/agents/conformance.py"))
        .args([
            version.script(),
            &broker.server.door.address.port().to_string(),
            LOGIN[2],
            &broker.password,
        ])
        .args(test)
        .current_dir(clients)
        // The checkout stays as it is.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&broker.log)?);
    let mut agent = command.spawn().context("can't start python3")?;
    let stdout = agent.stdout.take().context("its output is piped")?;
    let mut totals = Totals::default();
    for line in BufReader::new(stdout).lines() {
        let said = outcome::parse(&line?)?;
        let verdict = outcome::judge(version, &said);
        println!("MQTT {} {}: {verdict}", version.name(), said.test);
        totals.add(verdict);
    }
    let status = agent.wait()?;
    if !status.success() {
        bail!("the suite ended early: {status}");
    }
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_and_others_refused() {
        let all = Options::parse(&["suite"]).expect("a folder is enough");
        assert_eq!(all.versions, [Version::V3, Version::V5]);
        assert_eq!((all.suite, all.test), (PathBuf::from("suite"), None));
        let one = Options::parse(&["--version", "5.0", "suite", "--test", "test_basic"])
            .expect("they exist");
        assert_eq!(one.versions, [Version::V5]);
        assert_eq!(one.test.as_deref(), Some("test_basic"));
        for wrong in [
            &[][..],
            &["--version", "5.0"],
            &["suite", "--version", "3.1"],
            &["suite", "--version"],
            &["suite", "other"],
            &["suite", "--fast"],
        ] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
