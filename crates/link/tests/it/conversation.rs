//! From boot to UP, events and targets, whatever gets lost.

use link::{Device, Limits, Millis, Rate, SendError, Told};
use wire::{Body, Config, Fields, Frame, Kind, RoleId, Set, State, Value};

use crate::house::{House, about, address, bad, handle, identity, press, reliable};

fn set(brightness: f64) -> Set<'static> {
    let fields = Fields::new(&[("brightness", Value::Number(brightness))]).expect("one");
    Set {
        rev: 0,
        role: RoleId::default(),
        channel: 3,
        command: None,
        fields,
        fade_ms: None,
        for_ms: None,
    }
}

#[test]
fn a_device_is_up_after_a_round_trip_and_a_confirm() {
    let mut house = House::new();
    house.run(60);
    assert!(house.devices[0].is_up());
    assert_eq!(
        house.count(|told| matches!(told, Told::Online { rekeyed: false, .. })),
        1
    );
    assert_eq!(house.ups, 1);
}

#[test]
fn rule_b_a_device_is_up_only_once_the_dispatcher_spoke_in_the_session() {
    let mut house = House::new();
    house.run(5);
    // HELLO and WELCOME arrive, every CONFIRM is lost for a second.
    while !house.captured.iter().any(|bytes| bytes[0] == 0x13) {
        house.run(1);
    }
    house.network = |_| 0;
    house.run(1_000);
    let confirms = house
        .captured
        .iter()
        .filter(|bytes| bytes[0] == 0x13)
        .count();
    assert!((2..=5).contains(&confirms), "{confirms}");
    house.network = reliable;
    house.run(700);
    assert!(house.devices[0].is_up() && house.dispatcher.is_online(handle()));
}

#[test]
fn a_device_gets_up_through_a_bad_network() {
    let mut house = House::new();
    house.network = bad;
    house.run(20_000);
    assert!(house.devices[0].is_up() && house.dispatcher.is_online(handle()));
}

#[test]
fn rule_c_an_identical_hello_gets_the_same_welcome_and_makes_nothing_new() {
    let mut house = House::new();
    let mut out = [0; wire::FRAME_LEN_MAX];
    let now = house.now;
    let len = house.devices[0]
        .poll_transmit(now, &mut house.dice, &mut out)
        .expect("a HELLO");
    let first = house.inject(&out[..len]);
    assert_eq!(first.len(), 1);
    assert_eq!(house.inject(&out[..len]), first);
    let mut room = [0; wire::PLAIN_LEN_MAX];
    house.devices[0].handle(now, &first[0], &mut room, &mut house.dice);
    house.run(100);
    assert!(house.devices[0].is_up());
    // Also once the session is confirmed: it stays.
    assert_eq!(house.inject(&out[..len]), first);
    house.devices[0].event(press(), house.now).expect("it fits");
    house.run(100);
    assert_eq!(house.events(), [1]);
}

#[test]
fn events_come_once_and_all_of_them_through_a_bad_network() {
    let mut house = House::up();
    house.network = bad;
    for _ in 0..2_000 {
        house.devices[0].event(press(), house.now).expect("it fits");
        house.run(50);
    }
    house.run(5_000);
    let mut events = house.events();
    events.sort_unstable();
    assert_eq!(events, (1..=2_000).collect::<Vec<_>>());
    assert_eq!(house.devices[0].dropped(), 0);
    assert!(house.dispatcher.counters().repeated_events > 0);
}

#[test]
fn an_event_is_acknowledged_once_it_is_journalled_and_not_before() {
    let mut house = House::up();
    house.journal = false;
    house.devices[0].event(press(), house.now).expect("it fits");
    house.run(1_000);
    assert_eq!(house.events(), [1]);
    let before = house.captured.len();
    house.run(2_000);
    assert!(house.captured.len() > before, "it is said again");
    let Some(Told::Event { boot_id, seq, .. }) = house.told.last().cloned() else {
        panic!("{:?}", house.told);
    };
    house
        .dispatcher
        .journalled(handle(), boot_id, seq, house.now);
    house.run(50);
    let before = house.captured.len();
    house.run(5_000);
    assert_eq!(house.captured.len(), before);
    assert_eq!(house.events(), [1]);
}

#[test]
fn an_event_that_an_earlier_run_journalled_is_not_told_again() {
    let mut house = House::up();
    let boot_id = about(1).boot_id;
    house.network = |_| 0;
    house.devices[0].event(press(), house.now).expect("it fits");
    house.restart_dispatcher();
    house.dispatcher.remember(handle(), boot_id, 1);
    house.network = reliable;
    house.run(10_000);
    assert!(house.devices[0].is_up());
    assert_eq!(house.events(), [0_u32; 0]);
    assert!(house.dispatcher.counters().repeated_events > 0);
}

#[test]
fn an_event_that_nobody_took_for_ten_seconds_is_dropped_and_counted() {
    let mut house = House::up();
    house.network = |_| 0;
    house.devices[0].event(press(), house.now).expect("it fits");
    house.run(500);
    house.devices[0].event(press(), house.now).expect("it fits");
    house.run(9_500);
    // Both are older than that before there is a session again.
    house.restart_dispatcher();
    house.devices[0].event(press(), house.now).expect("it fits");
    house.network = reliable;
    house.run(5_000);
    assert!(house.devices[0].is_up() && house.dispatcher.is_online(handle()));
    assert_eq!(house.events(), [3]);
    assert_eq!(house.devices[0].expired(), 2);
    assert_eq!(house.devices[0].dropped(), 0);
}

#[test]
fn newer_targets_replace_older_ones_and_arrive_through_a_bad_network() {
    let mut house = House::up();
    house.network = bad;
    for brightness in 0..200 {
        house
            .dispatcher
            .set(handle(), set(f64::from(brightness)), house.now)
            .expect("online");
        house.run(20);
    }
    house.run(3_000);
    let revs: Vec<u32> = house
        .bodies
        .iter()
        .filter_map(|(_, bytes, kind)| match Body::decode(*kind, bytes) {
            Ok(Body::Set(set)) => Some(set.rev),
            _ => None,
        })
        .collect();
    assert!(revs.is_sorted() && revs.last() == Some(&200), "{revs:?}");
}

#[test]
fn targets_leave_once_the_role_that_they_are_of_was_taken() {
    for seed in 0..20 {
        let mut house = House::up();
        house.network = bad;
        house.run(seed);
        for part in 0..3 {
            let role = Body::Config(Config {
                rev: 2,
                part,
                parts: 3,
                bytes: &[part],
            });
            let sent = house.dispatcher.send(handle(), &role, house.now);
            assert_eq!(sent, Ok(()));
            let told = house.dispatcher.set(handle(), set(1.0), house.now);
            assert!(told.is_ok());
        }
        house.run(3_000);
        let mut kinds: Vec<Kind> = house.bodies.iter().map(|(_, _, kind)| *kind).collect();
        kinds.dedup();
        // One that was told eight times in vain waits for the next session.
        assert_eq!(kinds, [Kind::Config, Kind::Set], "{seed}");
    }
}

#[test]
fn what_was_told_in_vain_is_told_again_in_the_same_session_but_for_what_was_momentary() {
    let mut house = House::up();
    house.network = |_| 0;
    house
        .dispatcher
        .set(handle(), set(40.0), house.now)
        .expect("online");
    let stop = Set {
        command: Some("stop"),
        fields: Fields::default(),
        ..set(0.0)
    };
    house
        .dispatcher
        .set(handle(), stop, house.now)
        .expect("online");
    let state = State {
        rev: 0,
        role: RoleId::default(),
        channel: 3,
        fields: Fields::default(),
    };
    house.devices[0]
        .state(&state, house.now)
        .expect("there is room");
    house.skip(20_000);
    assert_eq!(house.count(|told| matches!(told, Told::Unheard { .. })), 1);
    house.network = reliable;
    house.skip(31_000);
    assert_eq!(house.ups, 1);
    let sets: Vec<_> = house.bodies.iter().map(|(_, body, _)| body).collect();
    assert_eq!(sets.len(), 1, "{sets:?}");
    let Ok(Body::Set(told)) = Body::decode(Kind::Set, sets[0]) else {
        panic!("{sets:?}");
    };
    assert_eq!((told.command, told.fields), (None, set(40.0).fields));
    let states = house.count(|told| {
        let Told::Message { kind, .. } = told else {
            return false;
        };
        *kind == Kind::State
    });
    assert_eq!(states, 1);
}

#[test]
fn targets_that_wait_for_a_role_make_nothing_spin() {
    let mut house = House::up();
    house.network = |_| 0;
    let role = Body::Config(Config {
        rev: 2,
        part: 0,
        parts: 1,
        bytes: &[],
    });
    let sent = house.dispatcher.send(handle(), &role, house.now);
    assert_eq!(sent, Ok(()));
    house
        .dispatcher
        .set(handle(), set(1.0), house.now)
        .expect("online");
    house.run(1);
    assert!(house.dispatcher.deadline() > house.now);
}

#[test]
fn a_queue_is_bounded_and_a_device_that_is_offline_gets_nothing() {
    let mut house = House::up();
    house.network = |_| 0;
    for part in 0..64_u16 {
        let body = Body::SyncEnd {
            config_rev: 1,
            sets: part,
        };
        assert_eq!(house.dispatcher.send(handle(), &body, house.now), Ok(()));
    }
    let role = Body::SyncEnd {
        config_rev: 1,
        sets: 64,
    };
    assert_eq!(
        house.dispatcher.send(handle(), &role, house.now),
        Err(SendError::Full)
    );
    // Of targets the newest replaces the one before.
    assert_eq!(house.dispatcher.set(handle(), set(1.0), house.now), Ok(1));
    house.skip(100_000);
    assert_eq!(
        house.dispatcher.set(handle(), set(1.0), house.now),
        Err(SendError::Offline)
    );
    assert!(house.count(|told| matches!(told, Told::Unheard { .. })) > 0);
}

#[test]
fn states_arrive_and_a_newer_one_replaces_the_older() {
    let mut house = House::up();
    house.network = |_| 0;
    for rev in 1..=3 {
        let state = State {
            rev,
            role: RoleId::default(),
            channel: 3,
            fields: Fields::default(),
        };
        house.devices[0]
            .state(&state, house.now)
            .expect("there is room");
    }
    house.run(30);
    house.network = reliable;
    house.run(500);
    let last = house.told.iter().rev().find_map(|told| match told {
        Told::Message {
            kind: Kind::State,
            body,
            ..
        } => Body::decode(Kind::State, body).ok(),
        _ => None,
    });
    assert!(
        matches!(last, Some(Body::State(State { rev: 3, .. }))),
        "{last:?}"
    );
}

#[test]
fn an_older_state_that_comes_late_is_not_told() {
    let mut house = House::up();
    house.network = bad;
    for rev in 1..=500 {
        let state = State {
            rev,
            role: RoleId::default(),
            channel: 3,
            fields: Fields::default(),
        };
        house.devices[0]
            .state(&state, house.now)
            .expect("there is room");
        house.run(2);
    }
    house.run(3_000);
    let rev = |told: &Told| match told {
        Told::Message { kind, body, .. } => match Body::decode(*kind, body) {
            Ok(Body::State(state)) => Some(state.rev),
            _ => None,
        },
        _ => None,
    };
    let revs: Vec<u32> = house.told.iter().filter_map(rev).collect();
    assert!(
        revs.is_sorted() && revs.last() == Some(&500) && revs.len() > 100,
        "{revs:?}"
    );
}

#[test]
fn under_load_a_device_shows_a_cookie_and_gets_up() {
    let handshakes = Rate::per_second(1, 1);
    let mut house = House::with(Limits {
        handshakes,
        ..Limits::default()
    });
    // One of the two uses the budget up.
    house
        .devices
        .push(Device::new(&identity(1), about(2), house.now));
    house.run(8_000);
    assert!(
        house.dispatcher.counters().cookies > 0,
        "{:?}",
        house.dispatcher.counters()
    );
    assert!(house.dispatcher.is_online(handle()));
}

#[test]
fn unknown_and_blocked_and_revoked_keys_get_no_byte() {
    let mut house = House::new();
    let now = house.now;
    let hello = |house: &mut House, of: u8| {
        let mut out = [0; wire::FRAME_LEN_MAX];
        let mut device = Device::new(&identity(of), about(1), now);
        let len = device
            .poll_transmit(now, &mut house.dice, &mut out)
            .expect("a HELLO");
        house.inject(&out[..len]).len()
    };
    assert_eq!(hello(&mut house, 2), 0);
    assert_eq!(house.dispatcher.counters().unknown_keys, 1);
    house.dispatcher.block(handle(), true, true);
    assert_eq!(hello(&mut house, 1), 0);
    house.dispatcher.block(handle(), false, false);
    assert_eq!(hello(&mut house, 1), 1);
    house.dispatcher.revoke(identity(1).device_public);
    assert_eq!(hello(&mut house, 1), 0);
    assert_eq!(house.dispatcher.counters().blocked_hellos, 2);
}

#[test]
fn no_bytes_make_either_end_panic_or_answer() {
    let mut house = House::up();
    let sound = house.captured.clone();
    let before = house.told.len();
    for turn in 0..20_000_usize {
        let mut bytes = if turn.is_multiple_of(2) {
            vec![0; rand_core::RngCore::next_u32(&mut house.dice) as usize % 1_300]
        } else {
            sound[turn % sound.len()].clone()
        };
        if turn.is_multiple_of(2) {
            rand_core::RngCore::fill_bytes(&mut house.dice, &mut bytes);
        } else {
            let at = rand_core::RngCore::next_u32(&mut house.dice) as usize % bytes.len();
            bytes[at] ^= 1 << (turn % 8);
        }
        for answer in house.inject(&bytes) {
            assert!(answer.len() <= bytes.len());
            let mac2 = matches!(Frame::decode(&answer), Ok(Frame::Welcome(_)));
            assert!(
                mac2 || matches!(Frame::decode(&answer), Ok(Frame::Reset(_))),
                "{answer:?}"
            );
        }
        let mut room = [0; wire::PLAIN_LEN_MAX];
        let now = house.now;
        let received = house.devices[0].handle(now, &bytes, &mut room, &mut house.dice);
        assert_eq!(received, link::Received::default());
    }
    house.run(100);
    assert_eq!(house.told.len(), before);
    assert!(house.devices[0].is_up() && house.devices[0].deadline() > Millis(0));
    let _ = address(0);
}
