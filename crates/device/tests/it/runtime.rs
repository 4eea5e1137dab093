//! Two modules and a dispatcher: from boot to a press that switches a lamp, and whatever is lost on the way.

use device::{Drive, LOST_MS, Moving, Refused, Runtime, Sample};
use link::Millis;
use wire::{ChannelKind, Fallback, Fields, Set, Value};

use crate::house::{
    House, LAMPS, TASTER, Wish, bad, bright, button, cut, handle, lamp, plain, reliable, role,
    usual,
};

fn press(house: &mut House) {
    house.sample(TASTER, 0, Sample::Level(true));
    house.run(60);
    house.sample(TASTER, 0, Sample::Level(false));
    house.run(60);
}

/// The mapping: each press that came switches the lamp over.
fn play(house: &mut House, played: &mut usize) {
    let presses = house
        .events
        .iter()
        .filter(|(_, event)| event == "0/press")
        .count();
    for press in *played..presses {
        house.on(LAMPS, 0, press % 2 == 0);
    }
    *played = presses;
}

#[test]
fn a_module_that_boots_gets_its_role_and_then_has_its_outputs() {
    let mut house = House::new(
        &[button()],
        &[lamp(Fallback::Keep), plain(ChannelKind::Cover)],
    );
    assert!(house.modules[LAMPS].role().is_none() && house.pins.is_empty());
    house.run(100);
    let pins: Vec<_> = house
        .pins
        .iter()
        .map(|(key, drive)| (*key, *drive))
        .collect();
    let expected = [
        ((LAMPS, 0), Drive::Level(false)),
        ((LAMPS, 1), Drive::Cover(Moving::Stopped)),
    ];
    assert_eq!(pins, expected);
    assert_eq!(house.modules[LAMPS].role().map(|role| role.len()), Some(2));
    assert_eq!(house.state(LAMPS, 0), Some("on=false"));
    assert_eq!(house.state(LAMPS, 1), Some("moving=stopped"));
    assert_eq!(house.onlines, [1, 1]);
}

#[test]
fn what_hardware_without_a_driver_says_is_heard_as_well() {
    let mut house = usual();
    house.network = bad;
    let now = house.now;
    let fields = Fields::new(&[("key", Value::Number(60.0))]).expect("one field");
    let module = &mut house.modules[TASTER];
    module.event(0, "press", fields, now).expect("an event");
    let fields = Fields::new(&[("lux", Value::Number(12.5))]).expect("one field");
    module.state(1, fields, now).expect("a state");
    assert!(module.event(64, "press", fields, now).is_err());
    house.run(5_000);
    let events: Vec<&str> = house.events.iter().map(|(_, event)| &**event).collect();
    assert_eq!(events, ["0/press key=60"]);
    assert_eq!(house.state(TASTER, 1), Some("lux=12.5"));
}

#[test]
fn a_press_in_one_becomes_a_target_in_the_other_and_comes_back_as_its_state() {
    let mut house = usual();
    house.sample(TASTER, 0, Sample::Level(false));
    house.sample(TASTER, 0, Sample::Level(true));
    house.run(30);
    assert_eq!(
        house
            .events
            .iter()
            .map(|(_, event)| &**event)
            .collect::<Vec<_>>(),
        ["0/press"]
    );
    let mut played = 0;
    play(&mut house, &mut played);
    house.run(50);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(true));
    assert_eq!(
        house.states.last(),
        Some(&(LAMPS, 0, 1, "on=true".to_owned()))
    );
}

#[test]
fn presses_come_once_each_through_a_bad_network_and_the_lamp_is_what_the_last_one_made_it() {
    let mut house = usual();
    house.network = bad;
    house.sample(TASTER, 0, Sample::Level(false));
    let mut played = 0;
    for turn in 1..=101_usize {
        press(&mut house);
        for _ in 0..5 {
            house.run(20);
            play(&mut house, &mut played);
        }
        assert!(played <= turn);
    }
    for _ in 0..300 {
        house.run(20);
        play(&mut house, &mut played);
    }
    assert_eq!(played, 101);
    assert_eq!(house.events.len(), 202);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(true));
    assert_eq!(house.state(LAMPS, 0), Some("on=true"));
    assert_eq!(house.modules[LAMPS].counters(), device::Counters::default());
}

#[test]
fn many_targets_in_a_row_are_told_as_few_states_of_which_the_last_is_right() {
    let mut house = House::up(&[button()], &[plain(ChannelKind::Dimmer)]);
    house.states.clear();
    house.network = bad;
    for percent in 1..=100 {
        house.wish(LAMPS, 0, bright(percent.into()));
        house.run(5);
    }
    house.run(4_000);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Lamp([0, 0, 0, 10_000]));
    assert_eq!(
        house.states.last(),
        Some(&(LAMPS, 0, 100, "on=true brightness=100".to_owned()))
    );
}

#[test]
fn an_output_falls_back_after_the_time_of_loss_and_gets_its_target_again() {
    let mut house = House::up(
        &[button()],
        &[
            lamp(Fallback::Off),
            lamp(Fallback::Keep),
            lamp(Fallback::On),
        ],
    );
    house.on(LAMPS, 0, true);
    house.on(LAMPS, 1, true);
    house.run(100);
    house.network = cut;
    let heard = house.now.0;
    house.skip(LOST_MS - 1_000);
    let level = |house: &House| [0, 1, 2].map(|channel| house.pins[&(LAMPS, channel)]);
    let levels = |levels: [bool; 3]| levels.map(Drive::Level);
    assert_eq!(level(&house), levels([true, true, false]));
    house.skip(2_000);
    assert_eq!(level(&house), levels([false, true, true]));
    assert_eq!(house.modules[LAMPS].counters().lost, 1);
    assert!(!house.modules[LAMPS].is_up());
    let (at, ..) = house.changes.last().expect("it fell back");
    assert!(at - heard <= LOST_MS, "{at} {heard}");
    house.network = reliable;
    house.skip(61_000);
    assert!(house.modules[LAMPS].is_up());
    assert_eq!(level(&house), levels([true, true, true]));
    assert_eq!(house.onlines[LAMPS], 2);
    assert_eq!(house.state(LAMPS, 0), Some("on=true"));
}

#[test]
fn what_an_output_does_while_nobody_is_heard_is_not_told_as_if_a_hand_had_done_it() {
    let mut house = House::up(&[button()], &[lamp(Fallback::Off)]);
    house.on(LAMPS, 0, true);
    house.run(100);
    house.states.clear();
    // The dispatcher hears the module and keeps the session; the module hears nothing.
    house.is_deaf = true;
    house.skip(LOST_MS + 20_000);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(false));
    assert!(house.dispatcher.is_online(handle(LAMPS)));
    assert!(house.states.is_empty(), "{:?}", house.states);
    house.is_deaf = false;
    house.skip(61_000);
    assert_eq!(house.onlines[LAMPS], 2);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(true));
    assert_eq!(house.state(LAMPS, 0), Some("on=true"));
}

#[test]
fn what_is_on_for_a_while_ends_without_a_dispatcher() {
    let mut house = usual();
    let fields = vec![("on", Value::Bool(true))];
    let wish = Wish {
        fields,
        fade_ms: None,
        for_ms: Some(10_000),
    };
    house.tell(LAMPS, 0, &wish);
    house.run(50);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(true));
    house.network = cut;
    house.skip(9_900);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(true));
    house.skip(100);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(false));
}

#[test]
fn a_dispatcher_that_starts_again_has_all_modules_back_and_they_have_their_targets() {
    let mut house = usual();
    house.on(LAMPS, 0, true);
    house.run(100);
    for turn in 2..=4 {
        house.restart_dispatcher();
        // A keep-alive meets nobody who knows it: the answer makes the module come again.
        house.skip(40_000);
        assert!(house.modules.iter().all(device::Runtime::is_up), "{turn}");
        assert_eq!(house.onlines, [turn, turn]);
        assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(true));
    }
    // It never went off meanwhile.
    let offs = house
        .changes
        .iter()
        .filter(|(.., drive)| *drive == Drive::Level(false))
        .count();
    assert_eq!(offs, 1, "{:?}", house.changes);
    press(&mut house);
}

#[test]
fn a_session_is_kept_alive_for_hours_and_survives_a_bad_network() {
    let mut house = usual();
    house.network = bad;
    house.skip(4 * 3_600_000);
    assert!(house.modules.iter().all(device::Runtime::is_up));
    assert_eq!(house.modules[LAMPS].counters().lost, 0);
}

#[test]
fn events_of_a_long_outage_are_not_told_late_and_states_are() {
    let mut house = House::up(&[plain(ChannelKind::Contact)], &[]);
    house.sample(TASTER, 0, Sample::Level(false));
    house.run(100);
    assert_eq!(house.state(TASTER, 0), Some("contact=closed"));
    house.network = cut;
    house.sample(TASTER, 0, Sample::Level(true));
    house.skip(100_000);
    house.network = reliable;
    house.skip(61_000);
    assert!(house.events.is_empty(), "{:?}", house.events);
    assert_eq!(house.state(TASTER, 0), Some("contact=open"));
    assert_eq!(house.modules[TASTER].counters().expired, 1);
}

#[test]
fn targets_that_nobody_can_do_are_counted() {
    let mut house = usual();
    house.tell(LAMPS, 0, &bright(40.0));
    house.run(100);
    let refused = Some((0, Refused::Field("brightness")));
    assert_eq!(house.modules[LAMPS].counters().last_refused, refused);
    house.tell(LAMPS, 9, &bright(40.0));
    house.tell(TASTER, 0, &bright(40.0));
    house.run(100);
    let counters = house.modules[LAMPS].counters();
    assert_eq!(
        (counters.refused, counters.last_refused),
        (2, Some((9, Refused::Channel)))
    );
    assert_eq!(house.modules[TASTER].counters().refused, 1);
}

#[test]
fn a_meter_is_told_to_count_from_zero() {
    let mut house = House::up(&[plain(ChannelKind::Counter)], &[]);
    house.sample(TASTER, 0, Sample::Level(false));
    for level in [true, false, true] {
        house.sample(TASTER, 0, Sample::Level(level));
        house.run(30);
    }
    house.run(10_000);
    assert!(
        house
            .state(TASTER, 0)
            .is_some_and(|state| state.starts_with("count=2 "))
    );
    let reset = Set {
        rev: 0,
        role: house.role_id(TASTER),
        channel: 0,
        command: Some("reset"),
        fields: wire::Fields::default(),
        fade_ms: None,
        for_ms: None,
    };
    house
        .dispatcher
        .set(handle(TASTER), reset, house.now)
        .expect("online");
    house.run(100);
    assert!(
        house
            .state(TASTER, 0)
            .is_some_and(|state| state.starts_with("count=0 "))
    );
}

#[test]
fn a_lamp_is_after_a_power_cut_what_it_was_and_flash_is_written_once_a_minute() {
    let mut house = House::up(&[button()], &[plain(ChannelKind::Dimmer)]);
    for percent in 1..=90 {
        // Told once, and not again by the next session.
        house.tell(LAMPS, 0, &bright(percent.into()));
        house.skip(10_000);
    }
    house.skip(120_000);
    assert!(house.writes.len() > 10, "{:?}", house.writes);
    assert!(
        house
            .writes
            .windows(2)
            .all(|pair| pair[1] - pair[0] >= 60_000),
        "{:?}",
        house.writes
    );
    house.reboot(LAMPS);
    house.run(1_000);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Lamp([0, 0, 0, 9_000]));
    // What was kept of another role is nothing for this one.
    house.roles[LAMPS] = role(&[button(), plain(ChannelKind::Dimmer)]);
    house.reboot(LAMPS);
    house.run(1_000);
    assert_eq!(house.pins[&(LAMPS, 1)], Drive::Lamp([0; 4]));
}

#[test]
fn a_module_that_nobody_hears_has_something_due_but_does_not_spin() {
    let mut house = House::new(&[button()], &[]);
    house.network = cut;
    let mut steps = 0;
    let end = house.now.after(600_000);
    while house.now < end {
        let due = house.modules[TASTER].deadline();
        assert!(due < Millis::NEVER);
        house.skip(due.since(house.now).max(1));
        steps += 1;
    }
    assert!(steps < 400, "{steps}");
}

#[test]
fn a_module_takes_the_memory_that_is_promised() {
    // Of this machine; pointers of a module are half as long.
    let kib = [size_of::<Runtime<16>>(), size_of::<Runtime<64>>()].map(|size| size.div_ceil(1_024));
    assert!(kib[0] <= 28 && kib[1] <= 50, "{kib:?}");
}
