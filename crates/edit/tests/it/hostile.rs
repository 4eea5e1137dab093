//! Whatever programs send: an answer comes, nothing panics, and what is refused has a place.

use edit::{Edit, House, Pointer, import};
use proptest::prelude::*;

use crate::houses::{choices, house};

fn check_import(json: &str) {
    match import(json) {
        Ok(imported) => assert!(!imported.analysis().loaded.has_errors()),
        Err(problems) => {
            assert!(problems.iter().any(|problem| problem.is_error), "{json}");
            for problem in problems {
                assert!(!problem.message.is_empty());
                assert!(Pointer::read(&problem.at.to_string()).is_ok() || problem.at.0.is_empty());
            }
        }
    }
}

/// A JSON value, often with words of the language in it.
fn values() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "format",
        "rule",
        "device",
        "io",
        "kind",
        "dimmer",
        "when",
        "do",
        "if",
        "set",
        "hall",
        "hall.lamp.on",
        "test",
        "steps",
        "scene",
        "group",
        "var",
        "home",
        "timezone",
        "${",
        "true && (",
        "*.offline",
        "",
        "\u{0}",
        "ä\"\\",
        "5m",
        "mqtt",
        "id",
        "for",
        "start",
        "include",
        "mapping.toml",
        "[x]",
        "a\nb",
    ]);
    let text = words.prop_map(|word| serde_json::to_string(word).expect("it is JSON"));
    let leaf = prop_oneof![
        4 => text,
        1 => Just("null".to_owned()),
        1 => Just("true".to_owned()),
        1 => any::<f64>().prop_map(|number| format!("{number:?}")),
        1 => any::<i128>().prop_map(|number| number.to_string()),
        1 => "[ -~]{0,4}",
    ];
    leaf.clone().prop_recursive(6, 64, 6, move |inner| {
        let key = leaf.clone();
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec((key, inner), 0..6).prop_map(|all| {
                let all: Vec<String> = all
                    .into_iter()
                    .map(|(key, value)| format!("{key}:{value}"))
                    .collect();
                format!("{{{}}}", all.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_gets_an_answer(json in values()) {
        check_import(&json);
    }

    #[test]
    fn any_text_gets_an_answer(text in "\\PC{0,60}") {
        check_import(&text);
    }

    #[test]
    fn a_damaged_house_gets_an_answer(choices in choices(), at in 0_usize..10_000, cut in 0_usize..30, noise in "[ -~]{0,3}") {
        let house = House::from_texts(house(&choices, None).files);
        let mut json = edit::export(house.analysis()).to_string();
        let mut start = at % json.len();
        while !json.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = (start + cut).min(json.len());
        while !json.is_char_boundary(end) {
            end -= 1;
        }
        json.replace_range(start..end.max(start), &noise);
        check_import(&json);
    }

    #[test]
    fn any_edit_of_any_house_gets_an_answer(choices in choices(), at in "(/(rule|device|scene|hall|lamp|io|do|[0-9]|[a-z]{1,3}|~0)){1,5}|\\PC{0,9}", value in values()) {
        let house = House::from_texts(house(&choices, None).files);
        let Ok(at) = Pointer::read(&at) else { return Ok(()) };
        if let Ok(change) = house.edit(&Edit::Remove { at: at.clone() }) {
            prop_assert!(!change.analysis().loaded.has_errors());
        }
        if let Ok(model) = edit::read_json(&value)
            && let Ok(change) = house.edit(&Edit::Set { at, value: model })
        {
            prop_assert!(!change.analysis().loaded.has_errors());
        }
    }
}

#[test]
fn a_very_deep_and_a_very_large_json_are_refused() {
    let deep = format!(
        "{{\"rule\":{}1{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    check_import(&deep);
    let large = format!("{{\"rule\":\"{}\"}}", "x".repeat(10_000_001));
    let problems = import(&large).expect_err("it is too large");
    assert!(problems[0].message.contains("larger than 10 MB"));
    let many = format!(
        "{{\"group\":{{{}}}}}",
        (0..20_000)
            .map(|n| format!("\"g{n}\":[]"))
            .collect::<Vec<_>>()
            .join(",")
    );
    check_import(&many);
}
