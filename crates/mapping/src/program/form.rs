//! What conditions, triggers and actions say, as a row of numbers: equal rows, equal meaning, however it was written
//! and whatever the things are called.
//!
//! Used by lints that compare rules of one program, and by [`super::Succession`], which compares those of two. What is
//! only equal by calculation (`a + b` and `b + a`) counts as different.

use types::Value;

use super::{
    Action, ChannelIx, Condition, DeviceIx, EventIx, Expr, FieldMap, Operand, Piece, Rule,
    SequenceStep, SlotIx, Template, TimerIx, Trigger, VarIx,
};

/// Which number stands for each thing of a program.
pub(crate) trait Symbols {
    fn device(&self, device: DeviceIx) -> u64;
    fn channel(&self, channel: ChannelIx) -> u64;
    fn slot(&self, slot: SlotIx) -> u64;
    fn event(&self, event: EventIx) -> u64;
    fn var(&self, var: VarIx) -> u64;
    fn timer(&self, timer: TimerIx) -> u64;
    /// The field of `event` with this place in it.
    fn field(&self, event: EventIx, place: u8) -> u64;
    /// The command of `channel` with this place in it.
    fn command(&self, channel: ChannelIx, place: u8) -> u64;
}

/// The program's own indices.
pub(crate) struct Indices;

impl Symbols for Indices {
    fn device(&self, device: DeviceIx) -> u64 {
        device.0.into()
    }

    fn channel(&self, channel: ChannelIx) -> u64 {
        channel.0.into()
    }

    fn slot(&self, slot: SlotIx) -> u64 {
        slot.0.into()
    }

    fn event(&self, event: EventIx) -> u64 {
        event.0.into()
    }

    fn var(&self, var: VarIx) -> u64 {
        var.0.into()
    }

    fn timer(&self, timer: TimerIx) -> u64 {
        timer.0.into()
    }

    fn field(&self, _: EventIx, place: u8) -> u64 {
        place.into()
    }

    fn command(&self, _: ChannelIx, place: u8) -> u64 {
        place.into()
    }
}

/// A form that is being written. Each part begins with a number that says what it is, then how many parts follow where
/// that is not fixed: no form is the beginning of another.
pub(crate) struct Form<'a, S> {
    symbols: &'a S,
    numbers: Vec<u64>,
}

impl<'a, S: Symbols> Form<'a, S> {
    pub(crate) fn new(symbols: &'a S) -> Self {
        Self {
            symbols,
            numbers: Vec::new(),
        }
    }

    pub(crate) fn finish(self) -> Vec<u64> {
        self.numbers
    }

    /// What makes `rule` fire, under which condition, and what it does; neither its name nor how often it may.
    pub(crate) fn rule(&mut self, rule: &Rule) {
        self.all(0, &rule.triggers, Self::trigger);
        self.option(rule.condition.as_ref(), Self::condition);
        self.all(1, &rule.actions, Self::action);
    }

    pub(crate) fn trigger(&mut self, trigger: &Trigger) {
        match trigger {
            Trigger::Event { event, fields } => {
                self.put(&[0, self.symbols.event(*event)]);
                self.field_map(*event, fields);
            }
            Trigger::Gesture {
                kind,
                channel,
                hold,
                within,
            } => self.put(&[
                1,
                *kind as u64,
                self.symbols.channel(*channel),
                micros(*hold),
                micros(*within),
            ]),
            Trigger::Chord {
                event,
                field,
                values,
                within,
            } => {
                let field = self.symbols.field(*event, *field);
                self.put(&[2, self.symbols.event(*event), field, micros(*within)]);
                self.all(0, values, Self::value);
            }
            Trigger::Sequence { steps, within } => {
                self.put(&[3, micros(*within)]);
                self.all(0, steps, Self::step);
            }
            Trigger::Holds { condition, hold } => {
                self.put(&[4, micros(*hold)]);
                self.condition(condition);
            }
            Trigger::Timer(timer) => self.put(&[5, self.symbols.timer(*timer)]),
            Trigger::At { second, days } => self.put(&[6, u64::from(*second), days.0.into()]),
            Trigger::Cron(cron) => {
                self.put(&[7]);
                self.text(cron.text());
            }
            Trigger::Sun { event, offset_us } => {
                self.put(&[8, *event as u64, offset_us.cast_unsigned()]);
            }
        }
    }

    fn step(&mut self, step: &SequenceStep) {
        self.all(0, &step.events, |form, event| {
            form.put(&[form.symbols.event(event.event)]);
            form.all(0, &event.wanted, |form, (field, value)| {
                form.put(&[form.symbols.field(event.event, *field)]);
                form.value(value);
            });
            form.field_map(event.event, &event.fields);
        });
        self.option(step.condition.as_ref(), Self::condition);
    }

    fn field_map(&mut self, event: EventIx, fields: &FieldMap) {
        self.all(0, fields, |form, place| {
            form.put(&[form.symbols.field(event, *place)]);
        });
    }

    pub(crate) fn action(&mut self, action: &Action) {
        match action {
            Action::Set {
                channel,
                fields,
                fade,
                bound,
            } => {
                self.put(&[0, self.symbols.channel(*channel)]);
                self.all(0, fields, |form, (slot, operand)| {
                    form.put(&[form.symbols.slot(*slot)]);
                    form.operand(operand);
                });
                for span in [fade, bound] {
                    self.option(span.as_ref(), |form, span| form.put(&[micros(*span)]));
                }
            }
            Action::Command {
                channel,
                command,
                args,
            } => {
                let command = self.symbols.command(*channel, *command);
                self.put(&[1, self.symbols.channel(*channel), command]);
                self.all(0, args, Self::operand);
            }
            Action::Start { timer, span } => {
                self.put(&[2, self.symbols.timer(*timer), micros(*span)]);
            }
            Action::Stop(timer) => self.put(&[3, self.symbols.timer(*timer)]),
            Action::Hold { channel, span } => {
                self.put(&[4, self.symbols.channel(*channel), micros(*span)]);
            }
            Action::Wait(span) => self.put(&[5, micros(*span)]),
            Action::Var { var, to } => {
                self.put(&[6, self.symbols.var(*var)]);
                self.operand(to);
            }
            Action::Emit { event, fields } => {
                self.put(&[7, self.symbols.event(*event)]);
                self.all(0, fields, Self::operand);
            }
            Action::Notify { to, text } => {
                self.put(&[8]);
                self.text(to);
                self.template(text);
            }
        }
    }

    fn template(&mut self, template: &Template) {
        self.all(0, &template.0, |form, piece| match piece {
            Piece::Text(text) => {
                form.put(&[0]);
                form.text(text);
            }
            Piece::Expr(expr) => {
                form.put(&[1]);
                form.expr(expr, None);
            }
        });
    }

    fn operand(&mut self, operand: &Operand) {
        match operand {
            Operand::Const(value) => {
                self.put(&[0]);
                self.value(value);
            }
            Operand::Expr(expr) => {
                self.put(&[1]);
                self.expr(expr, None);
            }
        }
    }

    /// A condition by what it computes, not by its text.
    pub(crate) fn condition(&mut self, condition: &Condition) {
        self.expr(&condition.expr, None);
    }

    /// An expression. With `map`, event fields count by their place in the event, else by that in the rule's own list.
    pub(crate) fn expr(&mut self, expr: &Expr, map: Option<&[u8]>) {
        let part = |form: &mut Self, part: &Expr| form.expr(part, map);
        match expr {
            Expr::And(parts) => self.all(0, parts, part),
            Expr::Or(parts) => self.all(1, parts, part),
            Expr::Count(parts) => self.all(2, parts, part),
            Expr::Const(value) => {
                self.put(&[3]);
                self.value(value);
            }
            Expr::EventField(read) => {
                let place = match map {
                    None => Some(*read),
                    Some(map) => map.get(usize::from(*read)).copied(),
                };
                self.put(&[4, place.map_or(u64::MAX, u64::from)]);
            }
            Expr::State(slot) => self.put(&[5, self.symbols.slot(*slot)]),
            Expr::Target(slot) => self.put(&[6, self.symbols.slot(*slot)]),
            Expr::Var(var) => self.put(&[7, self.symbols.var(*var)]),
            Expr::Online(device) => self.put(&[8, self.symbols.device(*device)]),
            Expr::Sun(what) => self.put(&[9, *what as u64]),
            Expr::Now(what) => self.put(&[10, *what as u64]),
            Expr::Has(slot) => self.put(&[11, self.symbols.slot(*slot)]),
            Expr::Age(slot) => self.put(&[12, self.symbols.slot(*slot)]),
            Expr::Not(inner) => {
                self.put(&[13]);
                self.expr(inner, map);
            }
            Expr::Neg(inner) => {
                self.put(&[14]);
                self.expr(inner, map);
            }
            Expr::Binary(operator, sides) => {
                self.put(&[15, *operator as u64]);
                self.expr(&sides.0, map);
                self.expr(&sides.1, map);
            }
            Expr::If(parts) => {
                self.put(&[16]);
                for part in [&parts.0, &parts.1, &parts.2] {
                    self.expr(part, map);
                }
            }
            Expr::In(inner, values) => {
                self.all(17, values, Self::value);
                self.expr(inner, map);
            }
            Expr::Call(function, parts) => {
                self.put(&[18, *function as u64]);
                self.all(0, parts, part);
            }
        }
    }

    /// A value; numbers by their bits.
    pub(crate) fn value(&mut self, value: &Value) {
        match value {
            Value::Bool(is) => self.put(&[0, u64::from(*is)]),
            Value::Number(number) => self.put(&[1, number.to_bits()]),
            Value::Text(text) => {
                self.put(&[2]);
                self.text(text);
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.put(&[text.len() as u64]);
        for chunk in text.as_bytes().chunks(8) {
            let number = chunk
                .iter()
                .fold(0, |number, byte| (number << 8) | u64::from(*byte));
            self.put(&[number]);
        }
    }

    fn option<T>(&mut self, part: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.put(&[u64::from(part.is_some())]);
        if let Some(part) = part {
            write(self, part);
        }
    }

    fn all<T>(&mut self, tag: u64, parts: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.put(&[tag, parts.len() as u64]);
        for part in parts {
            write(self, part);
        }
    }

    fn put(&mut self, numbers: &[u64]) {
        self.numbers.extend_from_slice(numbers);
    }
}

pub(crate) fn micros(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Binary;

    fn form(expr: &Expr, map: &[u8]) -> Vec<u64> {
        let mut form = Form::new(&Indices);
        form.expr(expr, Some(map));
        form.finish()
    }

    fn number(number: f64) -> Expr {
        Expr::Const(Value::Number(number))
    }

    #[test]
    fn what_is_written_otherwise_has_another_form_and_no_form_begins_another() {
        let text = |text: &str| Expr::Const(Value::Text(text.into()));
        let both = |operator, a: Expr, b: Expr| Expr::Binary(operator, Box::new((a, b)));
        let all = [
            number(1.0),
            number(1.5),
            Expr::Const(Value::Bool(true)),
            text(""),
            text("a"),
            text("ab"),
            // What prints the same, or holds another one's words.
            text("EventField(1)"),
            text("EventField(2)"),
            Expr::EventField(0),
            Expr::State(SlotIx(1)),
            Expr::Target(SlotIx(1)),
            Expr::Has(SlotIx(1)),
            Expr::Age(SlotIx(1)),
            Expr::Var(VarIx(1)),
            Expr::Not(Box::new(Expr::Var(VarIx(1)))),
            Expr::Neg(Box::new(Expr::Var(VarIx(1)))),
            Expr::And([number(1.0), number(2.0)].into()),
            Expr::Or([number(1.0), number(2.0)].into()),
            Expr::Or([number(1.0), number(2.0), number(3.0)].into()),
            both(Binary::Lt, number(1.0), number(2.0)),
            both(Binary::Le, number(1.0), number(2.0)),
            both(Binary::Lt, number(2.0), number(1.0)),
            Expr::In(Box::new(number(1.0)), [Value::Number(2.0)].into()),
            Expr::In(Box::new(number(2.0)), [Value::Number(1.0)].into()),
        ];
        let forms: Vec<_> = all.iter().map(|expr| form(expr, &[7])).collect();
        for (at, one) in forms.iter().enumerate() {
            for (other, two) in forms.iter().enumerate() {
                let begins = two.starts_with(one);
                assert_eq!(begins, at == other, "{:?} {:?}", all[at], all[other]);
            }
        }
    }

    #[test]
    fn a_field_of_the_event_counts_by_its_place_there() {
        assert_eq!(
            form(&Expr::EventField(0), &[3, 4]),
            form(&Expr::EventField(1), &[4, 3]),
        );
        assert_ne!(
            form(&Expr::EventField(0), &[3, 4]),
            form(&Expr::EventField(0), &[4, 3]),
        );
    }
}
