//! Several houses in one program: more rules than anybody writes, without the time of reading them. Called by the bench
//! of matching.

use std::sync::Arc;

use mapping::{
    Program,
    program::{
        Action, CarriedValue, ChannelIx, CommandEffect, Condition, DeviceIx, EventIx, Expr,
        Operand, Piece, Rule, SlotIx, Template, TimerIx, Trigger, VarIx,
    },
};

/// `times` copies of a house side by side. Names are those of the first one: only numbers tell them apart.
#[must_use]
pub fn side_by_side(house: &Program, times: u32) -> Arc<Program> {
    let mut all = house.clone();
    for copy in 1..times {
        Shift { house, copy }.add_to(&mut all);
    }
    Arc::new(all)
}

/// Moves what speaks of one house's tables to where the copy's rows stand.
struct Shift<'h> {
    house: &'h Program,
    copy: u32,
}

impl Shift<'_> {
    fn by(&self, rows: usize) -> u32 {
        self.copy * rows as u32
    }

    fn device(&self, ix: &mut DeviceIx) {
        ix.0 += self.by(self.house.devices.len());
    }

    fn channel(&self, ix: &mut ChannelIx) {
        ix.0 += self.by(self.house.channels.len());
    }

    fn slot(&self, ix: &mut SlotIx) {
        ix.0 += self.by(self.house.slots.len());
    }

    fn event(&self, ix: &mut EventIx) {
        ix.0 += self.by(self.house.events.len());
    }

    fn var(&self, ix: &mut VarIx) {
        ix.0 += self.by(self.house.vars.len());
    }

    fn timer(&self, ix: &mut TimerIx) {
        ix.0 += self.by(self.house.timers.len());
    }

    fn add_to(&self, all: &mut Program) {
        for mut device in self.house.devices.iter().cloned() {
            device.channels.iter_mut().for_each(|ix| self.channel(ix));
            self.event(&mut device.online);
            self.event(&mut device.offline);
            all.devices.push(device);
        }
        for mut channel in self.house.channels.iter().cloned() {
            self.device(&mut channel.device);
            channel.slots.iter_mut().for_each(|ix| self.slot(ix));
            channel.events.iter_mut().for_each(|ix| self.event(ix));
            for command in &mut channel.commands {
                match &mut command.effect {
                    CommandEffect::Set(fields) => {
                        fields.iter_mut().for_each(|(slot, _)| self.slot(slot));
                    }
                    CommandEffect::Toggle(slot) | CommandEffect::Step { slot, .. } => {
                        self.slot(slot);
                    }
                    CommandEffect::Momentary => {}
                }
            }
            all.channels.push(channel);
        }
        for mut slot in self.house.slots.iter().cloned() {
            self.channel(&mut slot.channel);
            all.slots.push(slot);
        }
        for mut event in self.house.events.iter().cloned() {
            self.device(&mut event.device);
            event.channel.iter_mut().for_each(|ix| self.channel(ix));
            for carried in &mut event.carries {
                self.slot(&mut carried.slot);
                debug_assert!(matches!(
                    carried.value,
                    CarriedValue::Const(_) | CarriedValue::Field(_)
                ));
            }
            all.events.push(event);
        }
        all.vars.extend(self.house.vars.iter().cloned());
        all.timers.extend(self.house.timers.iter().cloned());
        for mut rule in self.house.rules.iter().cloned() {
            self.rule(&mut rule);
            all.rules.push(rule);
        }
    }

    fn rule(&self, rule: &mut Rule) {
        for trigger in &mut rule.triggers {
            match trigger {
                Trigger::Event { event, .. } | Trigger::Chord { event, .. } => self.event(event),
                Trigger::Gesture { channel, .. } => self.channel(channel),
                Trigger::Sequence { steps, .. } => {
                    for step in steps {
                        step.events
                            .iter_mut()
                            .for_each(|one| self.event(&mut one.event));
                        step.condition
                            .iter_mut()
                            .for_each(|one| self.condition(one));
                    }
                }
                Trigger::Holds { condition, .. } => self.condition(condition),
                Trigger::Timer(timer) => self.timer(timer),
                Trigger::At { .. } | Trigger::Cron(_) | Trigger::Sun { .. } => {}
            }
        }
        rule.condition
            .iter_mut()
            .for_each(|one| self.condition(one));
        rule.actions
            .iter_mut()
            .for_each(|action| self.action(action));
    }

    fn action(&self, action: &mut Action) {
        match action {
            Action::Set {
                channel, fields, ..
            } => {
                self.channel(channel);
                for (slot, operand) in fields {
                    self.slot(slot);
                    self.operand(operand);
                }
            }
            Action::Command { channel, args, .. } => {
                self.channel(channel);
                args.iter_mut().for_each(|operand| self.operand(operand));
            }
            Action::Start { timer, .. } | Action::Stop(timer) => self.timer(timer),
            Action::Hold { channel, .. } => self.channel(channel),
            Action::Wait(_) => {}
            Action::Var { var, to } => {
                self.var(var);
                self.operand(to);
            }
            Action::Emit { event, fields } => {
                self.event(event);
                fields.iter_mut().for_each(|operand| self.operand(operand));
            }
            Action::Notify {
                text: Template(pieces),
                ..
            } => {
                for piece in pieces {
                    if let Piece::Expr(expr) = piece {
                        self.expr(expr);
                    }
                }
            }
        }
    }

    fn operand(&self, operand: &mut Operand) {
        if let Operand::Expr(expr) = operand {
            self.expr(expr);
        }
    }

    fn condition(&self, condition: &mut Condition) {
        self.expr(&mut condition.expr);
    }

    fn expr(&self, expr: &mut Expr) {
        match expr {
            Expr::Const(_) | Expr::EventField(_) | Expr::Sun(_) | Expr::Now(_) => {}
            Expr::State(slot) | Expr::Target(slot) | Expr::Has(slot) | Expr::Age(slot) => {
                self.slot(slot);
            }
            Expr::Var(var) => self.var(var),
            Expr::Online(device) => self.device(device),
            Expr::Not(inner) | Expr::Neg(inner) | Expr::In(inner, _) => self.expr(inner),
            Expr::And(parts) | Expr::Or(parts) | Expr::Count(parts) | Expr::Call(_, parts) => {
                parts.iter_mut().for_each(|part| self.expr(part));
            }
            Expr::Binary(_, sides) => {
                self.expr(&mut sides.0);
                self.expr(&mut sides.1);
            }
            Expr::If(parts) => {
                self.expr(&mut parts.0);
                self.expr(&mut parts.1);
                self.expr(&mut parts.2);
            }
        }
    }
}
