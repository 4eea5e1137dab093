//! Devices that are added stand behind the last one, with what could not be said of them.

use edit::{Edit, House, Model, NewDevice, Refusal};

const MAPPING: &str =
    "format = 1\ninclude = [\"devices.toml\"] # all\nallow = [\"device-unused\"]\n";
const DEVICES: &str = "[device.hall] # by the door\nid = 1\nio.lamp = { kind = \"switch\" }";

fn house() -> House {
    House::from_texts([("mapping.toml", MAPPING), ("devices.toml", DEVICES)])
}

fn table(pairs: &[(&str, Model)]) -> Model {
    let pairs = pairs.iter();
    Model::Table(
        pairs
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect(),
    )
}

fn plug(name: &str, about: &str) -> NewDevice {
    let kind = table(&[("kind", Model::from("switch"))]);
    NewDevice {
        name: name.to_owned(),
        table: table(&[
            ("id", Model::Int(2)),
            (
                "mqtt",
                table(&[
                    ("preset", Model::from("zigbee2mqtt")),
                    ("name", Model::from("a \"b\"")),
                ]),
            ),
            ("io", table(&[("plug", kind.clone()), ("l2", kind)])),
        ]),
        about: about.to_owned(),
        unsaid: vec!["lock: no kind for it".to_owned()],
    }
}

#[test]
fn new_devices_stand_behind_the_last_one_and_all_else_stays() {
    let change = house().edit(&Edit::AddDevices(vec![plug("plug", "a plug")]));
    let change = change.expect("it is free");
    let expected = format!(
        "{DEVICES}\n\n# a plug\n[device.plug]\nid = 2\nmqtt = {{ preset = \"zigbee2mqtt\", name = \"a \\\"b\\\"\" }}\n\
         io.plug = {{ kind = \"switch\" }}\nio.l2   = {{ kind = \"switch\" }}\n# lock: no kind for it\n"
    );
    assert_eq!(change.text("devices.toml"), Some(&*expected));
    assert_eq!(change.text("mapping.toml"), Some(MAPPING));
}

#[test]
fn a_name_that_is_taken_or_a_device_that_does_not_check_is_refused() {
    let taken = house().edit(&Edit::AddDevices(vec![plug("hall", "")]));
    assert_eq!(
        taken.map(drop),
        Err(Refusal::Taken("device", "hall".to_owned()))
    );
    let twice = house().edit(&Edit::AddDevices(vec![plug("a", ""), plug("b", "")]));
    assert!(
        matches!(twice, Err(Refusal::DoesNotCheck(_))),
        "two devices with one number"
    );
}

#[test]
fn what_a_comment_says_can_end_no_line_and_is_cut() {
    let loud = format!("a\n[device.x]\u{1b}{}", "y".repeat(1_000));
    let text = plug("plug", &loud).text();
    let first = text.lines().next().expect("it has lines");
    assert!(
        first.starts_with("# a\\n[device.x]\\u001byyy")
            && first.ends_with("..")
            && first.len() < 200
    );
    assert_eq!(text.lines().nth(1), Some("[device.plug]"));
}
