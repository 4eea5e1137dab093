//! Who may publish and subscribe what: the lists that the broker enforces, derived from the program.
//!
//! Called by the binary when a client logs in and after each reload. A device speaks and hears only
//! about itself; people and tools read the whole house and ask for targets.

use mapping::{
    Program,
    program::{Carrier, DeviceIx, Preset},
};

/// Topic filters of one broker user. Delivery follows the subscribe list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// What it may publish.
    pub publish: Vec<String>,
    /// What it may subscribe to and receive.
    pub subscribe: Vec<String>,
}

/// What the broker user of `device` may do. For a virtual device: what a user who was granted it may do.
#[must_use]
pub fn of_device(program: &Program, device: DeviceIx) -> Access {
    let row = &program[device];
    if let Carrier::Foreign(foreign) = &row.carrier {
        if let Some(access) = foreign
            .preset
            .as_ref()
            .and_then(|(preset, name)| of_make(*preset, name))
        {
            return access;
        }
        let mut publish: Vec<String> = Vec::new();
        let others = [&foreign.event, &foreign.availability];
        for topic in foreign.states.iter().chain(others.into_iter().flatten()) {
            if !publish.iter().any(|known| **known == **topic) {
                publish.push(topic.to_string());
            }
        }
        return Access {
            publish,
            subscribe: foreign.target.iter().map(ToString::to_string).collect(),
        };
    }
    let name = &row.name;
    let mut subscribe = vec![
        format!("iot/{name}/+/target"),
        format!("iot/{name}/+/command"),
    ];
    if row.carrier == Carrier::Own {
        subscribe.push(format!("iot/{name}/role"));
    }
    Access {
        publish: vec![
            format!("iot/{name}/+/event"),
            format!("iot/{name}/+/state"),
            format!("iot/{name}/availability"),
        ],
        subscribe,
    }
}

/// What a device of a known make may do: it tells more than we read, and takes commands that we never send. `None`: no
/// more than what we read and send.
fn of_make(preset: Preset, name: &str) -> Option<Access> {
    let (publish, subscribe) = match preset {
        Preset::Zigbee2Mqtt => return None,
        Preset::Tasmota => (
            vec![format!("stat/{name}/#"), format!("tele/{name}/#")],
            vec![format!("cmnd/{name}/#")],
        ),
        Preset::Homie => (
            vec![format!("homie/5/{name}/#")],
            vec![format!("homie/5/{name}/+/+/set")],
        ),
        Preset::EspHome => (
            vec![format!("{name}/#")],
            vec![
                format!("{name}/+/+/command"),
                format!("{name}/+/+/+/command"),
            ],
        ),
        Preset::Shelly => (
            vec![format!("{name}/#")],
            vec![
                format!("{name}/command"),
                format!("{name}/command/#"),
                format!("{name}/rpc"),
            ],
        ),
        Preset::ShellyGen1 => (
            vec![format!("shellies/{name}/#")],
            vec![
                "shellies/command".to_owned(),
                format!("shellies/{name}/command"),
                format!("shellies/{name}/+/+/command/#"),
                format!("shellies/{name}/+/+/set"),
            ],
        ),
    };
    Some(Access { publish, subscribe })
}

/// What a person or a tool may do: ask for targets, read everything below `iot/` and what the broker tells of itself, and
/// speak for the virtual devices it was granted.
#[must_use]
pub fn of_person(program: &Program, granted: &[DeviceIx]) -> Access {
    let mut access = Access {
        publish: vec!["iot/+/+/set".to_owned()],
        subscribe: vec!["iot/#".to_owned(), "$SYS/#".to_owned()],
    };
    let granted = granted
        .iter()
        .filter(|ix| program[**ix].carrier == Carrier::Virtual);
    for device in granted {
        access.publish.extend(of_device(program, *device).publish);
    }
    access
}

/// What a tool may do: as [`of_person`], and where Home Assistant is told of the house (`prefix`), read that and say that it
/// started. Who may say so could also send all of it again and again, and see nothing that it does not see anyhow.
#[must_use]
pub fn of_tool(program: &Program, prefix: Option<&str>) -> Access {
    let mut access = of_person(program, &[]);
    if let Some(prefix) = prefix {
        access.publish.push(format!("{prefix}/status"));
        access.subscribe.push(format!("{prefix}/#"));
    }
    access
}

/// What a bridge may do: everything below its own filters, and nothing of the house.
#[must_use]
pub fn of_bridge(filters: &[String]) -> Access {
    Access {
        publish: filters.to_vec(),
        subscribe: filters.to_vec(),
    }
}

/// Why a login can't be given the topics of `filter`; `None`: it can.
#[must_use]
pub fn not_for_bridges(filter: &str) -> Option<&'static str> {
    let first = filter.split('/').next().unwrap_or_default();
    if first.is_empty() || first.contains(['+', '#']) {
        Some("it must begin with a name, as in \"zigbee2mqtt/#\"")
    } else if first.starts_with('$') || ["iot", "ic1"].contains(&first) {
        Some("topics below `iot/`, `ic1/` and `$` belong to the dispatcher and to devices")
    } else {
        None
    }
}
