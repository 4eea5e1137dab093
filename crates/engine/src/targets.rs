//! What writing a target means for each kind of channel: one desired value per field, kept absolute.
//!
//! Called by the engine's cascade. The rules are those of the kinds: on a lamp a brightness above
//! zero switches on and zero switches off keeping the last; hue and saturation exclude kelvin, the later one
//! wins; toggle and steps count from the target. Must not know who writes or what is sent.

use mapping::program::{ChannelIx, Program, SlotIx};
use types::{Type, Value};

use crate::house::House;

/// How a channel's fields hang together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    on: Option<SlotIx>,
    brightness: Option<SlotIx>,
    /// Hue and saturation.
    color: [Option<SlotIx>; 2],
    kelvin: Option<SlotIx>,
}

impl Shape {
    /// The shape of `channel`: what has a brightness, of whatever kind, is a lamp.
    pub(crate) fn of(program: &Program, channel: ChannelIx) -> Self {
        let slot = |name| program.slot(channel, name);
        let brightness = slot("brightness").filter(|slot| program.is_brightness(*slot));
        if brightness.is_none() {
            return Self::default();
        }
        Self {
            on: slot("on"),
            brightness,
            color: [slot("hue"), slot("saturation")],
            kelvin: slot("kelvin"),
        }
    }

    /// A computed value made to fit what can be written to `slot`: rounded and clamped. A brightness may
    /// also be zero, which switches off. `None`: no such value.
    pub(crate) fn fit(&self, program: &Program, slot: SlotIx, value: Value) -> Option<Value> {
        let ty = &program[slot].ty;
        match ty {
            Type::Int { max, .. } if self.brightness == Some(slot) => {
                let from_zero = Type::Int {
                    min: 0.0,
                    max: *max,
                };
                from_zero.fit(value)
            }
            _ => ty.fit(value),
        }
    }

    /// What `fields`, written together, mean: calls `write` with each field to write, `None` to forget one.
    pub(crate) fn spread(
        &self,
        fields: &[(SlotIx, Value)],
        mut write: impl FnMut(SlotIx, Option<Value>),
    ) {
        let mut implied_on = None;
        for (slot, value) in fields {
            let slot = *slot;
            if self.brightness == Some(slot) {
                let lit = value.as_number().is_some_and(|percent| percent > 0.0);
                implied_on = Some(lit);
                if !lit {
                    continue;
                }
            }
            if self.kelvin == Some(slot) {
                self.color
                    .iter()
                    .flatten()
                    .for_each(|slot| write(*slot, None));
            }
            if self.color.contains(&Some(slot))
                && let Some(kelvin) = self.kelvin
            {
                write(kelvin, None);
            }
            write(slot, Some(value.clone()));
        }
        if let (Some(lit), Some(on)) = (implied_on, self.on)
            && fields.iter().all(|(slot, _)| *slot != on)
        {
            write(on, Some(Value::Bool(lit)));
        }
    }

    /// The fields of a step by `by`: unknown counts as the smallest value, and a step down does not switch
    /// an off lamp on.
    pub(crate) fn step(
        &self,
        program: &Program,
        house: &House,
        slot: SlotIx,
        by: f64,
    ) -> Vec<(SlotIx, Value)> {
        let ty = &program[slot].ty;
        let smallest = match ty {
            Type::Int { min, .. } | Type::Number { min, .. } if min.is_finite() => *min,
            _ => 0.0,
        };
        let from = house.target(slot).and_then(Value::as_number);
        let Some(value) = ty.fit(Value::Number(from.unwrap_or(smallest) + by)) else {
            return Vec::new();
        };
        let mut fields = vec![(slot, value)];
        if by < 0.0
            && self.brightness == Some(slot)
            && let Some(on) = self.on
        {
            let lit = house.target(on).and_then(Value::as_bool);
            fields.push((on, Value::Bool(lit.unwrap_or(false))));
        }
        fields
    }
}

/// The bool that a toggle writes: unknown counts as off.
pub(crate) fn toggled(house: &House, slot: SlotIx) -> Value {
    let on = house.target(slot).and_then(Value::as_bool);
    Value::Bool(!on.unwrap_or(false))
}

/// The whole absolute target of `channel`: all known settable fields, in slot order.
pub(crate) fn absolute(
    program: &Program,
    house: &House,
    channel: ChannelIx,
) -> Vec<(SlotIx, Value)> {
    let slots = program[channel].slots.iter();
    slots
        .filter(|slot| program[**slot].settable)
        .filter_map(|slot| Some((*slot, house.target(*slot)?.clone())))
        .collect()
}
