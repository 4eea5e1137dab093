//! Actions about time: `{ wait = ".." }`.

use super::Compiler;
use crate::{program::Action, read::Table, units};

/// `{ wait = "2s" }`.
pub(super) fn wait(compiler: &mut Compiler<'_, '_>, table: &Table<'_>) -> Option<Action> {
    let node = table.field("wait")?;
    units::some_duration(node, &mut compiler.house.report, "`wait`").map(Action::Wait)
}
