//! What an expression reads: which changes, and which moments, can change its value.
//!
//! Called by the engine when it takes a program, for `holds`. Must not know values.

use mapping::program::{DeviceIx, Expr, SlotIx, VarIx};

/// What an expression reads. Each list is sorted and free of duplicates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependencies {
    /// Reported state, also inside `has(..)`; those with `stale_after` turn unknown by time alone.
    pub states: Vec<SlotIx>,
    /// Desired state.
    pub targets: Vec<SlotIx>,
    /// Variables.
    pub vars: Vec<VarIx>,
    /// Whether devices are there.
    pub devices: Vec<DeviceIx>,
    /// Ages of state: change with time and with each report.
    pub ages: Vec<Age>,
    /// Whether `now.*` is read.
    pub now: bool,
    /// Whether `sun.*` is read.
    pub sun: bool,
}

/// One `age(..)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Age {
    /// Of which state.
    pub slot: SlotIx,
    /// Seconds with which it is compared, ascending: between them its comparisons don't change.
    pub thresholds_s: Vec<f64>,
    /// Whether it is also read in another way than compared with a constant: any moment may matter.
    pub any_moment: bool,
}

impl Dependencies {
    /// What `expr` reads.
    #[must_use]
    pub fn of(_expr: &Expr) -> Self {
        Self::default()
    }
}
