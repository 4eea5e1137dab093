//! Two modules and a dispatcher: from boot to a press that switches a lamp, and whatever is lost on the way.

use device::{Drive, LOST_MS, Moving, Refused, RoleFault, Sample};
use link::Millis;
use proptest::prelude::*;
use wire::{Body, Channel, ChannelKind, Config, Fallback, Options, Role, RoleError, Set, Value};

use crate::{
    house::{House, LAMPS, TASTER, Wish, bad, cut, handle, reliable, role},
    stage::channel,
};

fn plain(kind: ChannelKind) -> Channel {
    channel(kind, Options::default())
}

fn button() -> Channel {
    plain(ChannelKind::Button)
}

fn lamp(when_lost: Fallback) -> Channel {
    channel(
        ChannelKind::Switch,
        Options {
            when_lost,
            ..Options::default()
        },
    )
}

fn bright(percent: f64) -> Wish {
    let fields = vec![("brightness", Value::Number(percent))];
    Wish {
        fields,
        fade_ms: None,
        for_ms: None,
    }
}

/// A house with a button and a lamp.
fn usual() -> House {
    House::up(&[button()], &[lamp(Fallback::Keep)])
}

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
    let late = std::mem::take(&mut house.roles[LAMPS]);
    house.run(500);
    assert!(house.modules[LAMPS].is_up() && house.modules[LAMPS].role().is_none());
    house.on(LAMPS, 0, false);
    house.run(100);
    house.on(LAMPS, 0, true);
    house.run(100);
    assert!(house.pins.is_empty());
    house.roles[LAMPS] = late;
    house.send_role(LAMPS);
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
    let late = std::mem::take(&mut house.roles[LAMPS]);
    house.run(500);
    let beep = Set {
        rev: 0,
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
    house.roles[LAMPS] = late;
    house.send_role(LAMPS);
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
    let late = std::mem::take(&mut house.roles[LAMPS]);
    house.run(500);
    house.on(LAMPS, 0, true);
    house.run(100);
    house.wishes.clear();
    house.restart_dispatcher();
    house.skip(40_000);
    assert_eq!(house.onlines[LAMPS], 2);
    house.roles[LAMPS] = late;
    house.send_role(LAMPS);
    house.run(100);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(false));
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
    // One that it can play comes, and the target is done.
    house.roles[LAMPS] = before;
    house.config_rev += 1;
    house.send_role(LAMPS);
    house.run(100);
    assert_eq!(house.pins[&(LAMPS, 0)], Drive::Level(true));
}

#[test]
fn parts_of_an_older_revision_and_parts_that_come_again_change_nothing() {
    let mut house = usual();
    house.config_rev = 5;
    house.roles[LAMPS] = role(&[plain(ChannelKind::Buzzer), lamp(Fallback::Keep)]);
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
    house.on(LAMPS, 1, true);
    house.run(100);
    assert_eq!(house.pins[&(LAMPS, 1)], Drive::Level(true));
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

#[derive(Clone, Debug)]
enum Step {
    Wish(u8, bool),
    Cut(u64),
    Bad(u64),
    Deaf(u64),
    Fine(u64),
    Dispatcher,
    Reboot,
    Role(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let ms = 0_u64..130_000;
    prop_oneof![
        6 => (0_u8..3, any::<bool>()).prop_map(|(channel, on)| Step::Wish(channel, on)),
        1 => ms.clone().prop_map(Step::Cut),
        2 => ms.clone().prop_map(Step::Bad),
        1 => ms.clone().prop_map(Step::Deaf),
        2 => ms.prop_map(Step::Fine),
        1 => Just(Step::Dispatcher),
        1 => Just(Step::Reboot),
        1 => (0_u8..3).prop_map(Step::Role),
    ]
}

fn three(role: u8) -> Vec<Channel> {
    let mut all = vec![
        lamp(Fallback::Off),
        lamp(Fallback::Keep),
        lamp(Fallback::On),
    ];
    all.extend(vec![button(); role.into()]);
    all
}

fn go(house: &mut House, step: &Step) {
    house.network = reliable;
    house.is_deaf = false;
    match *step {
        Step::Wish(channel, on) => {
            house.on(LAMPS, channel, on);
            house.skip(10);
        }
        Step::Cut(ms) => {
            house.network = cut;
            house.skip(ms);
        }
        Step::Bad(ms) => {
            house.network = bad;
            house.skip(ms);
        }
        Step::Deaf(ms) => {
            house.is_deaf = true;
            house.skip(ms);
        }
        Step::Fine(ms) => house.skip(ms),
        Step::Dispatcher => house.restart_dispatcher(),
        Step::Reboot => house.reboot(LAMPS),
        Step::Role(role) => {
            house.roles[LAMPS] = self::role(&three(role));
            house.config_rev += 1;
            if house.dispatcher.is_online(handle(LAMPS)) {
                house.send_role(LAMPS);
            }
        }
    }
    house.network = reliable;
    house.is_deaf = false;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happened_pins_and_reports_are_what_is_wished_once_the_network_is_fine(
        steps in prop::collection::vec(step(), 1..25),
    ) {
        let mut house = House::new(&[button()], &three(0));
        for channel in 0..3 {
            house.on(LAMPS, channel, false);
        }
        for step in &steps {
            go(&mut house, step);
        }
        house.skip(150_000);
        for channel in 0..3 {
            let wished = house.wishes[&(LAMPS, channel)].fields[0].1;
            let Value::Bool(on) = wished else {
                panic!("{wished:?}");
            };
            prop_assert_eq!(house.pins[&(LAMPS, channel)], Drive::Level(on), "{}", channel);
            let expected = format!("on={on}");
            prop_assert_eq!(house.state(LAMPS, channel), Some(&*expected), "{}", channel);
        }
        prop_assert!(house.modules[LAMPS].role().map(|role| role.channels().collect()) == Role::decode(&house.roles[LAMPS]).ok().map(|role| role.channels().collect::<Vec<_>>()));
    }
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
