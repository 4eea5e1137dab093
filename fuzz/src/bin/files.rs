//! A house's files: any text is read, complained about and drawn; a house that checks runs its tests.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (rules, tests) = text.split_once("\n---\n").unwrap_or((text, ""));
    let files = [("mapping.toml", rules), ("tests/a.test.toml", tests)];
    let loaded = mapping::load_texts(files);
    let drawn = mapping::render(&loaded.sources, &loaded.diagnostics, false);
    assert_eq!(drawn.is_empty(), loaded.diagnostics.is_empty());
    let Some(program) = &loaded.program else {
        assert!(loaded.has_errors(), "no house and no error");
        return;
    };
    let limits = dispatcher::rehearsal::Limits {
        test: 10_000,
        house: 30_000,
    };
    let mut rehearsal = dispatcher::rehearsal::Rehearsal::within(program, limits);
    for test in &loaded.tests {
        let _ = rehearsal.run(test);
    }
});
