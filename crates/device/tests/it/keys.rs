//! Keyboards and MIDI: which keys, and nothing from ghosts and garbage.

use device::{Happened, Misfit, Sample};
use proptest::prelude::*;
use wire::{ChannelKind, Options, Pin, Pins};

use crate::bench::Bench;

fn pins(count: u8) -> Pins {
    Pins::new((0..count).map(Pin::number)).expect("sixteen at most")
}

fn matrix(rows: u8, columns: u8, first_key: u8) -> Bench {
    let options = Options {
        rows: pins(rows),
        columns: pins(columns),
        first_key: Some(first_key),
        ..Options::default()
    };
    let mut bench = Bench::new(ChannelKind::Keyboard, options);
    scan(&mut bench, &[]);
    bench
}

fn scan(bench: &mut Bench, rows: &[u16]) {
    bench.run(10);
    bench.says(Sample::Keys(rows)).expect("a matrix");
}

fn press(key: u8) -> Happened {
    Happened::KeyPress {
        key,
        velocity: None,
    }
}

fn release(key: u8) -> Happened {
    Happened::KeyRelease { key }
}

#[test]
fn keys_are_counted_row_by_row_from_the_first() {
    let mut bench = matrix(4, 8, 36);
    scan(&mut bench, &[0b1, 0, 0b1000_0000, 0]);
    scan(&mut bench, &[0, 0, 0b1000_0000, 0]);
    scan(&mut bench, &[0; 4]);
    assert_eq!(
        bench.happened(),
        [press(36), press(59), release(36), release(59)]
    );
}

#[test]
fn a_key_that_bounces_is_pressed_once() {
    let mut bench = matrix(1, 8, 0);
    for level in [1, 0, 1, 0, 1] {
        bench.run(1);
        bench.says(Sample::Keys(&[level])).expect("a matrix");
    }
    scan(&mut bench, &[1]);
    scan(&mut bench, &[0]);
    assert_eq!(bench.happened(), [press(0), release(0)]);
}

#[test]
fn a_ghost_is_not_reported_but_counted() {
    let mut bench = matrix(2, 2, 0);
    scan(&mut bench, &[0b01, 0b01]);
    scan(&mut bench, &[0b11, 0b01]);
    assert_eq!(bench.happened(), [press(0), press(2), press(1)]);
    // The fourth corner: pressed, or only looks so. Nobody can tell.
    scan(&mut bench, &[0b11, 0b11]);
    scan(&mut bench, &[0b11, 0b11]);
    assert_eq!(bench.happened()[3..], []);
    assert_eq!(bench.input.ghosts(), 1);
    // It is clear again, and was pressed.
    scan(&mut bench, &[0b10, 0b11]);
    assert_eq!(bench.happened()[3..], [release(0), press(3)]);
}

#[test]
fn more_rows_than_there_can_be_and_keys_beyond_the_last_are_nothing() {
    let mut bench = matrix(16, 16, 120);
    scan(&mut bench, &[0xFFFF; 1]);
    let keys: Vec<Happened> = (120..=127).map(press).collect();
    assert_eq!(bench.happened(), keys);
    assert_eq!(bench.says(Sample::Keys(&[0; 17])), Err(Misfit::Sample));
    let mut none = matrix(0, 0, 0);
    scan(&mut none, &[0xFFFF; 16]);
    assert_eq!(none.happened(), []);
}

proptest! {
    /// A matrix without diodes: current also flows through other keys that are pressed.
    #[test]
    fn no_key_that_is_not_pressed_is_ever_reported(
        hands in prop::collection::vec(prop::collection::btree_set(0_u8..24, 0..6), 1..20),
    ) {
        let mut bench = matrix(4, 6, 0);
        let mut reported = std::collections::BTreeSet::new();
        for pressed in hands {
            let rows = conducting(&pressed);
            scan(&mut bench, &rows);
            for event in std::mem::take(&mut bench.events) {
                match event.1 {
                    Happened::KeyPress { key, .. } => {
                        prop_assert!(pressed.contains(&key), "{key} of {pressed:?}");
                        prop_assert!(reported.insert(key));
                    }
                    Happened::KeyRelease { key } => prop_assert!(reported.remove(&key)),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
        scan(&mut bench, &[0; 4]);
        for (_, event) in &bench.events {
            let known = matches!(event, Happened::KeyRelease { key } if reported.remove(key));
            prop_assert!(known);
        }
        prop_assert!(reported.is_empty());
    }
}

/// Which columns conduct for each row of four, six keys each.
fn conducting(pressed: &std::collections::BTreeSet<u8>) -> [u16; 4] {
    let mut rows = [0_u16; 4];
    for key in pressed {
        rows[usize::from(key / 6)] |= 1 << (key % 6);
    }
    loop {
        let before = rows;
        for a in 0..4 {
            for b in 0..4 {
                if rows[a] & rows[b] != 0 {
                    rows[a] |= rows[b];
                }
            }
        }
        if rows == before {
            return rows;
        }
    }
}

fn midi(options: Options, bytes: &[u8]) -> Vec<Happened> {
    let mut bench = Bench::new(ChannelKind::Midi, options);
    for byte in bytes {
        bench.says(Sample::Byte(*byte)).expect("a serial line");
    }
    bench.happened()
}

fn check(bytes: &[u8], expected: &[Happened]) {
    assert_eq!(midi(Options::default(), bytes), expected, "{bytes:02X?}");
}

fn strike(key: u8, velocity: u8) -> Happened {
    let velocity = Some(velocity);
    Happened::KeyPress { key, velocity }
}

#[test]
fn notes_are_read_with_running_status() {
    check(
        &[0x90, 60, 80, 64, 90, 60, 0],
        &[strike(60, 80), strike(64, 90), release(60)],
    );
    check(&[0x83, 60, 64, 0x9F, 61, 1], &[release(60), strike(61, 1)]);
}

#[test]
fn real_time_bytes_may_stand_within_a_message() {
    check(&[0xF8, 0x90, 0xFE, 60, 0xF8, 80, 0xFA], &[strike(60, 80)]);
}

#[test]
fn what_is_no_message_is_skipped() {
    // Data without a status; a message that another one cuts off; one of a device's own; a tune request.
    check(&[60, 80, 0x90, 60, 0x90, 62, 70], &[strike(62, 70)]);
    check(
        &[0x90, 60, 80, 0xF0, 1, 2, 3, 0xF7, 62, 80, 0x90, 64, 80],
        &[strike(60, 80), strike(64, 80)],
    );
    check(
        &[
            0xF6, 60, 80, 0xC0, 5, 6, 0xD0, 7, 8, 0xE0, 1, 2, 0xA0, 60, 5,
        ],
        &[],
    );
}

#[test]
fn the_pedal_is_told_when_it_changes_and_other_controllers_each_time() {
    let pedal = |down| Happened::Pedal { down };
    let wheel = Happened::Control {
        number: 1,
        value: 9,
    };
    check(
        &[0xB0, 64, 127, 64, 100, 64, 63, 64, 0],
        &[pedal(true), pedal(false)],
    );
    check(&[0xB0, 1, 9, 1, 9], &[wheel, wheel]);
}

#[test]
fn keys_that_the_instrument_does_not_have_are_skipped() {
    let options = Options {
        first_key: Some(21),
        keys: Some(88),
        ..Options::default()
    };
    let bytes = [0x90, 20, 1, 21, 1, 108, 1, 109, 1];
    assert_eq!(midi(options, &bytes), [strike(21, 1), strike(108, 1)]);
}

proptest! {
    #[test]
    fn no_bytes_of_an_instrument_panic_or_leave_the_ranges(bytes in prop::collection::vec(any::<u8>(), 0..400), first: u8, keys: u8) {
        let options = Options { first_key: Some(first), keys: Some(keys), ..Options::default() };
        for event in midi(options, &bytes).into_iter().chain(midi(Options::default(), &bytes)) {
            for (name, value) in event.fields().iter() {
                if let wire::Value::Number(number) = value {
                    prop_assert!((0.0..=127.0).contains(&number), "{name} {number}");
                }
            }
        }
    }
}
