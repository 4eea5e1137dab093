//! A session belongs to the way on which its device comes, and topics at a broker to one device.

use link::{Address, Broker, Device, Told};
use wire::{Handle, HelloFlags, HelloPayload};

use crate::house::{House, about, address, handle, identity, press};

/// The topics of device 1 at the house's own broker.
fn topics() -> Address {
    Address::Mqtt(Broker::Own, handle())
}

/// All that may not speak for a device on [`topics`].
fn other_ways() -> [Address; 3] {
    let other = Handle::of(&identity(2).device_public);
    [
        address(0),
        Address::Mqtt(Broker::External, handle()),
        Address::Mqtt(Broker::Own, other),
    ]
}

/// Brings what the device says to the dispatcher from `from`, and the answers to the device.
fn exchange(house: &mut House, from: Address) {
    loop {
        let mut out = [0; wire::FRAME_LEN_MAX];
        let (now, mut quiet) = (house.now, true);
        while let Some(len) = house.devices[0].poll_transmit(now, &mut house.dice, &mut out) {
            hears(house, from, &out[..len]);
            quiet = false;
        }
        while let Some((to, bytes)) = house.dispatcher.poll_transmit() {
            assert_eq!(to, from, "it is answered where it comes from");
            let mut room = [0; wire::PLAIN_LEN_MAX];
            house.devices[0].handle(now, &bytes, &mut room, &mut house.dice);
            quiet = false;
        }
        if quiet {
            return;
        }
    }
}

fn hears(house: &mut House, from: Address, bytes: &[u8]) -> bool {
    let now = house.now;
    let heard = house
        .dispatcher
        .handle(now, from, bytes, 0, &mut house.dice);
    while let Some(told) = house.dispatcher.poll_told() {
        house.told.push(told);
    }
    heard
}

/// A house whose device comes through its broker.
fn through_the_broker() -> House {
    let mut house = House::new();
    let about = HelloPayload {
        flags: HelloFlags::PRODUCER,
        ..about(1)
    };
    house.devices[0] = Device::new(&identity(1), about, house.now);
    house
}

#[test]
fn a_frame_that_is_carried_to_another_way_is_not_heard_and_still_counts_on_its_own() {
    let mut house = through_the_broker();
    exchange(&mut house, topics());
    assert!(house.devices[0].is_up());
    assert_eq!(house.dispatcher.address(handle()), Some(topics()));
    let frame = house.stolen();
    let before = house.dispatcher.counters().refused_frames;
    for other in other_ways() {
        assert!(!hears(&mut house, other, &frame), "{other:?}");
        assert_eq!(house.dispatcher.poll_transmit(), None, "{other:?}");
    }
    assert_eq!(house.dispatcher.counters().refused_frames, before + 3);
    assert!(house.events().is_empty());
    assert_eq!(house.dispatcher.address(handle()), Some(topics()));
    assert!(hears(&mut house, topics(), &frame));
    assert_eq!(house.events(), [1]);
}

#[test]
fn a_greeting_that_is_carried_to_another_way_makes_no_session() {
    let mut house = through_the_broker();
    let (mut out, now) = ([0; wire::FRAME_LEN_MAX], house.now);
    let len = house.devices[0].poll_transmit(now, &mut house.dice, &mut out);
    let hello = &out[..len.expect("a HELLO is due")];
    let [datagrams, _, topics_of_another] = other_ways();
    for other in [datagrams, topics_of_another] {
        hears(&mut house, other, hello);
        assert_eq!(house.dispatcher.poll_transmit(), None, "{other:?}");
    }
    assert_eq!(house.dispatcher.counters().refused_hellos, 2);
    assert!(!hears(&mut house, topics(), hello), "it proves nothing yet");
    let (to, welcome) = house.dispatcher.poll_transmit().expect("it is answered");
    assert_eq!(to, topics());
    // What was answered is answered again, but not to everybody.
    for other in [datagrams, topics_of_another] {
        hears(&mut house, other, hello);
        assert_eq!(house.dispatcher.poll_transmit(), None, "{other:?}");
    }
    let mut room = [0; wire::PLAIN_LEN_MAX];
    house.devices[0].handle(now, &welcome, &mut room, &mut house.dice);
    exchange(&mut house, topics());
    assert!(house.devices[0].is_up());
}

#[test]
fn a_device_that_comes_by_datagrams_can_not_be_carried_to_a_broker() {
    let mut house = House::new();
    let (mut out, now) = ([0; wire::FRAME_LEN_MAX], house.now);
    let len = house.devices[0].poll_transmit(now, &mut house.dice, &mut out);
    let hello = &out[..len.expect("a HELLO is due")];
    hears(&mut house, topics(), hello);
    assert_eq!(house.dispatcher.poll_transmit(), None);
    assert_eq!(house.dispatcher.counters().refused_hellos, 1);
}

#[test]
fn a_will_counts_on_the_way_and_of_the_boot_of_the_session_alone() {
    let mut house = through_the_broker();
    exchange(&mut house, topics());
    let boot = about(1).boot_id;
    for other in other_ways() {
        house
            .dispatcher
            .will_hint(other, handle(), Some(boot), house.now);
    }
    house
        .dispatcher
        .will_hint(topics(), handle(), Some(boot + 1), house.now);
    let asked = |house: &mut House| {
        let now = house.now;
        house.dispatcher.handle_timeout(now, &mut house.dice);
        house.dispatcher.poll_transmit().is_some()
    };
    assert!(!asked(&mut house));
    house
        .dispatcher
        .will_hint(topics(), handle(), Some(boot), house.now);
    assert!(asked(&mut house));
}

#[test]
fn however_many_wills_are_forged_a_device_is_asked_once_a_second() {
    let mut house = through_the_broker();
    exchange(&mut house, topics());
    let mut asked = 0;
    for _ in 0..5_000 {
        let now = house.now;
        house.dispatcher.will_hint(topics(), handle(), None, now);
        house.dispatcher.handle_timeout(now, &mut house.dice);
        let mut out = [0; wire::FRAME_LEN_MAX];
        while let Some((_, bytes)) = house.dispatcher.poll_transmit() {
            // What it answers is acknowledged with no more than an ACK.
            asked += usize::from(bytes.len() > 30);
            let mut room = [0; wire::PLAIN_LEN_MAX];
            house.devices[0].handle(now, &bytes, &mut room, &mut house.dice);
        }
        while let Some(len) = house.devices[0].poll_transmit(now, &mut house.dice, &mut out) {
            hears(&mut house, topics(), &out[..len]);
        }
        house.now = house.now.after(1);
    }
    assert!((4..=6).contains(&asked), "{asked}");
    let offline = |told: &Told| matches!(told, Told::Offline { .. });
    assert_eq!(house.count(offline), 0);
}

#[test]
fn on_another_connection_a_device_asks_at_once_whether_its_dispatcher_is_there() {
    let mut house = through_the_broker();
    exchange(&mut house, topics());
    let mut out = [0; wire::FRAME_LEN_MAX];
    let now = house.now.after(5_000);
    house.now = now;
    let asks = |house: &mut House, out: &mut [u8]| {
        house.devices[0].poll_transmit(now, &mut house.dice, out)
    };
    assert_eq!(asks(&mut house, &mut out), None);
    house.devices[0].reconnected(now);
    assert!(house.devices[0].deadline() <= now);
    assert!(asks(&mut house, &mut out).is_some());
    assert_eq!(asks(&mut house, &mut out), None, "once");
    house.devices[0].event(press(), now).expect("it fits");
    exchange(&mut house, topics());
    assert_eq!(house.events(), [1]);
}
