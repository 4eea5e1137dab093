//! The mappings of the past, by their hash.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Weak},
};

use mapping::Program;
use store::{DatabaseReader, MappingHash};

use crate::{archive, recent::Recent};

/// Mappings that are kept compiled: a large house with hundreds of edits would not fit in the memory of a small machine.
pub(crate) const KEPT_MAX: usize = 16;

/// Finds the program of a hash; those used last are kept.
#[derive(Debug)]
pub struct Programs {
    recent: Recent<[u8; 32], Arc<Program>>,
    /// All that were, whoever holds them still.
    compiled: Vec<Weak<Program>>,
    stand_ins: Vec<StandIn>,
    /// What stands in for each: always the same, for its places are used in what was made of it before.
    standing_in: BTreeMap<[u8; 32], Arc<Program>>,
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            recent: Recent::new(KEPT_MAX),
            compiled: Vec::new(),
            stand_ins: Vec::new(),
            standing_in: BTreeMap::new(),
        }
    }
}

/// A mapping of the past that can't be used; another one stood in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// The mapping that was in force.
    pub hash: MappingHash,
    /// Why it can't be used.
    pub why: String,
}

impl fmt::Display for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = self.hash.to_string();
        let short = hash.get(..8).unwrap_or_default();
        write!(
            f,
            "the mapping {short} that was in force then can't be used ({}); another one stands in, and what it says may differ",
            self.why.trim_end()
        )
    }
}

impl Programs {
    /// Knows this one without asking the archive.
    #[must_use]
    pub fn knowing(program: Arc<Program>) -> Self {
        let mut programs = Self::default();
        programs.recent.add(program.hash, program);
        programs
    }

    /// The program of `hash`.
    ///
    /// # Errors
    /// It is not archived, or this version does not take it any more: said for people.
    pub fn find(
        &mut self,
        database: &DatabaseReader,
        hash: MappingHash,
    ) -> Result<Arc<Program>, String> {
        if let Some(known) = self.recent.get(&hash.0) {
            return Ok(known);
        }
        let program = match database.mapping(hash) {
            Ok(Some(archived)) => archive::unpack(&archived)?,
            Ok(None) => return Err("it is not in the archive".to_owned()),
            Err(error) => return Err(error.to_string()),
        };
        self.compiled.push(Arc::downgrade(&program));
        self.recent.add(hash.0, Arc::clone(&program));
        Ok(program)
    }

    /// The program of `hash`; where it can't be found `instead` stands in, and that is noted: names that
    /// still exist keep their meaning.
    pub fn find_or(
        &mut self,
        database: &DatabaseReader,
        hash: MappingHash,
        instead: &Arc<Program>,
    ) -> Arc<Program> {
        if let Some(stands_in) = self.standing_in.get(&hash.0) {
            return Arc::clone(stands_in);
        }
        match self.find(database, hash) {
            Ok(program) => program,
            Err(why) => {
                self.stand_ins.push(StandIn { hash, why });
                self.standing_in.insert(hash.0, Arc::clone(instead));
                Arc::clone(instead)
            }
        }
    }

    /// How many were read and compiled.
    pub(crate) fn compiled(&self) -> usize {
        self.compiled.len()
    }

    /// How many of those are in memory, whoever holds them.
    pub(crate) fn held(&self) -> usize {
        let held = self.compiled.iter().filter(|it| it.strong_count() > 0);
        held.count()
    }

    /// The mappings that others stood in for, each once.
    #[must_use]
    pub fn stand_ins(&self) -> &[StandIn] {
        &self.stand_ins
    }
}
