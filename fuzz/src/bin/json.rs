//! The JSON form of a house: any text is imported or refused with a place; what is imported means the same when it is
//! exported and imported again.

#![no_main]

use edit::{export, import};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let imported = match import(text) {
        Ok(imported) => imported,
        Err(problems) => {
            assert!(
                problems.iter().any(|problem| problem.is_error),
                "refused without an error"
            );
            return;
        }
    };
    let model = export(imported.analysis());
    let json = serde_json::to_string(&model).expect("a model is JSON");
    let again = import(&json).expect("what was exported can be imported");
    assert!(export(again.analysis()).says_the_same(&model));
});
