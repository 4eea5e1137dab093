//! What reading a house costs: the time of each stage, and the memory of a rule that is in force.

use std::{sync::Arc, time::Instant};

use engine::{Engine, index::Index};
use mapping::Stage;
use types::Now;

use crate::{house, report::Spread};

/// The stages of a house that comes into force, in seconds.
#[derive(Clone, Debug, Default)]
pub struct Loading {
    /// Rules of the house.
    pub rules: usize,
    /// Files to trees of TOML.
    pub parse_s: Spread,
    /// Trees to a program: names, types, expressions.
    pub compile_s: Spread,
    /// Rules against each other: lints and cycles; and its complaints in order.
    pub check_s: Spread,
    /// The index of a program's events.
    pub index_s: Spread,
    /// The first three: what `iot-control check` does.
    pub whole_s: Spread,
}

/// Reads a house of `rules` rules from memory.
///
/// # Panics
/// The house doesn't check: the generator is wrong.
#[must_use]
pub fn measure(rules: usize, rounds: usize) -> Loading {
    let files = house::files(rules);
    let mut stages: [Vec<f64>; 5] = Default::default();
    for _ in 0..rounds {
        let texts = files.clone();
        let (start, mut reached) = (Instant::now(), Vec::new());
        let mut note = |stage: Stage| reached.push((stage, start.elapsed().as_secs_f64()));
        let loaded = mapping::load_texts_in_stages(texts, &mut note);
        let whole = start.elapsed().as_secs_f64();
        let program = loaded.program.expect("the bench's house checks");
        let start = Instant::now();
        std::hint::black_box(Index::new(&program));
        let index = start.elapsed().as_secs_f64();
        let at = |wanted| {
            let mut all = reached.iter();
            all.find(|(stage, _)| *stage == wanted)
                .map_or(whole, |(_, at)| *at)
        };
        let parsed = at(Stage::Parsed);
        let compiled = at(Stage::Compiled);
        let parts = [parsed, compiled - parsed, whole - compiled, index, whole];
        for (stage, part) in stages.iter_mut().zip(parts) {
            stage.push(part);
        }
    }
    let [parse_s, compile_s, check_s, index_s, whole_s] = stages.map(Spread::of);
    Loading {
        rules,
        parse_s,
        compile_s,
        check_s,
        index_s,
        whole_s,
    }
}

/// Memory of houses in force, in bytes: program and engine.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Rules of the house.
    pub rules: usize,
    /// The house.
    pub bytes: usize,
    /// The same devices without a rule.
    pub devices_bytes: usize,
    /// A house with next to nothing in it.
    pub bare_bytes: usize,
}

impl Memory {
    /// What a rule takes by itself.
    #[must_use]
    pub fn of_rule(&self) -> f64 {
        self.bytes.saturating_sub(self.devices_bytes) as f64 / self.rules as f64
    }

    /// The same with its share of the devices.
    #[must_use]
    pub fn of_rule_and_devices(&self) -> f64 {
        self.bytes.saturating_sub(self.bare_bytes) as f64 / self.rules as f64
    }
}

/// Counts what a program and its engine keep. `allocated` tells how many bytes the allocator has given out.
///
/// # Panics
/// The house doesn't check: the generator is wrong.
#[must_use]
pub fn memory(rules: usize, allocated: impl Fn() -> usize) -> Memory {
    let kept = |files: &dyn Fn() -> Vec<(String, String)>| {
        let before = allocated();
        let program = house::program(files()).expect("the bench's house checks");
        let engine = Engine::new(Arc::clone(&program), Now::default());
        let after = allocated();
        drop((program, engine));
        after.saturating_sub(before)
    };
    // Tables that all houses share are built with the first one.
    kept(&|| house::files(0));
    Memory {
        rules,
        bare_bytes: kept(&|| house::files(0)),
        devices_bytes: kept(&|| house::without_rules(house::files(rules))),
        bytes: kept(&|| house::files(rules)),
    }
}
