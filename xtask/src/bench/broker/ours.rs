//! The dispatcher under load: a house with as many rules as asked for, a user for every module, the journal on
//! disk, metrics served. Nothing is switched off for the bench but bounds on what one device may do. Called by the bench.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use super::{
    packet::Login,
    route::{
        CONSUMERS, MIDI, PRODUCERS, Route, consumer_name, keyboard_name, place, producer_name,
        servo, servo_name,
    },
    server::{self, Server},
    stream,
};
use crate::{metadata::Workspace, shell};

/// Rules of one file: it may have 4 MB, the whole house 32.
const FILE_RULES_MAX: usize = 10_000;

/// Builds the release binary; gives its path.
///
/// # Errors
/// It doesn't build.
pub(crate) fn build() -> Result<PathBuf> {
    shell::run(&mut shell::cargo([
        "build",
        "--release",
        "--package",
        "iot-control",
    ]))?;
    Ok(Workspace::read()?.target.join("release/iot-control"))
}

/// Writes house and users into an empty folder; notes the logins in the route.
///
/// # Errors
/// The disk, or the binary refuses the house.
pub(crate) fn prepare(binary: &Path, folder: &Path, route: &mut Route) -> Result<()> {
    let house = folder.join("house");
    fs::create_dir_all(&house).with_context(|| format!("can't create {}", house.display()))?;
    let write = |name: &str, text: String| {
        let path = house.join(name);
        fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))
    };
    write("devices.toml", devices(route))?;
    let mut include = "\"devices.toml\"".to_owned();
    for (ix, rules) in rules(route).chunks(FILE_RULES_MAX).enumerate() {
        let name = format!("rules-{ix}.toml");
        let _ = write!(include, ", \"{name}\"");
        write(&name, rules.concat())?;
    }
    write(
        "mapping.toml",
        format!("format  = 1\ninclude = [{include}]\n"),
    )?;
    shell::output(command(binary, folder).args(["check".as_ref(), house.as_os_str()]))?;
    let login = |user: String| {
        let words = ["user", "add", &user, "--device", &user];
        let password = shell::output(command(binary, folder).args(words))?
            .trim()
            .to_owned();
        Ok(Login { user, password })
    };
    route.producer_logins = (0..PRODUCERS)
        .map(|ix| login(producer_name(ix)))
        .collect::<Result<_>>()?;
    route.consumer_logins = (0..CONSUMERS)
        .map(|ix| login(consumer_name(ix)))
        .collect::<Result<_>>()?;
    Ok(())
}

/// A CA and what it vouches for: files of `tls init`.
pub(crate) struct Certificate {
    pub(crate) ca: PathBuf,
    pub(crate) server: PathBuf,
    pub(crate) key: PathBuf,
}

/// Has the dispatcher make certificates in this folder, for whichever system.
///
/// # Errors
/// It doesn't.
pub(crate) fn certify(binary: &Path, folder: &Path) -> Result<Certificate> {
    let init = ["tls", "init", "--name", stream::NAME];
    shell::output(command(binary, folder).args(init).arg(folder))?;
    let file = |name: &str| folder.join("tls").join(name);
    Ok(Certificate {
        ca: file("ca.pem"),
        server: file("server.pem"),
        key: file("server.key"),
    })
}

/// Starts it on what [`prepare`] wrote.
///
/// # Errors
/// It doesn't start.
pub(crate) fn start(
    binary: &Path,
    folder: &Path,
    route: &Route,
    certificate: Option<&Certificate>,
) -> Result<Server> {
    let address = server::free_address()?;
    let mut command = command(binary, folder);
    command
        .arg("run")
        .arg(folder.join("house"))
        .env(
            "IOT_CONTROL__WEB__LISTEN",
            server::free_address()?.to_string(),
        )
        .env("IOT_CONTROL__MQTT__LISTEN", address.to_string())
        .env("IOT_CONTROL__MDNS__INTERFACES", "lo")
        // A rule that fires more than 100 times a second is cut off in a house: here it is the point.
        .env("IOT_CONTROL__ENGINE__FUSE", "1000000")
        // One device would be read slower once it filled a quarter of the journal: here it is to send all it can.
        .env("IOT_CONTROL__JOURNAL__SIZE_MIB_MAX", "32768")
        // Thousands of idle clients come from this one address.
        .env("IOT_CONTROL__MQTT__ADDRESS_CONNECTIONS_PER_S_MAX", "100000")
        .env("IOT_CONTROL__STREAM", "off")
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join("log"))?);
    let login = route.producer_logins.first();
    let Some(certificate) = certificate else {
        return Server::start(&mut command, address, login);
    };
    let door = server::free_address()?;
    command
        .env("IOT_CONTROL__MQTT__TLS_LISTEN", door.to_string())
        .env("IOT_CONTROL__TLS__CERTIFICATE", &certificate.server)
        .env("IOT_CONTROL__TLS__KEY", &certificate.key);
    let mut server = Server::start(&mut command, address, login)?;
    server.move_to(door, &certificate.ca)?;
    Ok(server)
}

fn command(binary: &Path, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    command
        .env("IOT_CONTROL__STATE", folder.join("state"))
        .stdin(Stdio::null());
    command
}

/// Every producer has MIDI keyboards with controls; every consumer has servos that take any angle.
fn devices(route: &Route) -> String {
    let mut text = String::new();
    // Writing to a string doesn't fail.
    for ix in 0..PRODUCERS {
        let _ = writeln!(text, "[device.{}]\nid = {}", producer_name(ix), 1 + ix);
        for keyboard in (0..route.keyboards()).map(keyboard_name) {
            let _ = writeln!(text, "io.{keyboard} = {{ kind = \"midi\" }}");
        }
    }
    for ix in 0..CONSUMERS {
        let _ = writeln!(text, "[device.{}]\nid = {}", consumer_name(ix), 101 + ix);
        let angle_max = route.rules.len() * MIDI;
        for servo in (0..route.servos()).map(servo_name) {
            let _ = writeln!(
                text,
                "io.{servo} = {{ kind = \"servo\", min = 0, max = {angle_max} }}"
            );
        }
    }
    text
}

/// One rule for each control. Its command tells which rule sent it, and for which event.
fn rules(route: &Route) -> Vec<String> {
    let rules = route.rules.iter().enumerate().map(|(ix, rule)| {
        let (keyboard, control) = place(ix);
        let (player, keys) = (producer_name(rule.producer), keyboard_name(keyboard));
        let (stage, servo) = (consumer_name(rule.consumer), servo_name(servo(ix)));
        // Without spaces: a house may have a million words and signs, and each space counts as one.
        format!(
            "[rule.control-{ix}]\nwhen=\"{player}.{keys}.control\"\nif=\"event.number == {control}\"\n\
             do={{set=\"{stage}.{servo}\",angle=\"${{event.value + {}}}\"}}\n",
            route.base(ix)
        )
    });
    rules.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_has_a_rule_for_every_event() {
        let route = Route::rules(10);
        let rules: toml::Table = rules(&route).concat().parse().expect("it is TOML");
        let rule = &rules["rule"]["control-9"];
        assert_eq!(rule["when"].as_str(), Some("player1.keys0.control"));
        assert_eq!(rule["if"].as_str(), Some("event.number == 1"));
        assert_eq!(rule["do"]["set"].as_str(), Some("stage1.servo2"));
        assert_eq!(rule["do"]["angle"].as_str(), Some("${event.value + 1152}"));
        let devices: toml::Table = devices(&route).parse().expect("it is TOML");
        assert!(devices["device"]["stage1"]["io"].get("servo2").is_some());
        assert_eq!(
            devices["device"].as_table().map(toml::Table::len),
            Some(PRODUCERS + CONSUMERS)
        );
    }
}
