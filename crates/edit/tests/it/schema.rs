//! The schema of any house takes that house, its files and its JSON.

use mapping::analyze;
use proptest::prelude::*;
use serde_json::Value as Json;

use crate::houses::{choices, house};

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_house_fits_its_own_schema(choices in choices()) {
        let house = house(&choices, None);
        let analysis = analyze(None, &house.files);
        let schema = mapping::schema(&analysis.draft);
        let validator = jsonschema::draft7::new(&schema).expect("the schema is one");
        let json: Json = serde_json::from_str(&edit::export(&analysis).to_string()).expect("it is JSON");
        let errors = validator.iter_errors(&json);
        let errors: Vec<String> = errors.map(|error| format!("{}: {error}", error.instance_path())).collect();
        prop_assert!(errors.is_empty(), "{errors:#?}");
    }
}
