//! `test --record` where things happen so close to each other that no round time tells them apart.

use proptest::prelude::*;
use replay::record::Recording;

use crate::{
    home::{Files, Home, with_rules},
    records::{home, passes, recorded},
};

/// Key 3 starts timers of these spans, in microseconds, of which each switches an output of its own; key 4 switches one at once.
fn timers(spans: &[u64]) -> Files {
    let mut more = String::from(
        "[device.extra]\nid = 99\nio.next = { kind = \"switch\" }\n\
         [rule.next]\nwhen = \"piano.keys.press\"\nif = \"event.key == 4\"\ndo = \"extra.next.toggle\"\n",
    );
    let mut starts = Vec::new();
    let mut outputs = String::new();
    for (at, span) in spans.iter().enumerate() {
        let span = format!("{}.{:03}ms", span / 1_000, span % 1_000);
        outputs += &format!("io.o{at} = {{ kind = \"switch\" }}\n");
        starts.push(format!("{{ start = \"t{at}\", for = \"{span}\" }}"));
        more +=
            &format!("[rule.r{at}]\nwhen = {{ timer = \"t{at}\" }}\ndo = \"extra.o{at}.toggle\"\n");
    }
    more = more.replace("id = 99\n", &format!("id = 99\n{outputs}"));
    more += &format!(
        "[rule.start]\nwhen = \"piano.keys.press\"\nif = \"event.key == 3\"\ndo = [{}]\n",
        starts.join(", ")
    );
    with_rules(&more)
}

/// What is recorded where these keys are pressed, each so many microseconds behind the one before.
fn pressed(files: &Files, keys: &[(u64, u32)], only: &[&str]) -> Recording {
    let mut home: Home = home(files);
    home.watched = false;
    home.connect("extra");
    home.pass(60);
    let since = home.now.wall;
    for (us, key) in keys {
        home.pass_us(*us);
        home.press(*key);
    }
    home.pass(5);
    home.press(4);
    recorded(&mut home, since, only).unwrap()
}

#[test]
fn two_deadlines_within_ten_milliseconds_are_two_steps() {
    let files = timers(&[301_000, 304_000]);
    let recording = pressed(&files, &[(2_000_000, 3)], &[]);
    passes(&files, &recording);
    for line in [
        r#"{ at = "2s301ms", expect = ["extra.o0.on"], by = "r0" },"#,
        r#"{ at = "2s310ms", expect = ["extra.o1.on"], by = "r1" },"#,
    ] {
        assert!(recording.text.contains(line), "{line}\n{}", recording.text);
    }
}

#[test]
fn deadlines_and_inputs_of_one_millisecond_keep_their_order() {
    let files = timers(&[301_000, 301_002, 301_700]);
    let recording = pressed(&files, &[(2_000_123, 3), (301_001, 4), (500, 4)], &[]);
    passes(&files, &recording);
    let order = [
        "extra.o0.on",
        "key = 4",
        "extra.o1.on",
        "key = 4",
        "extra.o2.on",
    ];
    let mut rest = recording.text.as_str();
    for part in order {
        let at = rest.find(part);
        let at = at.unwrap_or_else(|| panic!("{part}\n{}", recording.text));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn times_are_round_where_nothing_is_close() {
    let files = timers(&[301_000]);
    let recording = pressed(&files, &[(2_000_123, 3), (700_456, 4)], &[]);
    passes(&files, &recording);
    for at in ["\"2s\"", "\"2s310ms\"", "\"2s700ms\""] {
        assert!(recording.text.contains(at), "{at}\n{}", recording.text);
    }
}

#[test]
fn a_deadline_that_another_rule_shares_a_step_of_ten_milliseconds_with_is_told_alone() {
    let files = timers(&[301_000, 304_000, 306_500]);
    let recording = pressed(&files, &[(2_000_000, 3)], &["rule.r1"]);
    passes(&files, &recording);
    assert!(recording.text.contains("by = \"r1\""), "{}", recording.text);
}

#[test]
fn a_timer_that_is_started_again_just_before_it_ends_does_not_end_in_the_test_either() {
    let files = timers(&[300_343]);
    for keys in [
        &[
            (1_000_000, 3),
            (1_448, 3),
            (5_317, 3),
            (306_893, 3),
            (300_342, 3),
        ][..],
        &[(1_000_000, 3), (1_448, 3), (300_342, 4), (0, 3)],
    ] {
        passes(&files, &pressed(&files, keys, &[]));
    }
    let files = timers(&[310_607]);
    let keys = [(1_000_000, 3), (2_390, 3), (6, 3), (5_436, 4), (305_168, 3)];
    passes(&files, &pressed(&files, &keys, &[]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn however_close_things_are_what_happened_is_a_test_that_passes(
        spans in prop::collection::vec(prop_oneof![300_000_u64..312_000, 300_000_u64..300_020], 1..5),
        keys in prop::collection::vec(
            (prop_oneof![0_u64..15, 0_u64..15_000, 290_000_u64..310_000], 3_u32..5), 1..12,
        ),
        part in prop_oneof![Just(None), Just(Some("rule.r0")), Just(Some("rule.next"))],
    ) {
        let files = timers(&spans);
        // Something of either comes.
        let keys: Vec<_> = [(1_000_000, 3)].into_iter().chain(keys).collect();
        let only: Vec<&str> = part.into_iter().collect();
        passes(&files, &pressed(&files, &keys, &only));
    }
}
