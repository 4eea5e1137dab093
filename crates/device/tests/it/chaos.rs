//! A random house: whatever happened, it is as it is wished once the network is fine.

use device::Drive;
use proptest::prelude::*;
use wire::{Channel, Fallback, Role, Value};

use crate::house::{House, LAMPS, bad, button, cut, handle, lamp, reliable};

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
            house.roles[LAMPS] = crate::house::role(&three(role));
            house.config_rev += 1;
            if house.dispatcher.is_online(handle(LAMPS)) {
                house.send_all(LAMPS);
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
