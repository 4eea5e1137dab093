//! A module's role: in parts, late, again, another one, or none at all; and the targets that are meant for it.

use device::{Drive, RoleFault, Sample};
use proptest::prelude::*;
use wire::{
    Body, Channel, ChannelKind, Config, Fallback, Options, Pin, Role, RoleError, RoleId, Set,
};

use crate::{
    house::{House, LAMPS, TASTER, Wish, bad, bright, button, handle, lamp, plain, role, usual},
    stage::channel,
};

/// A role that takes more than one part.
fn wide() -> Vec<Channel> {
    let options = Options {
        travel_ms: Some(1_000_000),
        gamma: Some(2.2),
        min: Some(1.1),
        max: Some(99.9),
        ..Options::default()
    };
    vec![channel(ChannelKind::Dimmer, options); 64]
}

#[test]
fn a_role_of_several_parts_comes_through_a_bad_network_with_all_targets() {
    for _ in 0..3 {
        let mut house = House::new(&[button()], &wide());
        assert!(house.roles[LAMPS].len() > wire::PART_LEN_MAX);
        house.network = bad;
        for channel in 0..64 {
            house.wish(LAMPS, channel, bright(f64::from(channel) + 1.0));
        }
        house.run(15_000);
        let on = house
            .pins
            .values()
            .filter(|drive| **drive != Drive::Lamp([0; 4]))
            .count();
        assert_eq!(on, 64);
        for channel in 0..64 {
            let expected = format!("on=true brightness={}", u16::from(channel) + 1);
            assert_eq!(house.state(LAMPS, channel), Some(&*expected));
        }
    }
}

#[test]
fn targets_that_come_before_their_role_wait_for_it_and_the_newest_is_done() {
    let mut house = House::new(&[button()], &[lamp(Fallback::Keep)]);
    house.withhold_role(LAMPS);
    house.run(500);
    assert!(house.modules[LAMPS].is_up() && house.modules[LAMPS].role().is_none());
    house.on(LAMPS, 0, false);
    house.run(100);
    house.on(LAMPS, 0, true);
    house.run(100);
    assert!(house.pins.is_empty());
    house.send_late_role(LAMPS);
    house.run(100);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(true));
    assert_eq!(
        house.states.last(),
        Some(&(LAMPS, 0, 2, "on=true".to_owned()))
    );
}

#[test]
fn what_is_momentary_does_not_wait_for_a_role() {
    let mut house = House::new(&[button()], &[plain(ChannelKind::Buzzer)]);
    house.withhold_role(LAMPS);
    house.run(500);
    let beep = Set {
        rev: 0,
        role: house.role_id(LAMPS),
        channel: 0,
        command: Some("beep"),
        fields: wire::Fields::default(),
        fade_ms: None,
        for_ms: None,
    };
    house
        .dispatcher
        .set(handle(LAMPS), beep, house.now)
        .expect("online");
    house.run(100);
    house.send_late_role(LAMPS);
    house.run(100);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(false));
    house
        .dispatcher
        .set(handle(LAMPS), beep, house.now)
        .expect("online");
    house.run(100);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(true));
}

#[test]
fn a_target_that_waits_for_its_role_does_not_outlive_its_session() {
    let mut house = House::new(&[button()], &[lamp(Fallback::Keep)]);
    house.withhold_role(LAMPS);
    house.run(500);
    house.on(LAMPS, 0, true);
    house.run(100);
    house.wishes.clear();
    house.restart_dispatcher();
    house.skip(40_000);
    assert_eq!(house.onlines[LAMPS], 2);
    house.send_late_role(LAMPS);
    house.run(100);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(false));
}

/// Two buttons and another one in front of them: each place is another's.
fn with_one_in_front(house: &mut House) {
    let pin = |number| Options {
        pin: Some(Pin::number(number)),
        ..Options::default()
    };
    let buttons = [1, 2, 3].map(|number| channel(ChannelKind::Button, pin(number)));
    house.roles[TASTER] = role(&buttons);
    house.config_rev += 1;
    house.send_role(TASTER);
}

#[test]
fn an_event_that_is_heard_after_another_role_came_says_which_one_it_is_of() {
    let mut house = usual();
    let before = house.role_id(TASTER);
    // What the module says is lost from here on; the role gets through.
    house.is_mute = true;
    house.sample(TASTER, 0, Sample::Level(false));
    house.sample(TASTER, 0, Sample::Level(true));
    house.run(100);
    with_one_in_front(&mut house);
    house.run(100);
    let after = house.role_id(TASTER);
    assert_eq!(house.modules[TASTER].role_id(), after);
    assert!(house.events.is_empty());
    house.is_mute = false;
    house.run(5_000);
    house.sample(TASTER, 0, Sample::Level(false));
    house.sample(TASTER, 0, Sample::Level(true));
    house.run(1_000);
    let events: Vec<&str> = house.events.iter().map(|(_, event)| &**event).collect();
    assert_eq!(events[0], "0/press");
    let said_under = house.said_under.iter().zip(&events);
    let presses = said_under.filter(|(_, event)| **event == "0/press");
    let presses: Vec<RoleId> = presses.map(|(role, _)| *role).collect();
    assert_eq!(presses, [before, after]);
    assert_ne!(before, after);
}

#[test]
fn what_is_meant_for_the_role_that_was_is_not_done_by_the_channel_that_has_its_place_now() {
    let lamps = [plain(ChannelKind::Buzzer), lamp(Fallback::Keep)];
    let mut house = House::up(&[button()], &lamps);
    let before = house.role_id(LAMPS);
    house.roles[LAMPS] = role(&[lamp(Fallback::Keep), plain(ChannelKind::Buzzer)]);
    house.config_rev += 1;
    house.send_role(LAMPS);
    house.run(100);
    assert_eq!(house.modules[LAMPS].role_id(), house.role_id(LAMPS));
    let beep = Set {
        rev: 0,
        role: before,
        channel: 0,
        command: Some("beep"),
        fields: wire::Fields::default(),
        fade_ms: None,
        for_ms: None,
    };
    let on = wire::Fields::new(&[("on", wire::Value::Bool(true))]).expect("one");
    let light = Set {
        channel: 1,
        command: None,
        fields: on,
        ..beep
    };
    // Datagrams that the network kept for a while.
    for late in [
        beep,
        light,
        Set { channel: 1, ..beep },
        Set {
            channel: 0,
            ..light
        },
    ] {
        let told = house.dispatcher.set(handle(LAMPS), late, house.now);
        told.expect("online");
        house.run(100);
    }
    for place in [0, 1] {
        assert_eq!(house.pins[&(LAMPS, place)], Drive::Level(false), "{place}");
    }
    assert_eq!(house.modules[LAMPS].counters().refused, 0);
    house.on(LAMPS, 0, true);
    house.run(100);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(true));
}

#[test]
fn channels_that_another_role_leaves_as_they_were_go_on() {
    let mut house = House::up(
        &[button()],
        &[plain(ChannelKind::Dimmer), lamp(Fallback::Keep)],
    );
    house.wish(
        LAMPS,
        0,
        Wish {
            fade_ms: Some(10_000),
            ..bright(100.0)
        },
    );
    house.on(LAMPS, 1, true);
    house.run(5_000);
    house.roles[LAMPS] = role(&[
        plain(ChannelKind::Dimmer),
        plain(ChannelKind::Buzzer),
        button(),
    ]);
    house.config_rev += 1;
    house.send_role(LAMPS);
    house.run(100);
    assert_eq!(house.modules[LAMPS].role().map(|role| role.len()), Some(3));
    let Drive::Lamp([0, 0, 0, level]) = house.pins[&(LAMPS, 0)] else {
        panic!("{:?}", house.pins);
    };
    assert!((5_000..5_300).contains(&level), "{level}");
    // The other is new, and its pins were set up anew.
    assert_eq!(house.pins[&(LAMPS, 1)], Drive::Level(false));
    house.sample(LAMPS, 2, Sample::Level(false));
    house.sample(LAMPS, 2, Sample::Level(true));
    house.run(5_000);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Lamp([0, 0, 0, 10_000]));
    assert_eq!(
        house.events.last().map(|(_, event)| &**event),
        Some("2/press")
    );
}

#[test]
fn pins_that_are_set_up_anew_are_told_what_they_are_although_nothing_changed() {
    let mut house = usual();
    house.on(LAMPS, 0, true);
    house.run(100);
    house.roles[LAMPS] = role(&[lamp(Fallback::Keep), button()]);
    house.config_rev += 1;
    house.send_role(LAMPS);
    house.changes.clear();
    house.run(100);
    let changes: Vec<_> = house
        .changes
        .iter()
        .map(|(_, of, channel, drive)| (*of, *channel, *drive))
        .collect();
    assert_eq!(changes, [(LAMPS, 0, Drive::Level(true))]);
}

#[test]
fn parts_that_do_not_fit_together_are_no_role() {
    let mut house = usual();
    let text = role(&wide());
    for (part, bytes) in [
        (1, &text[wire::PART_LEN_MAX..][..100]),
        (0, &text[..wire::PART_LEN_MAX - 1]),
    ] {
        let config = Config {
            rev: 2,
            part,
            parts: 2,
            bytes,
        };
        house
            .dispatcher
            .send(handle(LAMPS), &Body::Config(config), house.now)
            .expect("online");
        house.run(50);
    }
    let counters = house.modules[LAMPS].counters();
    assert_eq!(
        (counters.refused_roles, counters.last_fault),
        (1, Some(RoleFault::Parts))
    );
    assert_eq!(house.modules[LAMPS].role().map(|role| role.len()), Some(1));
    // More than there is room for.
    let bytes = &text[..wire::PART_LEN_MAX];
    let config = Config {
        rev: 3,
        part: 4,
        parts: 6,
        bytes,
    };
    house
        .dispatcher
        .send(handle(LAMPS), &Body::Config(config), house.now)
        .expect("online");
    house.run(50);
    assert_eq!(house.modules[LAMPS].counters().refused_roles, 2);
}

#[test]
fn a_role_that_cannot_be_played_is_counted_and_its_targets_go_nowhere() {
    let mut house = usual();
    let before = house.roles[LAMPS].clone();
    house.roles[LAMPS] = vec![0x83, 2, 0xA0, 0x80];
    house.config_rev += 1;
    house.send_role(LAMPS);
    house.run(100);
    let counters = house.modules[LAMPS].counters();
    let layout = RoleFault::Role(RoleError::Layout { found: 2 });
    assert_eq!(
        (counters.refused_roles, counters.last_fault),
        (1, Some(layout))
    );
    house.on(LAMPS, 0, true);
    house.run(100);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(false));
    // One that it can play comes, and with it all targets.
    house.roles[LAMPS] = before;
    house.config_rev += 1;
    house.send_all(LAMPS);
    house.run(100);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(true));
}

#[test]
fn parts_of_an_older_revision_and_parts_that_come_again_change_nothing() {
    let mut house = usual();
    house.config_rev = 5;
    let newest = role(&[plain(ChannelKind::Buzzer), lamp(Fallback::Keep)]);
    house.roles[LAMPS] = newest.clone();
    house.send_role(LAMPS);
    house.run(100);
    house.on(LAMPS, 0, true);
    house.run(100);
    for rev in [5, 4] {
        house.config_rev = rev;
        house.roles[LAMPS] = role(&[lamp(Fallback::Off)]);
        house.send_role(LAMPS);
        house.run(100);
        assert_eq!(
            house.modules[LAMPS].role().map(|role| role.len()),
            Some(2),
            "{rev}"
        );
    }
    house.roles[LAMPS] = newest;
    house.on(LAMPS, 1, true);
    house.run(100);
    assert_eq!(house.pins[&(LAMPS, 1)], Drive::Level(true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_bytes_of_a_dispatcher_make_a_module_panic_or_play_what_is_no_role(
        roles in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..8),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut house = usual();
        let mut sound = role(&[lamp(Fallback::Off), button(), plain(ChannelKind::Cover)]);
        for (at, byte) in damage {
            let at = at.index(sound.len());
            sound[at] = byte;
        }
        for (turn, bytes) in (2..).zip(roles.iter().chain([&sound])) {
            let config = Config { rev: turn, part: 0, parts: 1, bytes };
            house.dispatcher.send(handle(LAMPS), &Body::Config(config), house.now).expect("online");
            house.run(30);
            let played = house.modules[LAMPS].role().map(|role| role.channels().collect::<Vec<_>>());
            if let Ok(role) = Role::decode(bytes) {
                prop_assert_eq!(played, Some(role.channels().collect()));
            } else {
                prop_assert!(house.modules[LAMPS].counters().refused_roles > 0);
            }
        }
        prop_assert!(house.modules[LAMPS].is_up());
    }
}
