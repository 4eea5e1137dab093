//! Computed values made to fit where they go: rounded where only whole numbers fit, clamped to the range. Clamping
//! is noted: whoever computes 130 % meant something else.
//!
//! Called when actions write what they computed. Constants were checked when the house was read.

use mapping::program::RuleIx;
use types::{Type, Value};

use crate::{cascade::Core, decision::Did};

impl Core {
    /// `value` as something of type `ty` takes it; `fit` makes it so, `name` says where it goes.
    pub(crate) fn fitted(
        &mut self,
        rule: RuleIx,
        ty: &Type,
        value: Value,
        fit: impl FnOnce(Value) -> Option<Value>,
        name: impl FnOnce() -> String,
    ) -> Option<Value> {
        let computed = value.as_number();
        let taken = fit(value)?;
        if let (Some(computed), Some(number)) = (computed, taken.as_number())
            && is_clamped(ty, computed, number)
        {
            let what = name();
            let did = Did::Clamped {
                what,
                computed,
                taken: number,
            };
            self.deed(Some(rule), did);
        }
        Some(taken)
    }
}

/// Whether more happened than rounding.
fn is_clamped(ty: &Type, computed: f64, taken: f64) -> bool {
    let rounding = if matches!(ty, Type::Int { .. }) {
        0.5
    } else {
        0.0
    };
    (computed - taken).abs() > rounding
}
