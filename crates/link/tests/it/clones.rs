//! Two devices with one key.

use link::{CloneSign, Device, Limits, Told};

use crate::house::{House, about, handle, identity, press};

fn signs(house: &House) -> Vec<CloneSign> {
    let sign = |told: &Told| match told {
        Told::Clone { why, .. } => Some(*why),
        _ => None,
    };
    house.told.iter().filter_map(sign).collect()
}

/// The original and a copy, in turn, each a boot further.
fn alternate(house: &mut House, takeovers: u32) {
    for boot in 2..2 + takeovers {
        let device = Device::new(&identity(1), about(boot), house.now);
        if boot % 2 == 0 {
            house.devices.truncate(1);
            house.devices.push(device);
        } else {
            house.devices[0] = device;
        }
        house.run(3_000);
    }
}

#[test]
fn a_clone_that_counts_on_is_told_by_the_third_takeover() {
    let mut house = House::up();
    alternate(&mut house, 3);
    assert!(!signs(&house).is_empty());
    house.devices[0].event(press(), house.now).expect("it fits");
    assert!(
        house.dispatcher.is_online(handle()),
        "an alarm changes nothing"
    );
}

#[test]
fn a_boot_that_was_not_counted_on_is_told_at_once() {
    let mut house = House::up();
    let mut copy = about(1);
    copy.boot_id = 77;
    house
        .devices
        .push(Device::new(&identity(1), copy, house.now));
    house.run(3_000);
    assert_eq!(signs(&house)[0], CloneSign::BootCount);
}

#[test]
fn a_device_that_reboots_now_and_then_is_no_clone() {
    let mut house = House::up();
    for boot in 2..10 {
        house.skip(300_000);
        house.devices[0] = Device::new(&identity(1), about(boot), house.now);
        house.run(1_000);
        assert!(house.devices[0].is_up());
    }
    assert_eq!(signs(&house), []);
}

#[test]
fn in_quarantine_neither_is_let_in_until_a_person_says_so() {
    let mut house = House::with(Limits {
        quarantine: true,
        ..Limits::default()
    });
    house.run(500);
    alternate(&mut house, 3);
    house.devices.truncate(1);
    house.devices[0] = Device::new(&identity(1), about(50), house.now);
    house.run(20_000);
    assert!(!house.dispatcher.is_online(handle()));
    house.dispatcher.lift_quarantine(handle());
    house.skip(700_000);
    assert!(house.dispatcher.is_online(handle()));
}
