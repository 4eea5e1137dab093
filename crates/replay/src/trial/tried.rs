//! What the things of each mapping that was in force are in the one that is tried.

use std::{collections::BTreeMap, sync::Arc};

use mapping::{Program, program::Kin};
use types::InputNo;

use crate::{
    heirs::{Heirs, Toward},
    history::History,
    target::Target,
    way::{again, owner},
};

/// A mapping that is tried; it may have been in force, once or more often.
pub(super) struct Tried<'h> {
    history: &'h History,
    program: Arc<Program>,
    /// By the place where it was in force, [`History::mappings`]'s length where it was not, and whether it is come to from behind.
    ways: BTreeMap<(usize, bool), Toward>,
}

impl<'h> Tried<'h> {
    pub(super) fn new(history: &'h History, program: Arc<Program>) -> Self {
        Self {
            history,
            program,
            ways: BTreeMap::new(),
        }
    }

    /// Of `program`, in force after input `no`: by way of the mappings between, since an edit shows who is who only for as long
    /// as no other one follows it.
    pub(super) fn heirs(&mut self, no: InputNo, program: &Arc<Program>) -> Heirs {
        if program.hash == self.program.hash {
            return Heirs::new(program, &self.program);
        }
        let at = self.history.mapping_after(no, program.hash);
        match self.place(at) {
            place if place > at => self.on(at, program, place),
            place => self.back(at, program, place),
        }
    }

    /// Where it was in force: last before the mapping at `at` or there, else first behind that.
    fn place(&self, at: usize) -> usize {
        let mappings = self.history.mappings().iter().enumerate();
        let here = mappings.filter(|(_, (_, hash))| hash.0 == self.program.hash);
        let places: Vec<usize> = here.map(|(place, _)| place).collect();
        let before = places.iter().rfind(|place| **place <= at);
        let place = before.or_else(|| places.first());
        place.copied().unwrap_or(self.history.mappings().len())
    }

    fn on(&mut self, at: usize, program: &Arc<Program>, end: usize) -> Heirs {
        let history = self.history;
        let all = history.mappings().len();
        let tried = Arc::clone(&self.program);
        let step = |distance: usize| match end - distance {
            last if last + 1 == all => Arc::new(Heirs::new(&history.mapping(last), &tried)),
            at => history.step(at),
        };
        let way = self.ways.entry((end, false)).or_default();
        let mut heirs = if history.mapping(at).hash == program.hash {
            Heirs::clone(&way.from(end - at, step))
        } else {
            // It was in force too shortly for a snapshot.
            let next = match at + 1 < all {
                true => history.mapping(at + 1),
                false => Arc::clone(&tried),
            };
            way.through(&Heirs::new(program, &next), end - at - 1, step)
        };
        if end == all {
            self.find_again(&mut heirs);
        }
        heirs
    }

    fn back(&mut self, at: usize, program: &Arc<Program>, end: usize) -> Heirs {
        let history = self.history;
        let step = |distance: usize| Arc::new(history.step(end + distance - 1).reversed());
        let way = self.ways.entry((end, true)).or_default();
        if history.mapping(at).hash == program.hash {
            return match at - end {
                // Its own archive can't be read, and another mapping stands for it.
                0 => Heirs::new(program, &self.program),
                distance => Heirs::clone(&way.from(distance, step)),
            };
        }
        let first = Heirs::new(&history.mapping(at), program).reversed();
        way.through(&first, at - end, step)
    }

    /// Whoever tries an edit of an older mapping has in it again what went meanwhile: under the name of then, where that is
    /// nobody's in the mapping in force last.
    fn find_again(&self, heirs: &mut Heirs) {
        let last = Heirs::new(self.history.program(), &self.program);
        for gone in heirs.gone() {
            let (was, is) = heirs.programs();
            let device = owner(was, &gone).and_then(|device| heirs.device(device));
            let found = again(was, &gone, device, is);
            let is_nobodys =
                |target: &Target| crate::lineage::over(&last.before(), target).is_none();
            if let Some(found) = found.filter(is_nobodys) {
                heirs.pair(&gone, &found);
            }
        }
    }
}
