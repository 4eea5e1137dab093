//! What a started dispatcher says: where it listens, what it runs, how to go on.

use std::{fmt, net::SocketAddr, path::Path, time::Duration};

use mapping::{Program, program::Carrier};

use super::{tls::Address, users};
use crate::shell;

/// Prints as a few lines for people.
pub(super) struct Announcement<'a> {
    pub(super) house: &'a dyn fmt::Display,
    pub(super) program: &'a Program,
    pub(super) tests: usize,
    pub(super) addresses: &'a [Address],
    /// Where devices on the sealed link come in.
    pub(super) udp: &'a [SocketAddr],
    /// Where machines ask for metrics and health.
    pub(super) web: &'a [SocketAddr],
    pub(super) state: &'a Path,
    pub(super) is_default_state: bool,
    pub(super) simulate: bool,
    pub(super) has_users: bool,
    /// Whether clients of this machine need no user.
    pub(super) is_open: bool,
    pub(super) took: Duration,
}

impl fmt::Display for Announcement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for address in self.addresses {
            writeln!(f, "  MQTT      {address}")?;
        }
        for address in self.udp {
            writeln!(f, "  sealed    udp://{address}")?;
        }
        for address in self.web {
            writeln!(f, "  HTTP      http://{address}/metrics, /health/ready")?;
        }
        writeln!(f, "  state     {}", self.state.display())?;
        writeln!(
            f,
            "  house     {}: {}, {}, checked, {}",
            self.house,
            count(self.program.devices.len(), "device"),
            count(self.program.rules.len(), "rule"),
            match self.tests {
                0 => "no tests".to_owned(),
                tests => format!("{} passed", count(tests, "test")),
            },
        )?;
        if self.simulate {
            self.simulation(f)?;
        } else if self.is_open {
            writeln!(
                f,
                "  clients on this machine need no user (mqtt.anonymous); others do: {} user add",
                shell::program()
            )?;
        } else if !self.has_users {
            self.first_users(f)?;
        }
        write!(f, "ready in {} ms", self.took.as_millis())
    }
}

/// `1 rule`, `2 rules`.
pub(crate) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

impl Announcement<'_> {
    /// What to copy where nobody has a user yet: for a module that is in the house, a program, a person.
    fn first_users(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  nobody can log in yet; from a second terminal, while this runs:"
        )?;
        let (program, state) = (shell::program(), self.state_option());
        let modules = self.program.devices.iter();
        let modules: Vec<&str> = modules
            .filter(|device| device.carrier != Carrier::Virtual)
            .map(|device| &*device.name)
            .collect();
        let mut commands = Vec::new();
        if let [first, rest @ ..] = modules.as_slice() {
            let also = match rest {
                [] => String::new(),
                [one] => format!("; likewise for {one}"),
                [next, .., last] if rest.len() < 4 => format!("; likewise for {next} .. {last}"),
                [next, ..] => format!("; likewise for {next} and {} more", rest.len() - 1),
            };
            let user = users::name_for(first);
            commands.push((
                format!("{user} --device {first}"),
                format!("the module {first}; prints its password{also}"),
            ));
        }
        commands.push(("node-red --tool".to_owned(), "a program".to_owned()));
        commands.push((
            "anna".to_owned(),
            "a person; asks for a password".to_owned(),
        ));
        let commands = commands
            .into_iter()
            .map(|(what, who)| (format!("{program} user add {what}{state}"), who));
        let commands: Vec<_> = commands.collect();
        let widths = commands.iter().map(|(command, _)| command.chars().count());
        let width = widths.max().unwrap_or(0);
        for (command, who) in &commands {
            writeln!(f, "    {command:<width$}    # {who}")?;
        }
        Ok(())
    }

    /// What a command of a second terminal needs to find this house; empty where it finds it by itself.
    fn state_option(&self) -> String {
        match self.is_default_state {
            true => String::new(),
            false => shell::state_option(self.state),
        }
    }

    fn simulation(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  simulated modules for all devices; clients on this machine need no user"
        )?;
        let pressable = self
            .program
            .events
            .iter()
            .find(|event| &*event.name == "press" && event.fields.is_empty());
        if let Some(channel) = pressable.and_then(|event| event.channel) {
            let path = self.program.channel_path(channel);
            let topic = path.replace('.', "/");
            let port = self
                .addresses
                .first()
                .map_or(1883, |first| first.address.port());
            writeln!(f, "  try, from a second terminal:")?;
            let (program, state) = (shell::program(), self.state_option());
            writeln!(f, "    {program} press {path}{state}")?;
            writeln!(f, "    mosquitto_sub -p {port} -t 'iot/#' -v")?;
            writeln!(
                f,
                "    mosquitto_pub -p {port} -t iot/{topic}/event -m '{{\"event\":\"press\"}}'"
            )?;
        }
        Ok(())
    }
}
