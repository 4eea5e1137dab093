//! No text may crash the front end, and every complaint lies inside the text.

use proptest::prelude::*;

use super::{
    super::{Scope, condition, template, value, whole_hole},
    here,
    house::{events, house},
};

/// Pieces of the language, so that random texts get past the parser.
const WORDS: [&str; 48] = [
    "event",
    "event.key",
    "event.velocity",
    "state.hall.lux",
    "state.hall.lamp",
    ".on",
    ".",
    "(",
    ")",
    "[",
    "]",
    ",",
    "&&",
    "||",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "?",
    ":",
    "1",
    "0",
    "2.5",
    "'open'",
    "'",
    "\"",
    "true",
    "false",
    "var.night",
    "var.comfort",
    "people.all(p,",
    "lights.count(l,",
    "p",
    "l.on",
    "has(",
    "age(",
    "sun.elevation",
    "state.door.contact",
    "${",
];

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(&WORDS[..]);
    prop::collection::vec(word, 0..24).prop_map(|words| words.join(" "))
}

fn compile_every_way(text: &str) -> Result<(), TestCaseError> {
    let program = house();
    let events = events(&program, &["piano.keys.press"]);
    let mut scope = Scope::new(&program, &events);
    let mut errors = Vec::new();
    let results = [
        condition(text, &here, &mut scope).err(),
        value(text, &here, &mut scope, None).err(),
        template(text, &here, &mut scope).err(),
    ];
    for result in results.into_iter().flatten() {
        prop_assert!(!result.is_empty(), "refused without a reason");
        errors.extend(result);
    }
    let _ = whole_hole(text);
    for diagnostic in errors.iter().chain(&scope.warnings) {
        for label in &diagnostic.labels {
            prop_assert!(
                text.get(label.span.bytes.clone()).is_some(),
                "{diagnostic:?}"
            );
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_text_crashes_the_front_end(text in any::<String>()) {
        compile_every_way(&text)?;
    }

    #[test]
    fn no_mix_of_words_crashes_the_front_end(text in words()) {
        compile_every_way(&text)?;
    }
}

#[test]
fn deep_and_long_texts_end_with_a_message() {
    for text in [
        "(".repeat(900),
        "!".repeat(900),
        "-".repeat(900),
        "[".repeat(900),
        "true?".repeat(190),
        "1+".repeat(499),
        format!("1{}", "+1".repeat(499)),
        "x".repeat(2_000),
        "people.all(p,".repeat(70),
    ] {
        let program = house();
        let mut scope = Scope::new(&program, &[]);
        let errors = value(&text, &here, &mut scope, None).unwrap_err();
        assert!(errors[0].code.starts_with("expression-too-"), "{errors:?}");
    }
}

#[test]
fn nested_groups_are_cut_before_they_explode() {
    let mut program = house();
    let member = program.channel_by_path("phones.anna").unwrap();
    program
        .names
        .groups
        .insert("crowd".into(), vec![member; 100]);
    let mut scope = Scope::new(&program, &[]);
    let text = "crowd.all(a, crowd.all(b, crowd.all(c, a == b && b == c)))";
    let errors = condition(text, &here, &mut scope).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].code, "expression-too-costly");
}
