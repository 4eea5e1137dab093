//! **holds**: edges, `for`, unknown in between, and truth that time changes.

use engine::{Input, Outcome};

use crate::{
    bench::{bench, bench_at},
    build::{R, rule},
};

fn cold(seconds: u64) -> R {
    rule("cold")
        .holds("state.living.temp < 20", seconds)
        .notify("cold")
}

#[test]
fn only_the_edge_fires() {
    let mut b = bench(&[cold(0)]);
    for value in [19.0, 18.0, 21.0, 18.0] {
        b.report("living.temp", value);
    }
    assert_eq!(b.fired(), ["cold", "cold"]);
}

#[test]
fn a_first_known_true_is_an_edge() {
    let mut b = bench(&[rule("quiet").holds("!var.night", 0).notify("quiet")]);
    assert_eq!(b.engine.next_deadline(b.now), Some(b.now.at));
    b.handle(Input::Tick);
    assert_eq!(b.fired(), ["quiet"]);
    b.handle(Input::Tick);
    assert_eq!(b.fired(), [""; 0]);
}

#[test]
fn true_unknown_true_is_no_edge() {
    let mut b = bench(&[cold(0)]);
    b.report("living.temp", 18.0);
    b.pass(301); // stale_after is 5 min
    b.report("living.temp", 18.5);
    assert_eq!(b.fired(), ["cold"]);
}

#[test]
fn false_unknown_true_is_an_edge() {
    let mut b = bench(&[cold(0)]);
    b.report("living.temp", 22.0);
    b.pass(301);
    b.report("living.temp", 18.5);
    assert_eq!(b.fired(), ["cold"]);
}

#[test]
fn for_fires_when_it_was_true_so_long_and_restarts_when_it_turns_false() {
    let mut b = bench(&[cold(60)]);
    b.report("living.temp", 18.0);
    assert_eq!(b.outcomes(), [("cold".to_owned(), Outcome::Waiting)]);
    b.pass(59);
    b.report("living.temp", 21.0);
    assert_eq!(b.outcomes(), [("cold".to_owned(), Outcome::Waiting)]);
    b.report("living.temp", 18.0);
    b.pass(59);
    assert_eq!(b.fired(), [""; 0]);
    b.pass(1);
    assert_eq!(b.fired(), ["cold"]);
}

#[test]
fn a_pending_for_runs_on_through_unknown_and_does_not_fire_while_unknown() {
    let mut b = bench(&[cold(400)]);
    b.report("living.temp", 18.0);
    b.pass(350); // unknown since 300 s
    b.report("living.temp", 18.2); // known again: it went on
    b.pass(49);
    assert_eq!(b.fired(), [""; 0]);
    b.pass(1);
    assert_eq!(b.fired(), ["cold"]);

    let mut b = bench(&[cold(400)]);
    b.report("living.temp", 18.0);
    b.pass(1_000); // due at 400 s, unknown since 300 s
    assert_eq!(b.fired(), [""; 0]);
    b.report("living.temp", 18.2);
    assert_eq!(b.fired(), ["cold"]);

    let mut b = bench(&[cold(400)]);
    b.report("living.temp", 18.0);
    b.pass(1_000);
    b.report("living.temp", 22.0);
    b.pass(1_000);
    assert_eq!(b.fired(), [""; 0]);
}

#[test]
fn a_for_that_is_over_as_its_sensor_turns_stale_does_not_fire() {
    let mut b = bench(&[cold(300)]);
    b.report("living.temp", 18.0);
    b.pass(300); // stale_after is 5 min as well
    assert_eq!(b.fired(), [""; 0]);
    b.report("living.temp", 18.5);
    assert_eq!(b.fired(), ["cold"]);
}

#[test]
fn state_past_stale_after_is_unknown_by_itself() {
    let mut b = bench(&[rule("lost")
        .holds("!has(state.living.temp)", 60)
        .cmd("living.heater.off")]);
    b.engine.settle(b.now);
    b.report("living.temp", 18.0);
    b.pass(200);
    b.report("living.temp", 18.0);
    b.pass(359);
    assert_eq!(b.out(), [""; 0]);
    b.pass(1);
    assert_eq!(b.out(), ["living.heater on=false"]);
}

#[test]
fn an_age_is_looked_at_when_it_passes_what_it_is_compared_with() {
    let mut b = bench(&[
        rule("over")
            .holds("age(state.hall.lux) > 90", 0)
            .notify("over"),
        rule("at")
            .holds("age(state.hall.lux) >= 90", 0)
            .notify("at"),
    ]);
    b.report("hall.lux", 1.0);
    b.pass(60);
    b.report("hall.lux", 1.0);
    b.pass_ms(89_999);
    assert_eq!(b.fired(), [""; 0]);
    b.pass_ms(1);
    assert_eq!(b.fired(), ["at"]);
    b.pass_ms(1);
    assert_eq!(b.fired(), ["over"]);
}

#[test]
fn now_is_looked_at_each_minute() {
    let mut b = bench(&[rule("five").holds("now.minute == 5", 0).notify("five")]);
    b.pass(299);
    assert_eq!(b.fired(), [""; 0]);
    b.pass(1);
    assert_eq!(b.fired(), ["five"]);
    b.pass(3_600);
    assert_eq!(b.fired(), ["five"]);
}

#[test]
fn the_sun_is_looked_at_when_it_sets() {
    let mut b = bench(&[rule("dusk").holds("sun.is_down", 0).notify("dusk")]);
    let due = b.engine.next_deadline(b.now).expect("a sunset");
    // Berlin, 5 January: 16:08 local time, 4 h 8 min after noon.
    assert!((14_820..14_940).contains(&due.since(b.now.at).as_secs()));
    b.pass(14_820);
    assert_eq!(b.fired(), [""; 0]);
    b.pass(120);
    assert_eq!(b.fired(), ["dusk"]);
    b.pass(24 * 3_600);
    assert_eq!(b.fired(), ["dusk"]);
}

#[test]
fn a_pinned_sun_stands_still() {
    let mut b = bench(&[rule("dusk").holds("sun.is_down", 0).notify("dusk")]);
    b.engine.pin_sun(Some(true));
    b.engine.settle(b.now);
    b.pass(12 * 3_600);
    assert_eq!(b.fired(), [""; 0]);
    b.engine.pin_sun(Some(false));
    b.handle(Input::Tick);
    assert_eq!(b.fired(), ["dusk"]);
}

#[test]
fn a_settled_house_has_no_edges_of_its_own() {
    let mut b = bench(&[
        rule("quiet").holds("!var.night", 0).notify("quiet"),
        rule("gone").holds("!living.online", 30).notify("gone"),
    ]);
    b.engine.settle(b.now);
    b.pass(100);
    assert_eq!(b.fired(), [""; 0]);
    b.var("night", true);
    b.var("night", false);
    assert_eq!(b.fired(), ["quiet"]);
}

#[test]
fn holds_see_targets_that_actions_write() {
    let mut b = bench(&[
        rule("follow")
            .holds("target.hall.fan", 0)
            .cmd("desk.lamp.on"),
        rule("fan").on("desk.button.press").cmd("hall.fan.on"),
    ]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["hall.fan on=true", "desk.lamp on=true"]);
}

#[test]
fn an_edge_of_the_events_own_state_comes_after_its_rules() {
    let mut b = bench(&[
        rule("edge").holds("state.hall.motion", 0).notify("edge"),
        rule("event").on("hall.motion.start").notify("event"),
    ]);
    b.event("hall.motion.start", &[]);
    assert_eq!(b.fired(), ["event", "edge"]);
}

#[test]
fn online_is_never_unknown() {
    let mut b = bench(&[rule("gone").holds("!living.online", 0).notify("gone")]);
    b.engine.settle(b.now);
    b.online("living");
    b.offline("living", None);
    b.offline("living", None);
    assert_eq!(b.fired(), ["gone"]);
}

#[test]
fn before_the_clock_is_synced_now_is_unknown() {
    let mut b = bench_at(
        &[rule("noon").holds("now.hour == 12", 0).notify("noon")],
        "1970-01-01T00:00:00Z",
    );
    // A Pi starts in 1970 and learns the time later.
    let program = b.program();
    b.now.synced = false;
    b.engine = engine::Engine::new(program, b.now);
    b.pass(100);
    assert_eq!(b.fired(), [""; 0]);
    b.now.synced = true;
    b.now.wall = crate::bench::wall(crate::bench::MONDAY_NOON);
    b.handle(Input::Tick);
    assert_eq!(b.fired(), ["noon"]);
}

#[test]
fn an_age_that_is_compared_with_a_variable_is_looked_at_each_minute() {
    let old = rule("old")
        .holds("age(state.hall.lux) > var.level", 0)
        .notify("old");
    let mut b = bench(&[old]);
    b.var("level", 90.0);
    b.report("hall.lux", 1.0);
    b.pass(119);
    assert_eq!(b.fired(), [""; 0]);
    b.pass(1);
    assert_eq!(b.fired(), ["old"]);
}

#[test]
fn the_height_of_the_sun_is_looked_at_each_minute() {
    // Berlin on 5 January: the sun stands at 15 degrees at noon and sets at 16:08.
    let low = rule("low")
        .holds("sun.elevation < 5", 0)
        .notify("${now.hour}:${now.minute}");
    let mut b = bench(&[low]);
    b.pass(4 * 3_600);
    let said = b.out();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("notify all: 15:1") || said[0].starts_with("notify all: 15:2"),
        "{said:?}"
    );
    assert_eq!(b.now.wall.0 % 60_000_000, 0);
}

#[test]
fn a_date_turns_at_local_midnight() {
    let new = rule("new")
        .holds("now.date == '2026-01-06'", 0)
        .notify("new");
    let mut b = bench(&[new]);
    b.pass(12 * 3_600 - 1);
    assert_eq!(b.fired(), [""; 0]);
    b.pass(1);
    assert_eq!(b.fired(), ["new"]);
}

#[test]
fn whoever_sets_the_clock_turns_what_reads_it() {
    let late = rule("late").holds("now.hour >= 20", 0).notify("late");
    let mut b = bench(&[late]);
    b.pass(10);
    b.now.wall.0 += 9 * 3_600_000_000; // 21:00
    b.handle(Input::Tick);
    assert_eq!(b.fired(), ["late"]);
    b.now.wall.0 -= 9 * 3_600_000_000; // and back: false again
    b.handle(Input::Tick);
    assert_eq!(b.fired(), [""; 0]);
    b.pass(8 * 3_600);
    assert_eq!(b.fired(), ["late"]);
}

#[test]
fn a_for_waits_by_elapsed_time_whatever_the_clock_does() {
    let mut b = bench(&[rule("night").holds("now.hour == 12", 600).notify("night")]);
    b.engine = engine::Engine::new(b.program(), b.now);
    b.pass(300);
    b.now.wall.0 += 600_000_000; // ten minutes later, still twelve
    b.handle(Input::Tick);
    b.pass(299);
    assert_eq!(b.fired(), [""; 0]);
    b.pass(1);
    assert_eq!(b.fired(), ["night"]);
}
