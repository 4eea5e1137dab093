//! Decisions in words.

use dispatcher::explain::{self, Detail, Explainer};

use crate::house::Rig;

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
fn a_persons_wish_names_the_person() {
    let mut rig = Rig::awake();
    let mut effects = rig.asks("iot/hall/lamp/set", "on");
    explain::fill_texts(&rig.program, &mut effects);
    let explainer = Explainer::new(&rig.program);
    let lines = explainer.lines(&effects.engine.decisions[0], Detail::Fired);
    assert_eq!(lines[0], "12:00:10.000 hall.lamp set by anna");
    assert_eq!(lines[1], "  -> hall.lamp on=true (sent)");
}
