//! Home Assistant is told of the house by messages that it looks for. The real one: `cargo xtask homeassistant`.

use crate::harness::{Client, Dispatcher, House, Kind};

const ON: [(&str, &str); 1] = [("HOME_ASSISTANT__DISCOVERY", "on")];
const LAMP: &str = "homeassistant/light/iot_control_21/lamp/config";
const DESK: &str = "homeassistant/switch/iot_control_25/lamp/config";

/// A client that does as Home Assistant does when it starts.
fn home_assistant(dispatcher: &Dispatcher<'_>, house: &House) -> Client {
    let filters = ["homeassistant/#", "iot/#"];
    let connect = dispatcher.connect(Some(house.tool_login()), &filters);
    let mut client = Client::connect(Kind::RumqttcV5, &connect).expect("it is let in");
    assert_eq!(client.grants(), [1, 1]);
    assert_eq!(client.publish("homeassistant/status", "online"), 0);
    client
}

#[test]
fn home_assistant_hears_of_each_device_and_again_when_it_starts() {
    let house = House::with_rules("");
    let dispatcher = Dispatcher::start_with(&house, &[], &ON);
    let mut client = home_assistant(&dispatcher, &house);
    client.field(0, LAMP, "unique_id", "iot_control_21_lamp");
    let mark = client.mark();
    assert_eq!(client.publish("homeassistant/status", "online"), 0);
    client.field(mark, LAMP, "command_topic", "iot/hall/lamp/set");
    // What it is told to say is what we take.
    assert_eq!(client.publish("iot/hall/lamp/set", "ON"), 0);
    client.field(mark, "iot/hall/lamp/target", "on", true);
    // It may say nothing else there.
    assert_ne!(client.publish(LAMP, "{}"), 0);
}

#[test]
fn a_device_that_went_is_taken_back_also_when_nobody_ran_then() {
    let house = House::with_rules("");
    let whole = house.read("mapping.toml");
    let dispatcher = Dispatcher::start_with(&house, &[], &ON);
    let client = home_assistant(&dispatcher, &house);
    client.field(0, DESK, "name", "lamp");
    let without = |name: &str| {
        let text = house.read("mapping.toml");
        let (before, rest) = text.split_once(&format!("[device.{name}]")).unwrap();
        let after = rest.find("\n[").map_or("", |at| &rest[at..]);
        format!("allow = [\"device-unused\"]\n{before}{after}")
    };
    let (rules, mark) = (whole.find("[rule.on]").unwrap(), client.mark());
    house.write("mapping.toml", &whole[..rules]);
    house.write("mapping.toml", &without("desk"));
    client.text(mark, DESK, "");
    dispatcher.kill_9();
    house.write(
        "mapping.toml",
        &without("hall").replacen("allow = [\"device-unused\"]\n", "", 1),
    );
    let dispatcher = Dispatcher::start_with(&house, &[], &ON);
    let client = home_assistant(&dispatcher, &house);
    client.text(0, DESK, "");
    client.text(0, LAMP, "");
    // Switched off, it takes back what it told and says nothing more.
    drop(dispatcher);
    let dispatcher = house.start();
    let client = home_assistant(&dispatcher, &house);
    client.text(0, LAMP, "");
}
