//! The machine: its clock, its power, its memory, and what a process may have of it.

use std::{fs, path::Path};

use rustix::process::{Resource, getrlimit};

use super::{Finding, Level, bytes};
use crate::{
    run::{Machine, descriptors_wanted},
    settings::Settings,
};

/// A house of 10,000 rules takes a quarter of it.
const MEMORY_BYTES_MIN: u64 = 128_000_000;

/// Looks at the machine whose root is `root`.
pub(super) fn examine(root: &Path, settings: &Settings, findings: &mut Vec<Finding>) {
    findings.push(clock());
    findings.extend(power(root));
    findings.extend(memory(root));
    findings.extend(descriptors(settings));
}

fn clock() -> Finding {
    if Machine::read().synced {
        return Finding::fine("clock", "synchronised");
    }
    Finding::bad(
        Level::Warning,
        "clock",
        "not synchronised: rules that wait for a time of day wait for it too",
        "timedatectl set-ntp true, or a clock with a battery; `timedatectl` shows how it stands",
    )
}

/// A Raspberry Pi says when its power supply is too weak: cards are damaged that way.
fn power(root: &Path) -> Option<Finding> {
    let sensors = fs::read_dir(root.join("sys/class/hwmon")).ok()?.flatten();
    let text = |path: &Path| {
        fs::read_to_string(path)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let mut alarms = sensors
        .map(|sensor| sensor.path())
        .filter(|sensor| text(&sensor.join("name")) == "rpi_volt")
        .map(|sensor| text(&sensor.join("in0_lcrit_alarm")) == "1");
    let is_weak = alarms.next()?;
    Some(if is_weak {
        Finding::bad(
            Level::Warning,
            "power",
            "the supply has been too weak since the machine started",
            "a better power supply or cable: an undervolted Pi hangs and damages its card",
        )
    } else {
        Finding::fine("power", "the supply is strong enough")
    })
}

fn memory(root: &Path) -> Option<Finding> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let free = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let free: u64 = free.trim().strip_suffix(" kB")?.parse().ok()?;
    let free = free.saturating_mul(1_024);
    let what = format!("{} are free", bytes(free));
    Some(if free < MEMORY_BYTES_MIN {
        let mend = "end what else runs here, or give the house a machine with more";
        Finding::bad(Level::Warning, "memory", what, mend)
    } else {
        Finding::fine("memory", what)
    })
}

/// `None`: nothing worth a line.
fn descriptors(settings: &Settings) -> Option<Finding> {
    let wanted = descriptors_wanted(settings.mqtt.connections_max);
    let allowed = getrlimit(Resource::Nofile)
        .maximum
        .filter(|hard| *hard < wanted)?;
    Some(Finding::bad(
        Level::Warning,
        "files",
        format!("a process may open {allowed} files, {wanted} are wanted for mqtt.connections_max"),
        "LimitNOFILE of the service, `ulimit -n` of a shell, or a lower mqtt.connections_max",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_weak_supply_of_a_pi_is_told_and_other_machines_have_none() {
        let pi = |alarm: &str| {
            let volt = "sys/class/hwmon/hwmon1";
            root(&[
                ("sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
                (&format!("{volt}/name"), "rpi_volt\n"),
                (&format!("{volt}/in0_lcrit_alarm"), alarm),
            ])
        };
        let level = |root: &tempfile::TempDir| power(root.path()).map(|found| found.level);
        assert_eq!(level(&pi("1\n")), Some(Level::Warning));
        assert_eq!(level(&pi("0\n")), Some(Level::Fine));
        assert_eq!(
            level(&root(&[("sys/class/hwmon/hwmon0/name", "k10temp\n")])),
            None
        );
        assert_eq!(level(&root(&[])), None);
    }

    #[test]
    fn little_memory_is_told() {
        let level = |text: &str| {
            let root = root(&[("proc/meminfo", text)]);
            memory(root.path()).map(|found| found.level)
        };
        assert_eq!(
            level("MemTotal: 1 kB\nMemAvailable:   90000 kB\n"),
            Some(Level::Warning)
        );
        assert_eq!(level("MemAvailable:  900000 kB\n"), Some(Level::Fine));
        assert_eq!(level("MemAvailable: much\n"), None);
        assert_eq!(level(""), None);
    }
}
