//! What stands beside the name of a command or of an event: its arguments, its fields.

use super::Compiler;
use crate::{
    constant,
    diagnostic::Diagnostic,
    program::{Field, Operand, Program},
    read::{Key, Node, Table, Text},
};

/// A table that names a command or an event.
pub(super) struct Beside<'a> {
    /// The key that names it.
    pub form: &'static str,
    /// What stands there.
    pub name: &'a Text<'a>,
    /// What can stand beside it.
    pub declared: &'a [Field],
}

impl Beside<'_> {
    /// All that is declared, in its order: as written, or the defaults. `strange` says what is wrong with a key that is
    /// not declared.
    pub(super) fn operands(
        &self,
        compiler: &mut Compiler<'_, '_>,
        table: &Table<'_>,
        strange: impl Fn(&Program, &Key<'_>) -> Diagnostic,
    ) -> Option<Vec<Operand>> {
        let given: Vec<(Key<'_>, Node<'_>)> = table
            .entries()
            .into_iter()
            .filter(|(key, _)| key.name != self.form)
            .collect();
        let mut sound = true;
        for (key, _) in &given {
            if self.declared.iter().all(|field| *field.name != *key.name) {
                let error = strange(&compiler.house.program, key);
                compiler.house.report.push(error);
                sound = false;
            }
        }
        let mut operands = Vec::with_capacity(self.declared.len());
        for field in self.declared {
            let found = given.iter().find(|(key, _)| key.name == &*field.name);
            match (found, &field.default) {
                (Some((_, node)), _) => {
                    let what = format!("`{}`", field.name);
                    operands.extend(compiler.operand(*node, &field.ty, &what));
                }
                (None, Some(default)) => operands.push(Operand::Const(default.clone())),
                (None, None) if sound => {
                    let message = format!("`{}` needs its field `{}`", self.name.text, field.name);
                    let error = Diagnostic::error("missing-key", table.span.clone(), message);
                    let example = constant::example(&field.ty);
                    let help = format!("add for example {} = {example}", field.name);
                    compiler.house.report.push(error.help(help));
                }
                (None, None) => {}
            }
        }
        (operands.len() == self.declared.len() && sound).then_some(operands)
    }
}
