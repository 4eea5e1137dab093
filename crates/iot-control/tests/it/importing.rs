//! `device import`: what announces itself becomes tables of the house.

use serde_json::Value as Json;

use crate::harness::{Client, External, House, Kind, run};

/// What one line of the fixtures says, which the tests of the reading have too.
fn payload(fixture: &str, topic: &str) -> String {
    let found = fixture
        .lines()
        .find_map(|line| line.strip_prefix(topic)?.strip_prefix(' '));
    found
        .unwrap_or_else(|| panic!("the fixture has {topic}"))
        .to_owned()
}

const ZIGBEE: &str = include_str!("../../src/discover/fixtures/zigbee2mqtt.txt");
const TASMOTA: &str = include_str!("../../src/discover/fixtures/tasmota.txt");
const HOMIE: &str = include_str!("../../src/discover/fixtures/homie.txt");
const LIST: &str = "zigbee2mqtt/bridge/devices";

fn text(house: &House, name: &str) -> String {
    std::fs::read_to_string(house.folder().join(name)).unwrap()
}

#[test]
fn a_bridges_devices_are_written_into_the_house_and_work_at_once() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let folder = house.folder();
    let folder = folder.to_str().unwrap();
    let nothing = dispatcher.ask(&["device", "import", folder]).ok();
    assert!(
        nothing.stderr.contains("nothing announces itself"),
        "{nothing:?}"
    );
    assert_eq!(nothing.stdout, "");

    let login = house.bridge_login("z2m", "zigbee2mqtt/#");
    let connect = dispatcher.connect(Some(login), &["zigbee2mqtt/+/set"]);
    let mut bridge = Client::connect(Kind::RumqttcV5, &connect).expect("it is let in");
    bridge.publish_retained(LIST, &payload(ZIGBEE, LIST));

    let before = text(&house, "mapping.toml");
    let shown = dispatcher.ask(&["device", "import", folder]).ok();
    assert!(
        shown.stdout.contains("[device.rollo]") && shown.stderr.contains("--write"),
        "{shown:?}"
    );
    assert_eq!(
        text(&house, "mapping.toml"),
        before,
        "nothing is written unasked"
    );

    let said = dispatcher.mark();
    dispatcher
        .ask(&["device", "import", folder, "--write"])
        .ok();
    let after = text(&house, "mapping.toml");
    assert!(
        after.starts_with(&before) && after.contains(&*shown.stdout),
        "{after}"
    );
    run(["check", folder], "").ok();

    // The running dispatcher takes the house over, and the blind is there.
    let position = |device: &Json| device["channels"]["cover"]["reported"]["position"] == 40;
    dispatcher.says(said, "are in force");
    bridge.publish("zigbee2mqtt/rollo", r#"{"position":40,"state":"OPEN"}"#);
    dispatcher.device_is("rollo", "reports its position", position);

    let again = dispatcher
        .ask(&["device", "import", folder, "--write"])
        .ok();
    assert!(
        again.stderr.contains("the house has already") && again.stderr.contains("rollo"),
        "{again:?}"
    );
    assert_eq!(text(&house, "mapping.toml"), after);
}

#[test]
fn what_lies_at_an_external_broker_is_imported_from_there() {
    let Some(external) = External::start() else {
        return;
    };
    let house = House::with_rules("");
    let mut speaker = external.client(Kind::RumqttcV4, "speaker", &[]);
    for (fixture, topic) in [
        (TASMOTA, "tasmota/discovery/2C3AE82EB8AE/config"),
        (TASMOTA, "tasmota/discovery/2C3AE82EB8AE/sensors"),
        (HOMIE, "homie/5/kitchen-light/$description"),
    ] {
        speaker.publish_retained(topic, &payload(fixture, topic));
    }
    // Rubbish beside it keeps nothing out.
    speaker.publish_retained("homie/5/bad/$description", "{\"homie\":");
    let folder = house.folder();
    let folder = folder.to_str().unwrap();
    let import = |more: &[&str]| {
        let args = ["device", "import", folder, "--broker", &external.url()];
        run(args.iter().chain(more).copied(), "")
    };
    let found = import(&[]).ok();
    for expected in [
        "preset = \"tasmota\", name = \"SONOFF_B1\"",
        "kind = \"temperature\"",
        "preset = \"homie\", name = \"kitchen-light\"",
    ] {
        assert!(found.stdout.contains(expected), "{expected}: {found:?}");
    }
    assert!(
        found
            .stderr
            .contains("homie/5/bad/$description: is no JSON"),
        "{found:?}"
    );
    let one = import(&["--from", "tasmota"]).ok();
    assert!(!one.stdout.contains("homie"), "{one:?}");
}

#[test]
fn a_broker_that_is_not_there_or_refuses_is_said() {
    let house = House::with_rules("");
    let folder = house.folder();
    let folder = folder.to_str().unwrap();
    for (broker, expected) in [
        ("mqtt://127.0.0.1:1", "127.0.0.1:1"),
        ("http://hub", "--broker takes"),
        ("embedded", "the running dispatcher is asked"),
    ] {
        let failed = run(["device", "import", folder, "--broker", broker], "");
        assert_eq!(failed.code, Some(1), "{broker}: {failed:?}");
        assert!(failed.stderr.contains(expected), "{broker}: {failed:?}");
    }
    let Some(external) = External::start_with("allow_anonymous false\n") else {
        return;
    };
    let failed = run(
        ["device", "import", folder, "--broker", &external.url()],
        "",
    );
    assert!(
        failed.stderr.contains("it refuses this login"),
        "{failed:?}"
    );
}
