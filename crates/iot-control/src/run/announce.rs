//! What a started dispatcher says: where it listens, what it runs, how to go on.

use std::{fmt, net::SocketAddr, path::Path, time::Duration};

use mapping::Program;

/// Prints as a few lines for people.
pub(super) struct Announcement<'a> {
    pub(super) house: &'a dyn fmt::Display,
    pub(super) program: &'a Program,
    pub(super) tests: usize,
    pub(super) addresses: &'a [SocketAddr],
    pub(super) state: &'a Path,
    pub(super) is_default_state: bool,
    pub(super) simulate: bool,
    pub(super) has_users: bool,
    pub(super) took: Duration,
}

impl fmt::Display for Announcement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for address in self.addresses {
            writeln!(f, "  MQTT      mqtt://{address}")?;
        }
        writeln!(f, "  state     {}", self.state.display())?;
        writeln!(
            f,
            "  house     {}: {} devices, {} rules, checked, {} tests passed",
            self.house,
            self.program.devices.len(),
            self.program.rules.len(),
            self.tests,
        )?;
        if self.simulate {
            self.simulation(f)?;
        } else if !self.has_users {
            let state = match self.is_default_state {
                true => String::new(),
                false => format!(" --state {}", self.state.display()),
            };
            writeln!(
                f,
                "  nobody can log in yet; add users while this runs:\n    \
                 iot-control user add NAME --device DEVICE{state}    a module\n    \
                 iot-control user add NAME{state}                    a person"
            )?;
        }
        write!(f, "ready in {} ms", self.took.as_millis())
    }
}

impl Announcement<'_> {
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
            let port = self.addresses.first().map_or(1883, SocketAddr::port);
            writeln!(f, "  try, from a second terminal:")?;
            writeln!(f, "    iot-control press {path}")?;
            writeln!(f, "    mosquitto_sub -p {port} -t 'iot/#' -v")?;
            writeln!(
                f,
                "    mosquitto_pub -p {port} -t iot/{topic}/event -m '{{\"event\":\"press\"}}'"
            )?;
        }
        Ok(())
    }
}
