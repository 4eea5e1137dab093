//! What the broker tells of itself below `$SYS`.

use std::{collections::BTreeMap, time::Duration};

use crate::harness::*;
use broker::Limits;

const EVERY: Duration = Duration::from_secs(10);

fn reporting() -> House {
    let mut house = House::keeping(Limits::default());
    house.core.report("house 1.2.3", EVERY, house.now);
    house
}

/// What is retained below `$SYS/broker/` by its topic, as a client that comes now is told.
fn told(house: &mut House) -> BTreeMap<String, String> {
    let reader = house.join(&v5("reader of all"));
    let got = house.subscribe(reader, "$SYS/#", 0);
    house.drop_peer(reader);
    values(&got[1..])
}

fn values(got: &[Got]) -> BTreeMap<String, String> {
    let value = |got: &Got| match got {
        Got::Publish(d) => {
            let name = d.topic.strip_prefix("$SYS/broker/").unwrap();
            (name.to_owned(), d.payload.clone())
        }
        other => panic!("{other:?}"),
    };
    got.iter().map(value).collect()
}

#[test]
fn a_new_subscriber_is_told_what_was_true_last() {
    let mut house = reporting();
    let first = told(&mut house);
    assert_eq!(first["version"], "house 1.2.3");
    assert_eq!(first["uptime"], "0 seconds");
    assert_eq!(first["clients/connected"], "0");

    let away = house.join(&v5("away").keeps_session());
    house.subscribe(away, "t", 1);
    house.drop_peer(away);
    let writer = house.join(&v3("writer"));
    house.subscribe(writer, "a/+", 0);
    house.subscribe(writer, "b", 0);
    house.publish(writer, &message("t", "kept").qos(1, 7).retained());
    house.publish(writer, &message("a/b", "x"));
    house.read(writer);
    let topics = first.len() as u64;
    assert_eq!(told(&mut house), first, "its time has not come");
    let before = house.core.stats();

    house.wait_s(10);
    let after = told(&mut house);
    assert_eq!(
        after.keys().collect::<Vec<_>>(),
        first.keys().collect::<Vec<_>>()
    );
    let number = |name: &str| after[name].parse::<u64>().expect(name);
    assert_eq!(after["uptime"], "10 seconds");
    assert_eq!(number("bytes/received"), before.bytes_in);
    assert_eq!(number("bytes/sent"), before.bytes_out);
    assert_eq!(number("clients/total"), 2);
    assert_eq!(number("clients/connected"), 1);
    assert_eq!(number("clients/disconnected"), 1);
    assert_eq!(number("publish/messages/received"), 2);
    assert_eq!(number("publish/messages/sent"), before.messages_out);
    assert_eq!(number("publish/messages/dropped"), 0);
    assert_eq!(number("subscriptions/count"), 3);
    assert_eq!(number("retained messages/count"), topics + 1);
    assert_eq!(number("store/messages/count"), topics + 2);
    assert!(number("store/messages/bytes") >= before.queued_bytes as u64 + 5);
}

#[test]
fn a_subscriber_is_told_what_changes_and_nothing_else() {
    let mut house = reporting();
    let reader = house.join(&v5("reader"));
    let got = house.subscribe(reader, "$SYS/broker/clients/+", 2);
    assert_eq!(
        brief(&got)[1..],
        [
            "$SYS/broker/clients/connected=0 q0 retained",
            "$SYS/broker/clients/disconnected=0 q0 retained",
            "$SYS/broker/clients/total=0 q0 retained",
        ]
    );
    house.wait_s(9);
    assert_eq!(house.read(reader), []);
    house.wait_s(1);
    assert_eq!(
        brief(&house.read(reader)),
        [
            "$SYS/broker/clients/connected=1 q0",
            "$SYS/broker/clients/total=1 q0",
        ]
    );
    house.wait_s(100);
    assert_eq!(house.read(reader), []);
}

#[test]
fn no_wildcard_at_the_start_of_a_filter_means_it() {
    let mut house = reporting();
    let reader = house.join(&v5("reader"));
    for filter in ["#", "+/#", "+/broker/uptime", "$share/group/#"] {
        let got = house.subscribe(reader, filter, 0);
        assert_eq!(got.len(), 1, "{filter}: {got:?}");
    }
    house.wait_s(10);
    assert_eq!(house.read(reader), []);
}

#[test]
fn who_may_not_read_it_is_not_told_and_nobody_may_write_it() {
    let mut house = reporting();
    let rights = [
        (
            "device",
            access("device", &["#"], &["#", "iot/lamp/+/target"]),
        ),
        (
            "person",
            access("person", &["#", "$SYS/#"], &["iot/#", "$SYS/#"]),
        ),
    ];
    house.app.users = rights
        .map(|(user, access)| (user.to_owned(), access))
        .into();
    let device = house.join(&v5("d").user("device"));
    assert_eq!(
        house.subscribe(device, "$SYS/#", 0),
        [Got::Suback(9, vec![0x87])]
    );
    let person = house.join(&v5("p").user("person"));
    assert!(house.subscribe(person, "$SYS/#", 0).len() > 10);
    let forged = message("$SYS/broker/version", "mine").qos(1, 7).retained();
    assert_eq!(house.publish(person, &forged), [Got::Puback(7, 0x87)]);
    assert_eq!(told(&mut house)["version"], "house 1.2.3");
}

#[test]
fn nothing_of_it_outlives_the_process_and_no_application_hears_of_it() {
    let mut house = reporting();
    let reader = house.join(&v5("reader").keeps_session());
    house.subscribe(reader, "$SYS/#", 2);
    house.store();
    let records = house.app.records.len();
    house.log();
    house.wait_s(20);
    assert!(!house.read(reader).is_empty());
    house.drop_peer(reader);
    house.wait_s(20);
    house.store();
    assert_eq!(house.app.records.len(), records + 1, "the reader has gone");
    house.check_kept();
    let kept = format!("{:?}", house.app.kept);
    assert!(!kept.contains("broker/uptime"), "{kept}");
    let log = house.log();
    assert!(log.iter().all(|line| !line.contains("SYS")), "{log:?}");
    let (_, got) = house.hello(&v5("reader").keeps_session());
    assert_eq!(
        got.len(),
        1,
        "what was told meanwhile is out of date: {got:?}"
    );
}

#[test]
fn a_broker_that_was_not_asked_tells_nothing_of_itself() {
    let mut house = House::default();
    assert_eq!(told(&mut house), BTreeMap::new());
    house.wait_s(100);
    assert_eq!(told(&mut house), BTreeMap::new());
}
