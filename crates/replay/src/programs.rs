//! The mappings of the past, by their hash.

use std::{collections::BTreeMap, fmt, sync::Arc};

use mapping::Program;
use store::{DatabaseReader, MappingHash};

use crate::archive;

/// Finds the program of a hash, each read once.
#[derive(Debug, Default)]
pub struct Programs {
    known: BTreeMap<[u8; 32], Arc<Program>>,
    stand_ins: Vec<StandIn>,
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
    /// Knows these without asking the archive.
    #[must_use]
    pub fn knowing(programs: impl IntoIterator<Item = Arc<Program>>) -> Self {
        let known = programs.into_iter().map(|program| (program.hash, program));
        Self {
            known: known.collect(),
            stand_ins: Vec::new(),
        }
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
        if let Some(known) = self.known.get(&hash.0) {
            return Ok(Arc::clone(known));
        }
        let program = match database.mapping(hash) {
            Ok(Some(archived)) => archive::unpack(&archived)?,
            Ok(None) => return Err("it is not in the archive".to_owned()),
            Err(error) => return Err(error.to_string()),
        };
        self.known.insert(hash.0, Arc::clone(&program));
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
        match self.find(database, hash) {
            Ok(program) => program,
            Err(why) => {
                self.known.insert(hash.0, Arc::clone(instead));
                self.stand_ins.push(StandIn { hash, why });
                Arc::clone(instead)
            }
        }
    }

    /// How many are known.
    pub(crate) fn count(&self) -> usize {
        self.known.len()
    }

    /// The mappings that others stood in for, each once.
    #[must_use]
    pub fn stand_ins(&self) -> &[StandIn] {
        &self.stand_ins
    }
}
