//! What a word is said to mean.

use serde_json::json;

use crate::harness::{DEVICES, Echo, Editor, RULES};

fn hover(name: &str, marked: &str) -> String {
    let mut editor = Editor::new();
    let answer = editor.ask_at("textDocument/hover", name, marked, &json!({}));
    answer["contents"]["value"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn names_say_what_they_are() {
    let rules = |from: &str, to: &str| RULES.replacen(from, to, 1);
    for (name, marked, words) in [
        (
            "rules.toml",
            rules("\"hall.motion", "\"ha|ll.motion"),
            &["**hall** device", "id 21", "esp32-c3", "lamp: dimmer"][..],
        ),
        (
            "rules.toml",
            rules("hall.lamp.on", "hall.la|mp.on"),
            &[
                "**hall.lamp** channel",
                "dimmer: a lamp with a brightness",
                "brightness: a whole number from 1 to 100",
                "commands: on, off",
            ],
        ),
        (
            "rules.toml",
            rules("hall.lamp.on", "hall.lamp.o|n"),
            &["**hall.lamp.on** command", "sets on = true"],
        ),
        (
            "rules.toml",
            rules("motion.start", "motion.st|art"),
            &["**hall.motion.start** event"],
        ),
        (
            "rules.toml",
            rules("desk.keys.press", "desk.keys.pr|ess"),
            &[
                "key: a whole number from 0 to 127",
                "velocity: a whole number from 0 to 127, absent: 64",
            ],
        ),
        (
            "rules.toml",
            rules("event.key", "event.k|ey"),
            &["**event.key** field of an event", "of desk.keys.press"],
        ),
        (
            "rules.toml",
            rules("state.hall.lux", "state.hall.l|ux"),
            &["**hall.lux** channel", "brightness of the surroundings, lx"],
        ),
        (
            "rules.toml",
            rules("var.night", "var.nig|ht"),
            &[
                "**night** variable",
                "true or false, at first false, survives a restart",
            ],
        ),
        (
            "rules.toml",
            rules("\"movie\"", "\"mo|vie\""),
            &["**movie** scene", "- hall.lamp.brightness = 10"],
        ),
        (
            "rules.toml",
            rules("timer = \"hall", "timer = \"ha|ll"),
            &["**hall-off** timer"],
        ),
        (
            "rules.toml",
            rules("[rule.key", "[rule.k|ey"),
            &["**key** rule", "if `event.key == 60`"],
        ),
        (
            "devices.toml",
            DEVICES.replacen("lights =", "li|ghts =", 1),
            &["**lights** group", "hall.lamp, desk.lamp"],
        ),
        (
            "devices.toml",
            DEVICES.replacen("kind = \"dimmer\"", "kind = \"dim|mer\"", 1),
            &["**dimmer** kind", "a lamp with a brightness"],
        ),
        (
            "devices.toml",
            DEVICES.replacen("pin = 4", "p|in = 4", 1),
            &["**pin** the pin it is wired to"],
        ),
        (
            "rules.toml",
            rules("do = [", "d|o = ["),
            &["**do** what it does, in order"],
        ),
        (
            "rules.toml",
            rules("for = ", "f|or = "),
            &["**for** how long it runs"],
        ),
        (
            "tests/house.test.toml",
            crate::harness::TESTS.replacen("expect", "exp|ect", 1),
            &["**expect** everything that is sent"],
        ),
        (
            "rules.toml",
            RULES.replacen("event.key == 60", "ro|und(event.key) == 60", 1),
            &["`round(x)`"],
        ),
    ] {
        let said = hover(name, &marked);
        for word in words {
            let line = marked.lines().find(|line| line.contains('|'));
            assert!(said.contains(word), "{line:?}: {said}");
        }
    }
    assert_eq!(
        hover("rules.toml", &RULES.replacen("\"5m\"", "\"5|m\"", 1)),
        ""
    );
}

#[test]
fn what_runs_says_what_it_is_now() {
    let mut editor = Editor::with_values(Box::new(Echo));
    let mut said = |marked: &str| {
        let answer = editor.ask_at("textDocument/hover", "rules.toml", marked, &json!({}));
        answer["contents"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let channel = said(&RULES.replacen("hall.lamp.on", "hall.la|mp.on", 1));
    assert!(
        channel.ends_with("now: **value of hall.lamp**"),
        "{channel}"
    );
    let rule = said(&RULES.replacen("[rule.key", "[rule.k|ey", 1));
    assert!(!rule.contains("now:"), "{rule}");
}
