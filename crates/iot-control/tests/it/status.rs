//! How a running dispatcher is doing, as words and as JSON.

use crate::harness::{Client, House, Kind};

#[test]
fn status_counts_who_is_there_and_what_was_refused() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let fresh = dispatcher.ask(&["status"]).ok();
    assert!(fresh.stdout.contains("clients   0 connected"), "{fresh:?}");
    assert!(fresh.stdout.contains("store     inputs are being kept"));
    assert!(fresh.stdout.contains("refused   nothing"), "{fresh:?}");

    let mut hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[]);
    assert_eq!(hall.publish("iot/hall/lamp/state", r#"{"on":false}"#), 0);
    assert_ne!(hall.publish("iot/desk/lamp/state", r#"{"on":true}"#), 0);
    let stranger = Client::connect(Kind::RumqttcV5, &dispatcher.connect(None, &[]));
    assert!(stranger.is_err());

    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    let broker = &status["broker"];
    assert_eq!(broker["connections"], 1, "{status}");
    assert_eq!(broker["sessions"], 1, "{status}");
    assert_eq!(broker["messages_in"], 2, "{status}");
    assert_eq!(broker["denied_publishes"], 1, "{status}");
    assert_eq!(broker["refused_connects"], 1, "{status}");
    assert_eq!(status["store"]["good"], true, "{status}");
    assert_eq!(status["inputs"]["missed"], 0, "{status}");
    assert!(status["inputs"]["last"].as_u64() >= Some(2), "{status}");
    assert!(status["up_s"].is_u64(), "{status}");
    let words = dispatcher.ask(&["status"]).ok().stdout;
    assert!(words.contains("1 refused connects"), "{words}");
    assert!(words.contains("1 denied publishes"), "{words}");
}
