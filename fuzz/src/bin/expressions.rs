//! Expressions: any text as a condition and as a computed value; what checks is evaluated over some events.

#![no_main]

use std::fmt::Write as _;

use dispatcher::{Blocklist, Config, Dispatcher, Effects, Message, Publisher};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut quoted = String::new();
    for letter in text.chars() {
        let _ = write!(quoted, "\\U{:08X}", u32::from(letter));
    }
    let rules = format!(
        "[rule.a]\nwhen = \"desk.keys.press\"\nif = \"{quoted}\"\ndo = \"desk.lamp.toggle\"\n\
         [rule.b]\nwhen = \"hall.temp.changed\"\ndo = {{ set = \"hall.lamp\", brightness = \"${{{quoted}}}\" }}\n"
    );
    let Some(program) = fuzz::house_with(&rules) else {
        return;
    };
    let mut dispatcher = Dispatcher::new(
        program,
        Config::default(),
        Blocklist::default(),
        fuzz::now(0),
    );
    let mut effects = Effects::default();
    let said = [
        (
            "desk",
            "iot/desk/keys/event",
            r#"{"event":"press","key":60,"velocity":80}"#,
        ),
        ("hall", "iot/hall/temp/state", r#"{"temperature":21.5}"#),
        ("hall", "iot/hall/lux/state", r#"{"lux":0}"#),
        (
            "desk",
            "iot/desk/keys/event",
            r#"{"event":"press","key":127,"velocity":1}"#,
        ),
        ("hall", "iot/hall/temp/state", r#"{"temperature":-40}"#),
    ];
    for (second, (device, topic, payload)) in (1..).zip(said) {
        let now = fuzz::now(second);
        let device = dispatcher
            .program()
            .device(device)
            .expect("the house has it");
        let message = Message {
            topic,
            payload: payload.as_bytes(),
            retain: false,
            will: None,
        };
        let Ok(admitted) = dispatcher.admit(now, &Publisher::Device(device), &message) else {
            continue;
        };
        if let Some(input) = admitted.input {
            effects.clear();
            dispatcher.apply(now, input, &mut effects);
        }
    }
});
