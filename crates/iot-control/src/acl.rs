//! Who may do what at an external broker, as mosquitto's `acl_file` has it.
//!
//! Called by `acl export`, by `doctor`, and by the way to an external broker, which tries whether the list is in force there:
//! it names one topic, after the list's own text, on which even the dispatcher may not publish. Where that is refused, the
//! broker goes by this list and by no older one. Only texts in and texts out.

use std::collections::BTreeMap;

use dispatcher::access::{self, Access};
use mapping::{
    Program,
    program::{Carrier, DeviceIx, Preset},
};

use wire::{Handle, Site, Topic};

use crate::run::users::{Users, name_for};

/// Below this the topic lies on which nobody may publish.
const CANARIES: &str = "iot/dispatcher/canary";

/// The dispatcher's user where the settings name none: such a list can't be in force for it.
const NO_USER: &str = "iot-control";

/// The login that Zigbee2MQTT gets where the house has its devices and no bridge of its own.
const ZIGBEE2MQTT: (&str, &str) = ("zigbee2mqtt", "zigbee2mqtt/#");

const HEAD: &str = "\
# Made by `iot-control acl export`; make it anew when devices come, go or get other names.
# Logins are in the broker's password file. Who has none here may do nothing.
";

/// The devices that are on the sealed link: of which house, and what they are called there.
pub(crate) type Sealed = BTreeMap<DeviceIx, (Site, Handle)>;

/// The rights of the devices of a house. What people and programs may do is beside the point: it is not part of what is
/// tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List {
    /// The dispatcher's user.
    dispatcher: String,
    devices: Lines,
}

/// Lines of the file. None of them holds a control character: with a line break in it, a name would write rules of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lines {
    text: String,
    /// The first one that was left out.
    refused: Option<String>,
}

impl Lines {
    fn push(&mut self, line: &str) {
        if line.contains(char::is_control) {
            self.refused.get_or_insert_with(|| line.to_owned());
        } else {
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    fn append(&mut self, more: &Self) {
        self.text.push_str(&more.text);
        if self.refused.is_none() {
            self.refused.clone_from(&more.refused);
        }
    }

    fn user(&mut self, name: &str, access: &Access) {
        self.push(&format!("user {name}"));
        let writes = access.publish.iter().map(|filter| ("write", filter));
        let reads = access.subscribe.iter().map(|filter| ("read", filter));
        for (may, filter) in writes.chain(reads) {
            self.push(&format!("topic {may} {filter}"));
        }
    }
}

impl List {
    /// `user` is the dispatcher's at that broker.
    pub(crate) fn new(program: &Program, user: Option<&str>, sealed: &Sealed) -> Self {
        let mut devices = Lines::default();
        for device in DeviceIx::all(program.devices.len()) {
            let row = &program[device];
            if row.carrier == Carrier::Virtual || is_of_zigbee2mqtt(&row.carrier) {
                continue;
            }
            let of_link = sealed.get(&device).filter(|_| row.carrier == Carrier::Own);
            let rights = of_link.map_or_else(|| access::of_device(program, device), of_sealed);
            devices.user(&name_for(&row.name), &rights);
        }
        Self {
            dispatcher: user.unwrap_or(NO_USER).to_owned(),
            devices,
        }
    }

    /// The topic on which a broker that goes by this list lets nobody publish.
    pub(crate) fn canary(&self) -> String {
        let text = format!("{}\n{}", self.dispatcher, self.devices.text);
        format!("{CANARIES}/{:08x}", crc32fast::hash(text.as_bytes()))
    }

    /// The whole file, with the people, programs and bridges of `users`. `told_at`: where Home Assistant is told of the
    /// house, if it is.
    ///
    /// # Errors
    /// A line would hold a control character; it is that line.
    pub(crate) fn file(
        &self,
        program: &Program,
        users: &Users,
        told_at: Option<&str>,
    ) -> Result<String, String> {
        let mut file = Lines {
            text: HEAD.to_owned(),
            refused: None,
        };
        file.push("");
        file.push("# The dispatcher. What it may not is how it sees that this list is in force.");
        file.push(&format!("user {}", self.dispatcher));
        file.push("topic readwrite #");
        file.push(&format!("topic deny {}", self.canary()));
        file.push("");
        file.push("# Devices: each for itself.");
        file.append(&self.devices);
        let is_device = |name: &str| {
            program
                .devices
                .iter()
                .any(|row| name_for(&row.name) == name)
        };
        let others = users.iter().filter(|(_, known)| known.device.is_none());
        let others: Vec<_> = others.filter(|(name, _)| !is_device(name)).collect();
        let has_bridge = others.iter().any(|(_, known)| !known.bridge.is_empty());
        let needs_bridge = program
            .devices
            .iter()
            .any(|row| is_of_zigbee2mqtt(&row.carrier));
        file.push("");
        file.push("# People, programs, bridges.");
        if needs_bridge && !has_bridge {
            let (name, filter) = ZIGBEE2MQTT;
            file.user(name, &access::of_bridge(&[filter.to_owned()]));
        }
        for (name, known) in others {
            let mut access = match known.kind {
                _ if !known.bridge.is_empty() => access::of_bridge(&known.bridge),
                store::db::UserKind::Tool => access::of_tool(program, told_at),
                _ => access::of_person(program, &[]),
            };
            access.subscribe.extend_from_slice(&known.read);
            file.user(name, &access);
        }
        match file.refused {
            None => Ok(file.text),
            Some(line) => Err(line),
        }
    }
}

/// What a device on the sealed link may do: nobody but itself and the dispatcher speaks and hears on its topics there, and in
/// clear nobody does.
fn of_sealed((site, handle): &(Site, Handle)) -> Access {
    let topic = |topic: Topic| topic.text(*site).as_str().to_owned();
    Access {
        publish: vec![topic(Topic::Up(*handle)), topic(Topic::Will(*handle))],
        subscribe: vec![topic(Topic::Down(*handle))],
    }
}

fn is_of_zigbee2mqtt(carrier: &Carrier) -> bool {
    matches!(carrier, Carrier::Foreign(foreign)
        if matches!(foreign.preset, Some((Preset::Zigbee2Mqtt, _))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: &str = r#"
format = 1
[device.piano]
id = 1
io.keys = { kind = "keyboard" }
[device.old_lamp]
id = 2
mqtt = { state = "home/lamp", target = "home/lamp/set" }
io.lamp = { kind = "switch" }
[device.door]
id = 3
mqtt = { preset = "zigbee2mqtt", name = "front door" }
io.contact = { kind = "contact", from = "contact" }
[device.mode]
virtual = true
io.evening = { kind = "button" }
"#;

    fn program(text: &str) -> std::sync::Arc<Program> {
        let loaded = mapping::load_texts([("mapping.toml", text.to_owned())]);
        loaded.program.expect("it checks")
    }

    #[test]
    fn each_device_has_its_own_topics_and_the_dispatcher_all_but_one() {
        let program = program(HOUSE);
        let list = List::new(&program, Some("house"), &Sealed::new());
        let file = list
            .file(&program, &Users::default(), None)
            .expect("its lines are whole");
        let canary = list.canary();
        let expected = format!(
            "{HEAD}\n# The dispatcher. What it may not is how it sees that this list is in force.\n\
             user house\ntopic readwrite #\ntopic deny {canary}\n\n# Devices: each for itself.\n\
             user piano\ntopic write iot/piano/+/event\ntopic write iot/piano/+/state\n\
             topic write iot/piano/availability\ntopic read iot/piano/+/target\n\
             topic read iot/piano/+/command\ntopic read iot/piano/role\n\
             user old_lamp\ntopic write home/lamp\ntopic read home/lamp/set\n\n\
             # People, programs, bridges.\nuser zigbee2mqtt\ntopic write zigbee2mqtt/#\n\
             topic read zigbee2mqtt/#\n"
        );
        assert_eq!(file, expected);
    }

    #[test]
    fn another_list_has_another_topic_that_nobody_may_write() {
        let (one, other) = (program(HOUSE), program(&HOUSE.replace("piano", "organ")));
        let canary = |program, user| List::new(program, user, &Sealed::new()).canary();
        assert_eq!(canary(&one, Some("house")), canary(&one, Some("house")));
        assert_ne!(canary(&one, Some("house")), canary(&other, Some("house")));
        assert_ne!(canary(&one, Some("house")), canary(&one, None));
    }

    #[test]
    fn a_device_with_a_key_has_its_three_topics_and_none_in_clear() {
        let program = program(HOUSE);
        let (site, handle) = (Site([0x1F; 8]), Handle([0; 8]));
        let piano = program.device("piano").expect("it is there");
        let sealed = Sealed::from([(piano, (site, handle))]);
        let list = List::new(&program, Some("house"), &sealed);
        let file = list
            .file(&program, &Users::default(), None)
            .expect("its lines are whole");
        let below = "ic1/1f1f1f1f1f1f1f1f";
        let expected = format!(
            "user piano\ntopic write {below}/up/{handle}\ntopic write {below}/w/{handle}\n\
             topic read {below}/dn/{handle}\nuser old_lamp\n"
        );
        assert!(file.contains(&expected), "{file}");
        assert!(!file.contains("iot/piano"), "{file}");
        let plain = List::new(&program, Some("house"), &Sealed::new());
        assert_ne!(list.canary(), plain.canary(), "it is another list");
    }

    #[test]
    fn a_line_with_a_line_break_in_it_is_never_printed() {
        for user in [
            "house\nuser thief",
            "house\rtopic readwrite #",
            "house\u{85}",
        ] {
            let list = List::new(&program(HOUSE), Some(user), &Sealed::new());
            let refused = list.file(&program(HOUSE), &Users::default(), None);
            assert_eq!(refused, Err(format!("user {user}")));
        }
        let mut devices = Lines::default();
        let access = access::of_bridge(&["home/#\nuser piano\ntopic readwrite iot/#".to_owned()]);
        devices.user("zigbee2mqtt", &access);
        assert_eq!(devices.text, "user zigbee2mqtt\n");
        assert!(
            devices
                .refused
                .is_some_and(|line| line.contains("user piano"))
        );
    }
}
