//! When sessions end, and that nothing of them counts afterwards.

use link::{Device, Millis, Told};
use wire::Reset;

use crate::house::{House, about, address, handle, identity, press, reliable};

/// A frame that was sealed before something happened is not taken after it; it is answered by a RESET at most.
fn check(happens: impl FnOnce(&mut House)) {
    let mut house = House::up();
    let control = house.stolen();
    house.inject(&control);
    house.run(100);
    assert_eq!(house.events(), [1], "a frame that is only late is taken");
    let frame = house.stolen();
    house.network = |_| 0;
    house.captured.clear();
    happens(&mut house);
    let told = house.told.len();
    for answer in house.inject(&frame) {
        assert_eq!(answer.len(), wire::RESET_LEN);
    }
    assert_eq!(house.dispatcher.poll_told(), None);
    assert_eq!(house.told.len(), told);
}

#[test]
fn a_stolen_session_key_is_dead_after_a_reboot() {
    check(|house| {
        house.network = reliable;
        house.devices[0] = Device::new(&identity(1), about(2), house.now);
        house.run(200);
        assert!(house.devices[0].is_up());
    });
}

#[test]
fn a_stolen_session_key_is_dead_after_bye() {
    check(|house| {
        let mut out = [0; 64];
        let len = house.devices[0]
            .bye(0, house.now, &mut out)
            .expect("there is a session");
        house.inject(&out[..len]);
        house.run(1);
        assert!(!house.dispatcher.is_online(handle()));
    });
}

#[test]
fn a_stolen_session_key_is_dead_after_ninety_seconds_of_silence() {
    check(|house| house.skip(90_001));
}

#[test]
fn a_stolen_session_key_is_dead_after_a_block_of_both_directions() {
    check(|house| {
        house.dispatcher.block(handle(), true, true);
        house.run(1);
    });
}

#[test]
fn a_stolen_session_key_is_dead_after_a_day() {
    check(|house| {
        house.network = reliable;
        house.skip(24 * 3_600_000 + 1);
        assert!(house.devices[0].is_up(), "new keys came in time");
        let rekeyed = house.count(|told| matches!(told, Told::Online { rekeyed: true, .. }));
        assert_eq!(rekeyed, 1);
        assert_eq!(house.count(|told| matches!(told, Told::Offline { .. })), 0);
    });
}

#[test]
fn a_stolen_session_key_is_dead_after_a_restart_of_the_dispatcher() {
    check(House::restart_dispatcher);
}

#[test]
fn a_device_that_falls_silent_is_offline_after_ninety_seconds() {
    let mut house = House::up();
    house.skip(600_000);
    assert!(
        house.dispatcher.is_online(handle()),
        "it is quiet and there"
    );
    house.network = |_| 0;
    house.skip(60_000);
    assert!(house.dispatcher.is_online(handle()));
    house.skip(40_000);
    assert!(!house.dispatcher.is_online(handle()));
    house.network = reliable;
    house.skip(200_000);
    assert!(house.dispatcher.is_online(handle()) && house.devices[0].is_up());
}

#[test]
fn a_dispatcher_that_restarted_has_its_devices_back_within_seconds() {
    let mut house = House::up();
    house.restart_dispatcher();
    house.devices[0].event(press(), house.now).expect("it fits");
    house.run(3_000);
    assert!(house.dispatcher.is_online(handle()));
    assert_eq!(house.events(), [1]);
}

#[test]
fn a_forged_will_makes_nobody_offline_and_a_true_one_does_within_seconds() {
    let mut house = House::up();
    for _ in 0..100 {
        let now = house.now;
        house.dispatcher.will_hint(address(0), handle(), None, now);
        house.run(50);
    }
    assert_eq!(house.count(|told| matches!(told, Told::Offline { .. })), 0);
    house.network = |_| 0;
    let now = house.now;
    house.dispatcher.will_hint(address(0), handle(), None, now);
    house.run(4_100);
    assert_eq!(house.count(|told| matches!(told, Told::Offline { .. })), 1);
}

#[test]
fn forged_epochs_make_a_handshake_in_five_seconds_at_most_and_forged_resets_none() {
    let mut house = House::up();
    house.captured.clear();
    let hellos = |house: &House| {
        house
            .captured
            .iter()
            .filter(|bytes| bytes[0] == 0x11)
            .count()
    };
    for turn in 0..10_000_u32 {
        let forged = Reset {
            dispatcher_index: turn,
            token: [turn as u8; 16],
        }
        .encode();
        let mut room = [0; wire::PLAIN_LEN_MAX];
        let now = house.now;
        house.devices[0].handle(now, &forged, &mut room, &mut house.dice);
        house.run(1);
    }
    assert_eq!(hellos(&house), 0);
    for _ in 0..20_000 {
        let now = house.now;
        house.devices[0].epoch_hint(now, &mut house.dice);
        house.run(1);
    }
    let hellos = hellos(&house);
    assert!((2..=6).contains(&hellos), "{hellos}");
    assert_eq!(house.count(|told| matches!(told, Told::Offline { .. })), 0);
}

#[test]
fn hellos_that_are_replayed_displace_nobody_and_keep_nobody_out() {
    let mut house = House::up();
    for boot in 2..5 {
        house.devices[0] = Device::new(&identity(1), about(boot), house.now);
        house.run(3_000);
    }
    let hellos: Vec<Vec<u8>> = house
        .captured
        .iter()
        .filter(|bytes| bytes[0] == 0x11)
        .cloned()
        .collect();
    let before = house.told.len();
    for _ in 0..1_000 {
        for hello in &hellos {
            house.inject(hello);
        }
        house.run(10);
    }
    assert_eq!(house.told.len(), before);
    assert!(house.devices[0].is_up() && house.dispatcher.is_online(handle()));
    house.devices[0] = Device::new(&identity(1), about(9), house.now);
    for _ in 0..1_000 {
        hellos.iter().for_each(|hello| drop(house.inject(hello)));
        house.run(10);
    }
    assert!(house.devices[0].is_up(), "the real one has its place");
    assert!(house.devices[0].deadline() < Millis::NEVER);
}
