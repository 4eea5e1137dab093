//! Nothing is taken twice, and what is only late is taken.

use std::collections::BTreeSet;

use link::{WINDOW, Window};
use proptest::prelude::Rng;

use crate::{Keys, opens, rng, seal};

#[test]
fn a_hundred_thousand_captured_frames_are_opened_once() {
    let (mut device, mut dispatcher) = Keys::new(&mut rng()).sessions();
    let frames: Vec<Vec<u8>> = (0..100_000_u32)
        .map(|n| seal(&mut device, n as u16))
        .collect();
    for frame in &frames {
        assert!(opens(&mut dispatcher, frame));
    }
    for frame in &frames {
        assert!(!opens(&mut dispatcher, frame));
    }
}

#[test]
fn a_frame_959_late_is_opened_and_one_960_late_is_not() {
    assert_eq!(WINDOW, 960);
    let (mut device, mut dispatcher) = Keys::new(&mut rng()).sessions();
    let frames: Vec<Vec<u8>> = (0..3_000_u32)
        .map(|n| seal(&mut device, n as u16))
        .collect();
    for newest in [960, 1_023, 1_500, 2_999] {
        assert!(opens(&mut dispatcher, &frames[newest]));
        assert!(!opens(&mut dispatcher, &frames[newest - 960]), "{newest}");
        assert!(opens(&mut dispatcher, &frames[newest - 959]), "{newest}");
        assert!(!opens(&mut dispatcher, &frames[newest - 959]), "{newest}");
    }
}

#[test]
fn the_window_is_a_set_of_what_came() {
    let mut rng = rng();
    let (mut window, mut came, mut newest) = (Window::new(), BTreeSet::new(), 0_u64);
    for _ in 0..1_000_000 {
        let far = if rng.next_u64().is_multiple_of(50) {
            3_000
        } else {
            1_100
        };
        let counter = (newest + 100).saturating_sub(rng.next_u64() % far);
        let late = came
            .last()
            .is_some_and(|newest| *newest >= counter + WINDOW);
        let expected = !late && !came.contains(&counter);
        assert_eq!(window.may_come(counter), expected, "{counter} of {newest}");
        if expected {
            window.came(counter);
            came.insert(counter);
            newest = newest.max(counter);
        }
        while came.len() > 4_000 {
            came.pop_first();
        }
    }
    window.came(u64::MAX - 1);
    assert!(!window.may_come(newest) && window.may_come(u64::MAX - 2));
}

#[test]
fn no_counter_is_used_twice_whatever_fails() {
    let (mut device, _) = Keys::new(&mut rng()).sessions();
    let mut counters = BTreeSet::new();
    for turn in 0..10_000_u32 {
        let mut out = [0; 64];
        let room = if turn.is_multiple_of(3) { 20 } else { 64 };
        if let Ok(len) = device.seal(&crate::plain(turn as u16), &mut out[..room]) {
            assert!(counters.insert(crate::data(&out[..len]).counter));
        }
    }
    assert_eq!(device.sealed(), 10_000);
}
