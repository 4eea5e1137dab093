//! Who is there: last wills, goodbyes, and rules that stand in for what is lost.

use crate::harness::{House, Kind};

const FALLBACK: &str = r#"
[rule.fallback]
when = "desk.button.press"
if = "!hall.online"
do = "desk.lamp.on"

[rule.hall-lost]
when = "hall.offline"
do = "desk.lamp.on"

[rule.anything-lost]
when = "*.offline"
do = { notify = "all", text = "${event.device} went offline." }
"#;

const LAMP: &str = "iot/desk/lamp/target";

#[test]
fn a_last_will_makes_a_device_offline_and_the_rules_for_it_fire() {
    for kind in Kind::installed() {
        let house = House::with_rules(FALLBACK);
        let dispatcher = house.start();
        let watcher = dispatcher.watcher();
        let desk = dispatcher.device_client(Kind::RumqttcV4, "desk", &[LAMP]);
        let hall = dispatcher.device_client_with_will(kind, "hall", &["iot/hall/+/target"]);
        watcher.text(0, "iot/hall/availability", "online");
        assert_eq!(dispatcher.device("hall")["online"], true, "{kind:?}");

        let (mark, said) = (watcher.mark(), dispatcher.mark());
        hall.vanish();
        watcher.text(mark, "iot/hall/availability", "offline");
        desk.field(0, LAMP, "on", true);
        dispatcher.says(said, "hall went offline.");
        assert_eq!(dispatcher.device("hall")["online"], false, "{kind:?}");

        let newcomer = dispatcher.watcher();
        let kept = newcomer.text(0, "iot/hall/availability", "offline");
        assert!(kept.retain, "{kind:?}: who comes later sees it as well");
    }
}

#[test]
fn a_device_without_a_will_is_offline_when_its_connection_ends() {
    for say_goodbye in [true, false] {
        let house = House::with_rules(FALLBACK);
        let dispatcher = house.start();
        let watcher = dispatcher.watcher();
        let hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[]);
        watcher.text(0, "iot/hall/availability", "online");
        let mark = watcher.mark();
        match say_goodbye {
            true => hall.leave(),
            false => hall.vanish(),
        }
        watcher.text(mark, "iot/hall/availability", "offline");
        watcher.field(mark, LAMP, "on", true);
    }
}

#[test]
fn a_rule_stands_in_while_a_device_is_away_and_no_longer() {
    let house = House::with_rules(
        r#"
        [rule.stand-in]
        when = "piano.keys.press"
        if = "event.key == 50 && !hall.online"
        do = "desk.lamp.on"

        [rule.as-ever]
        when = "piano.keys.press"
        if = "event.key == 50 && hall.online"
        do = ["hall.lamp.on", "desk.lamp.off"]
        "#,
    );
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let mut piano = dispatcher.device_client(Kind::RumqttcV4, "piano", &[]);
    let press = r#"{"event":"press","key":50,"velocity":1}"#;
    piano.publish("iot/piano/keys/event", press);
    watcher.field(0, LAMP, "on", true);
    let hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &["iot/hall/+/target"]);
    piano.publish("iot/piano/keys/event", press);
    watcher.field(0, LAMP, "on", false);
    hall.field(0, "iot/hall/lamp/target", "on", true);
}
