//! Decisions in words.

use dispatcher::{
    Conduct,
    explain::{self, Detail, Explainer, Filter},
};

use crate::house::{HOUSE, RULES, Rig, going_by, program};

#[test]
fn a_decision_reads_as_the_live_stream_shows_it() {
    let mut rig = Rig::awake();
    let mut effects = rig.press(60);
    explain::fill_texts(&rig.program, &mut effects);
    let explainer = Explainer::new(&rig.program);
    let decision = &effects.engine.decisions[0];
    let line = rig.program.rules[0].origin.line;
    assert_eq!(
        explainer.lines(decision, Detail::Fired),
        [
            "12:00:10.000 piano.keys.press key=60 velocity=64".to_owned(),
            format!("  rule middle-c mapping.toml:{line} -> hall.lamp on=true (sent)"),
        ]
    );
    let json = explainer.json(decision);
    assert!(json.contains("\"rule\":\"middle-c\""), "{json}");
    assert!(json.contains("\"seen\":{\"event.key\":60}"), "{json}");
    assert!(json.contains("\"disposition\":\"sent\""), "{json}");
}

#[test]
fn what_a_rule_looked_at_twice_is_told_once() {
    let rule = "[rule.twice]\nwhen = \"piano.keys.press\"\nif = \"event.key + event.velocity + event.key > 3 && event.key < 9\"\ndo = \"hall.lamp.on\"\n";
    let program = program(&format!("{HOUSE}{rule}"));
    let mut rig = Rig::of(program, dispatcher::Config::default());
    rig.connect("piano");
    let effects = rig.press(5);
    let (explainer, decision) = (Explainer::new(&rig.program), &effects.engine.decisions[0]);
    let lines = explainer.lines(decision, Detail::All);
    let seen = "  [event.key = 5, event.velocity = 64]";
    assert!(lines.iter().any(|line| line.ends_with(seen)), "{lines:?}");
    let json = explainer.json(decision);
    let seen = "\"seen\":{\"event.key\":5,\"event.velocity\":64}";
    assert!(json.contains(seen), "{json}");
    let rule = rig.program.names.rules["twice"];
    let condition = rig.program[rule].condition.as_ref().expect("it has one");
    let cause = Some(&decision.steps[0].cause);
    let parts = explainer.parts(rule, condition, cause, &decision.seen);
    let seen: Vec<&str> = parts[0].seen.iter().map(|(term, _)| &**term).collect();
    assert_eq!(seen, ["event.key", "event.velocity"]);
}

#[test]
fn a_persons_wish_names_the_person() {
    let mut rig = Rig::awake();
    let mut effects = rig.asks("iot/hall/lamp/set", "on");
    explain::fill_texts(&rig.program, &mut effects);
    let explainer = Explainer::new(&rig.program);
    let lines = explainer.lines(&effects.engine.decisions[0], Detail::Fired);
    assert_eq!(lines[0], "12:00:10.000 hall.lamp set by anna");
    assert_eq!(lines[1], "  -> hall.lamp on=true (sent)");
}

#[test]
fn who_changed_something_is_told_in_words_and_once() {
    let mut rig = Rig::awake();
    let told = |rig: &Rig, mut effects: dispatcher::Effects| -> Vec<String> {
        explain::fill_texts(&rig.program, &mut effects);
        let explainer = Explainer::new(&rig.program);
        let told = explain::told(&effects, rig.now);
        let texts = told.map(|told| explainer.told(&told));
        let lines = texts.filter(|text| !text.is_empty());
        lines.map(|text| text[13..].to_owned()).collect()
    };
    let anybody = dispatcher::Publisher::Superuser;
    let effects = rig.publish(&anybody, "iot/hall/lamp/set", "on");
    let lines = told(&rig, effects);
    assert!(
        lines[0].starts_with("hall.lamp set by a client without a login\n"),
        "{lines:?}"
    );
    rig.says("hall", "iot/hall/lamp/state", r#"{"on":true}"#);
    rig.pass(std::time::Duration::from_secs(60));
    let effects = rig.says("hall", "iot/hall/lamp/state", r#"{"on":false}"#);
    assert_eq!(
        told(&rig, effects),
        [
            "hall.lamp reports on=false",
            "hall.lamp: changed at the device, by no rule and no command; so it shall stay",
        ]
    );
}

/// The usual house with one more rule, and that rule's condition.
fn with_condition(text: &str) -> (std::sync::Arc<mapping::Program>, mapping::program::RuleIx) {
    let rule = format!(
        "\n[rule.asked]\nwhen = \"piano.keys.press\"\nif = \"{text}\"\ndo = \"hall.lamp.on\"\n"
    );
    let program = program(&format!("{HOUSE}{RULES}{rule}"));
    let ix = program.names.rules["asked"];
    (program, ix)
}

#[test]
fn a_condition_in_words_means_the_same_again() {
    for text in [
        "event.key == 60",
        "event.key >= 72 && event.velocity > 20",
        "(sun.is_down || state.hall.lux < 50) && !living.online",
        "!(event.key == 60 || event.key == 61)",
        "event.key * (event.velocity + 2) / 3 - 1 > -5",
        "event.key - (event.velocity - 1) == 4",
        "event.key in [60, 64, 67]",
        "state.phones.anna == 'away' ? event.key > 60 : event.key < 60",
        "(event.key > 60 ? 1 : 2) == 1",
        "has(state.sensor.temp) && age(state.sensor.temp) < 300",
        "between(event.key, 36, 48) || min(event.key, event.velocity) == 3",
        "now.hour >= 22 && now.date != '2026-12-24'",
        "target.hall.lamp.on && state.hall.lamp.brightness > 10",
        "sun.elevation < -6",
    ] {
        let (program, rule) = with_condition(text);
        let explainer = Explainer::new(&program);
        let expr = |program: &mapping::Program, rule| {
            let rule: &mapping::program::Rule = &program[rule];
            rule.condition
                .as_ref()
                .map(|condition| condition.expr.clone())
        };
        let written = expr(&program, rule).map(|expr| explainer.expression(rule, None, &expr));
        let written = written.expect("a condition");
        let (again, same_rule) = with_condition(&written);
        assert_eq!(
            expr(&again, same_rule),
            expr(&program, rule),
            "{text} was written as {written}"
        );
    }
}

#[test]
fn a_condition_is_taken_apart_with_the_values_it_saw() {
    let (program, rule) = with_condition(
        "event.key >= 72 && state.hall.lux < 50 && !living.online && event.velocity > 1",
    );
    let mut rig = Rig::of(program, dispatcher::Config::default());
    rig.dispatcher.watch(Some(rule));
    rig.says("hall", "iot/hall/lux/state", "120");
    let told = |rig: &mut Rig, key: u32| {
        let effects = rig.press(key);
        let mut all = effects.engine.decisions.iter();
        let found = all.find_map(|decision| {
            let mut rules = decision.rules.iter();
            Some((decision, rules.find(|trace| trace.rule == rule)?))
        });
        let (decision, trace) = found.expect("it is watched");
        let seen = &decision.seen[trace.seen.0 as usize..trace.seen.1 as usize];
        let condition = rig.program[rule].condition.as_ref().expect("a condition");
        let cause = Some(&decision.steps[0].cause);
        let parts = Explainer::new(&rig.program).parts(rule, condition, cause, seen);
        parts
            .into_iter()
            .map(|part| {
                let seen = part.seen.iter().map(|(term, value)| match value {
                    Some(value) => format!(" {term} = {value}"),
                    None => format!(" {term} unknown"),
                });
                format!(
                    "{}: {}{}",
                    part.text,
                    part.truth.word(),
                    seen.collect::<String>()
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told(&mut rig, 60),
        [
            "event.key >= 72: false event.key = 60",
            "state.hall.lux < 50: not asked",
            "!living.online: not asked",
            "event.velocity > 1: not asked",
        ]
    );
    assert_eq!(
        told(&mut rig, 80)[..2],
        [
            "event.key >= 72: true event.key = 80",
            "state.hall.lux < 50: false state.hall.lux = 120",
        ]
    );
    rig.says("hall", "iot/hall/lux/state", "12");
    assert_eq!(
        told(&mut rig, 80)[1..],
        [
            "state.hall.lux < 50: true state.hall.lux = 12",
            "!living.online: true",
            "event.velocity > 1: true event.velocity = 64",
        ]
    );
}

#[test]
fn a_stream_tells_what_is_asked_for_and_no_ticks() {
    let mut rig = Rig::awake();
    let mut effects = rig.press(60);
    explain::fill_texts(&rig.program, &mut effects);
    let program = std::sync::Arc::clone(&rig.program);
    let explainer = Explainer::new(&program);
    let entries: Vec<_> = explain::told(&effects, rig.now).collect();
    let [told] = entries.as_slice() else {
        panic!("{entries:?}");
    };
    for (path, wanted) in [
        ("piano", true),
        ("piano.keys", true),
        ("piano.keys.press", true),
        ("piano.keys.release", false),
        ("pia", false),
        ("hall.lamp", true),
        ("hall", true),
        ("middle-c", true),
        ("rule.middle-c", true),
        ("rule.low", false),
        ("var.middle-c", false),
    ] {
        let filter = [Filter::new(path)];
        assert_eq!(explainer.is_wanted(told, &filter), wanted, "{path}");
    }
    assert!(explainer.is_wanted(told, &[]));
    let json = explainer.told_json(types::InputNo(7), told);
    assert!(json.starts_with("{\"no\":7,\"wall_us\":"), "{json}");
    let tick = rig.pass(std::time::Duration::from_secs(3_600));
    assert!(
        explain::told(&tick, rig.now).all(|told| !explainer.told(&told).contains("time passed"))
    );
}

#[test]
fn a_text_for_people_says_who_carries_it() {
    let rule = "\n[rule.phone]\nwhen = \"piano.keys.press\"\nif = \"event.key == 63\"\ndo = [{ notify = \"phone\", text = \"x\" }, { notify = \"all\", text = \"y\" }]\n";
    let program = program(&format!("{HOUSE}{rule}"));
    for (carriers, phone, all) in [
        (
            &[][..],
            "nobody is told: no [notify.phone] in settings.toml",
            "shown here only: no [notify.NAME] in settings.toml",
        ),
        (
            &["mail"],
            "nobody is told: no [notify.phone] in settings.toml",
            "queued",
        ),
        (&["mail", "phone"], "queued", "queued"),
    ] {
        let conduct = Conduct {
            carriers: Some(carriers.iter().map(|name| (*name).into()).collect()),
            ..Conduct::default()
        };
        let mut rig = Rig::of(std::sync::Arc::clone(&program), going_by(conduct));
        rig.connect("piano");
        let mut effects = rig.press(63);
        assert_eq!(
            effects.notifications.len(),
            2,
            "the caller is told in any case"
        );
        explain::fill_texts(&rig.program, &mut effects);
        let decision = &effects.engine.decisions[0];
        let lines = Explainer::new(&rig.program).lines(decision, Detail::Fired);
        let ends = [
            format!("notify phone \"x\" ({phone})"),
            format!("notify all \"y\" ({all})"),
        ];
        assert!(
            lines[1].ends_with(&ends[0]) && lines[2].ends_with(&ends[1]),
            "{lines:#?}"
        );
    }
}

#[test]
fn a_timer_that_starts_or_stops_is_told_with_when_it_ends() {
    let rules = "\n[rule.long]\nwhen = \"piano.keys.press\"\nif = \"event.key == 63\"\ndo = { start = \"egg\", for = \"5m\" }\n\
        [rule.longer]\nwhen = \"piano.keys.press\"\nif = \"event.key == 64\"\ndo = { start = \"egg\", for = \"2d\" }\n\
        [rule.stop]\nwhen = \"piano.keys.press\"\nif = \"event.key == 65\"\ndo = { stop = \"egg\" }\n\
        [rule.ring]\nwhen = { timer = \"egg\" }\ndo = \"hall.lamp.on\"\n";
    let mut rig = Rig::of(
        program(&format!("{HOUSE}{rules}")),
        dispatcher::Config::default(),
    );
    rig.connect("piano");
    let program = std::sync::Arc::clone(&rig.program);
    let explainer = Explainer::new(&program);
    let mut told = |key: u32| {
        let effects = rig.press(key);
        let decision = &effects.engine.decisions[0];
        let lines = explainer.lines(decision, Detail::Fired);
        let rule = lines[1].split_once(' ').map(|(_, rule)| rule.to_owned());
        let words = rule.and_then(|rule| Some(rule.split_once(".toml:")?.1.to_owned()));
        (words.unwrap_or_default(), explainer.json(decision))
    };
    let (line, json) = told(63);
    assert!(
        line.ends_with(" starts the timer egg for 5m, until 12:05:00.000"),
        "{line}"
    );
    assert!(
        json.contains("\"timer\":\"egg\",\"due_us\":") && json.contains("\"due\":\"12:05:00.000\""),
        "{json}"
    );
    let (line, _) = told(64);
    assert!(
        line.ends_with(" starts the timer egg for 2d, until 2026-03-04 12:00"),
        "{line}"
    );
    let (line, _) = told(65);
    assert!(line.ends_with(" stops the timer egg"), "{line}");
    let (line, _) = told(65);
    assert!(line.ends_with(" fired"), "it did not run: {line}");
    let effects = rig.press(63);
    let decision = &effects.engine.decisions[0];
    for (path, wanted) in [("timer.egg", true), ("timer.other", false)] {
        assert_eq!(
            explainer.is_about(decision, &Filter::new(path)),
            wanted,
            "{path}"
        );
    }
}
