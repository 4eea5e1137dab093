//! Types: computed values are rounded half away from zero and clamped, and clamping is noted.

use engine::{Did, Disposition};

use crate::{
    bench::{Bench, bench},
    build::rule,
};

fn computed(b: &Bench) -> Vec<(String, f64, f64)> {
    let deeds = b
        .effects
        .decisions
        .iter()
        .flat_map(|decision| &decision.deeds);
    deeds
        .filter_map(|deed| match &deed.what {
            Did::Clamped {
                what,
                computed,
                taken,
            } => Some((what.clone(), *computed, *taken)),
            _ => None,
        })
        .collect()
}

#[test]
fn computed_values_are_rounded_half_away_from_zero() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .set("hall.lamp", &[("brightness", "${state.hall.lux / 2}")])]);
    for (lux, expected) in [(25.0, 13), (24.98, 12), (27.0, 14), (3.0, 2)] {
        b.report("hall.lux", lux);
        b.out();
        b.event("desk.button.press", &[]);
        assert_eq!(
            b.out(),
            [format!("hall.lamp on=true brightness={expected}")]
        );
        assert_eq!(computed(&b), [], "rounding is no news");
    }
}

#[test]
fn what_is_out_of_range_is_clamped_and_noted() {
    let mut b = bench(&[rule("r")
        .on("piano.keys.press")
        .set("hall.lamp", &[("brightness", "${event.velocity * 2}")])
        .var("level", "${event.velocity * 2 - 300}")
        .emit(
            "mode.keys.press",
            &["${event.key - 200}", "${event.velocity}"],
        )]);
    b.event("piano.keys.press", &[60.0, 120.0]);
    assert_eq!(
        b.out(),
        [
            "hall.lamp on=true brightness=100",
            "emit mode.keys.press key=0 velocity=120"
        ]
    );
    assert_eq!(
        computed(&b),
        [
            ("hall.lamp.brightness".to_owned(), 240.0, 100.0),
            ("var.level".to_owned(), -60.0, 0.0),
            ("mode.keys.press key".to_owned(), -140.0, 0.0),
        ]
    );
}

#[test]
fn a_computed_brightness_of_zero_switches_off_and_below_is_clamped_to_it() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .set("hall.lamp", &[("brightness", "${state.hall.lux - 5}")])]);
    b.person("hall.lamp.brightness", 40.0, None);
    for (lux, noted) in [(5.0, 0), (1.0, 1)] {
        b.report("hall.lux", lux);
        b.out();
        b.event("desk.button.press", &[]);
        assert!(b.out()[0].ends_with("hall.lamp on=false brightness=40"));
        assert_eq!(computed(&b).len(), noted);
    }
}

#[test]
fn what_is_no_number_is_unknown_and_writes_nothing() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .set("hall.lamp", &[("brightness", "${10 / state.hall.lux}")])]);
    b.report("hall.lux", 0.0);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), [""; 0]);
    let line = &b.effects.decisions[0].sent[0];
    assert_eq!(line.disposition, Disposition::Unknown);
    assert_eq!(line.text, "hall.lamp brightness=unknown");
}

#[test]
fn numbers_read_the_same_in_every_country() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .notify("${state.living.temp} ${state.hall.lux}")]);
    b.report("living.temp", 21.5);
    b.report("hall.lux", 1_000_000.0);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["notify all: 21.5 1000000"]);
}
