//! Under which names this server may be asked. A page of the internet can have a name of its own lead to 127.0.0.1 and
//! then read what stands there as if it were its own (DNS rebinding); its name is in the `Host` of the request.

use std::net::IpAddr;

/// Endings of names that nobody can register on the internet: RFC 6762 (`local`), RFC 8375 (`home.arpa`),
/// `internal` and `lan` by agreement.
const HOME: [&str; 4] = ["local", "lan", "home.arpa", "internal"];

/// Names of this machine besides `localhost` and addresses.
#[derive(Clone, Debug, Default)]
pub struct Names {
    machine: Option<String>,
}

impl Names {
    /// The machine's own name, where it has one: it may be asked as `NAME`, `NAME.local`, `NAME.lan` and the like.
    #[must_use]
    pub fn of_machine(name: &str) -> Self {
        let name = name.trim().to_ascii_lowercase();
        let first = name.split('.').next().unwrap_or_default();
        Self {
            machine: (!first.is_empty()).then(|| first.to_owned()),
        }
    }

    /// Whether `host` (as in the header, with or without a port) names this server. On loopback only `localhost` and
    /// addresses of loopback do; elsewhere any address, for a name is what an attacker brings.
    pub(crate) fn fit(&self, host: &str, is_loopback: bool) -> bool {
        let Some(name) = without_port(host) else {
            return false;
        };
        let name = name.to_ascii_lowercase();
        if let Ok(address) = name.parse::<IpAddr>() {
            return !is_loopback || address.is_loopback();
        }
        if name == "localhost" {
            return true;
        }
        let Some(machine) = self.machine.as_deref().filter(|_| !is_loopback) else {
            return false;
        };
        let Some(rest) = name.strip_prefix(machine) else {
            return false;
        };
        rest.is_empty()
            || rest
                .strip_prefix('.')
                .is_some_and(|ending| HOME.contains(&ending))
    }
}

/// `[::1]:8484` to `::1`, `localhost:8484` to `localhost`.
fn without_port(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(inside) => inside.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_asked_by_its_own_names_only() {
        let names = Names::of_machine("pi");
        for good in [
            "localhost",
            "LOCALHOST:8484",
            "127.0.0.1:8484",
            "127.0.0.1",
            "[::1]:8484",
        ] {
            assert!(names.fit(good, true), "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:8484",
            "localhost.evil.example",
            "192.168.1.5",
            "pi",
            "pi.local",
            "127.0.0.1.evil.example",
            "127.0.0.1:8484@evil",
            "[::1",
            "",
            ":8484",
        ] {
            assert!(!names.fit(bad, true), "{bad}");
        }
    }

    #[test]
    fn on_the_network_it_is_asked_by_any_address_and_by_names_that_nobody_can_register() {
        let names = Names::of_machine("Pi.fritz.box\n");
        for good in [
            "192.168.1.5:8484",
            "[fd00::5]",
            "pi",
            "pi.local",
            "pi.home.arpa:80",
            "localhost",
        ] {
            assert!(names.fit(good, false), "{good}");
        }
        for bad in [
            "pi.evil.example",
            "pievil.local",
            "evil.example",
            "pi.fritz.box",
        ] {
            assert!(!names.fit(bad, false), "{bad}");
        }
        assert!(!Names::default().fit(".local", false));
    }
}
