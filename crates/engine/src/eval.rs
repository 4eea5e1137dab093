//! Runs compiled expressions over a view of the house.
//!
//! Called by the engine for conditions, `holds` and `${..}`. Types were checked at load, so the only
//! way to fail is *unknown*. Must not change anything but the list of seen values.

use mapping::program::{self, DeviceIx, Expr, SlotIx, Sun, VarIx};
use types::Value;

use crate::decision::Seen;

/// What expressions can read. Everything but `var` and `online` may be unknown.
pub trait View {
    /// Reported state; `None`: never reported, or stale.
    fn state(&self, slot: SlotIx) -> Option<&Value>;
    /// Seconds since the last report; `None` before the first.
    fn age(&self, slot: SlotIx) -> Option<f64>;
    /// Desired state.
    fn target(&self, slot: SlotIx) -> Option<&Value>;
    /// A variable.
    fn var(&self, var: VarIx) -> &Value;
    /// Whether a device is there.
    fn online(&self, device: DeviceIx) -> bool;
    /// A field of the event, by its place in the rule's list of event fields.
    fn event(&self, field: u8) -> Option<&Value>;
    /// `sun.*`.
    fn sun(&self, sun: Sun) -> Option<Value>;
    /// `now.*`.
    fn now(&self, now: program::Now) -> Option<Value>;
}

/// The value of `expr`; `None`: unknown. Appends what was read to `seen`, in the order in which it was read.
pub fn eval(_expr: &Expr, _view: &impl View, _seen: &mut Vec<Seen>) -> Option<Value> {
    None
}

/// The truth of `expr` after Kleene; `None`: unknown. Appends what was read to `seen`.
pub fn truth(_expr: &Expr, _view: &impl View, _seen: &mut Vec<Seen>) -> Option<bool> {
    None
}
