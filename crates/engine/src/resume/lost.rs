//! What was lost only because it has another name now, as may be: what to write, so that it is not.
//!
//! Called where another program took over, of what did not go on. Must not choose: where several are new, it says nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mapping::program::{Program, Succession, TimerIx, VarIx};
use types::Type;

use super::Note;

/// What of a sort is new: its name, or `None` where several are.
type New = BTreeMap<Sort, Option<Arc<str>>>;

/// What may be one thing under two names, by its type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Timer,
    Bool,
    Int,
    Number,
    Text,
}

/// Adds to what is told of timers and variables that are gone what alone of their sort is new.
pub(crate) fn propose(notes: &mut [Note], succession: &Succession<'_>) {
    let mut new: Option<New> = None;
    let (old, _) = succession.programs();
    for note in notes {
        let (sort, is) = match note {
            Note::TimerCancelled { is, .. } => (Sort::Timer, is),
            Note::VarDropped { var, is } => {
                let Some(was) = old.names.vars.get(var) else {
                    continue;
                };
                // It has its name, and another type.
                if succession.var(*was).is_some() {
                    continue;
                }
                (sort(&old[*was].ty), is)
            }
            _ => continue,
        };
        let new = new.get_or_insert_with(|| all_new(succession));
        *is = new.get(&sort).cloned().flatten();
    }
}

fn all_new(succession: &Succession<'_>) -> New {
    let (old, new): (&Program, &Program) = succession.programs();
    let timers = TimerIx::all(old.timers.len()).filter_map(|was| succession.timer(was));
    let timers: BTreeSet<TimerIx> = timers.collect();
    let vars = VarIx::all(old.vars.len()).filter_map(|was| succession.var(was));
    let vars: BTreeSet<VarIx> = vars.collect();
    let timers = TimerIx::all(new.timers.len()).filter(|ix| !timers.contains(ix));
    let timers = timers.map(|ix| (Sort::Timer, &new[ix].name));
    let vars = VarIx::all(new.vars.len()).filter(|ix| !vars.contains(ix));
    let vars = vars.map(|ix| (sort(&new[ix].ty), &new[ix].name));
    let mut of_sort = New::new();
    for (sort, name) in timers.chain(vars) {
        let is_alone = !of_sort.contains_key(&sort);
        of_sort.insert(sort, is_alone.then(|| Arc::clone(name)));
    }
    of_sort
}

fn sort(ty: &Type) -> Sort {
    match ty {
        Type::Bool => Sort::Bool,
        Type::Int { .. } => Sort::Int,
        Type::Number { .. } => Sort::Number,
        Type::Text | Type::Enum(_) => Sort::Text,
    }
}
