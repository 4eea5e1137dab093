//! What the broker tells of itself below `$SYS`, to real clients.

use crate::harness::{Client, Dispatcher, House, Kind, Login};

const VERSION: &str = "$SYS/broker/version";
const CONNECTED: &str = "$SYS/broker/clients/connected";

#[test]
fn tools_read_what_the_broker_tells_of_itself_and_it_changes() {
    let house = House::with_rules("");
    let dispatcher = Dispatcher::start_with(&house, &[], &[("MQTT__SYS_INTERVAL_S", "1")]);
    for kind in Kind::installed() {
        let tool = connect(&dispatcher, kind, house.tool_login(), "$SYS/#");
        let version = concat!("iot-control ", env!("CARGO_PKG_VERSION"));
        assert!(tool.text(0, VERSION, version).retain, "{kind:?}");
        tool.text(0, CONNECTED, "1");
        let device = connect(&dispatcher, kind, house.device_login("hall"), "#");
        tool.text(0, CONNECTED, "2");
        let mut told = device.messages(0);
        told.retain(|message| message.topic.starts_with('$'));
        assert_eq!(told, [], "{kind:?}");
        device.leave();
        let mark = tool.mark();
        tool.text(mark, CONNECTED, "1");
        tool.leave();
    }
}

#[test]
fn a_broker_that_is_told_to_says_nothing_of_itself() {
    let house = House::with_rules("");
    let dispatcher = Dispatcher::start_with(&house, &[], &[("MQTT__SYS_INTERVAL_S", "0")]);
    let mut tool = connect(&dispatcher, Kind::RumqttcV5, house.tool_login(), "#");
    // What is retained comes before the answer to what is sent later.
    tool.publish("iot/hall/lamp/set", "ON");
    tool.field(0, "iot/hall/lamp/target", "on", true);
    let sys = connect(&dispatcher, Kind::RumqttcV5, house.tool_login(), VERSION);
    tool.publish("iot/hall/lamp/set", "OFF");
    tool.field(0, "iot/hall/lamp/target", "on", false);
    assert_eq!(sys.messages(0), []);
}

fn connect(dispatcher: &Dispatcher<'_>, kind: Kind, login: Login, filter: &str) -> Client {
    let connect = dispatcher.connect(Some(login), &[filter]);
    Client::connect(kind, &connect).expect("it is let in")
}
