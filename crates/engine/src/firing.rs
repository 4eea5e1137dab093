//! Rules: whether one fires, and what its actions do.
//!
//! Called by the cascade, in two passes for each step: first every rule that looks is judged and its computed
//! values are taken, then the actions of those that fire run in file order. So all of them see one snapshot,
//! and relative commands see what an earlier rule of the same step wrote.

use std::{hint::black_box, sync::Arc, time::Duration};

use mapping::program::{
    Action, ChannelIx, CommandEffect, EventIx, Expr, Operand, Piece, Program, Rule, RuleIx, SlotIx,
    Template, TimerIx, Trigger,
};
use types::{Now, Value};

use crate::{
    agenda::Due,
    bounds::{How, Lasts},
    cascade::{Core, Ctx, Running, What},
    decision::{Did, Disposition, Outcome, RuleTrace, Seen},
    eval::{eval, truth},
    house::{Look, Origin},
    input::Who,
    output::Cut,
    plan::{Place, holds_condition, trigger},
    runs::until_wait,
    targets::toggled,
    work::{Firing, Wished},
};

/// Causal depth at which rules are cut.
pub(crate) const DEPTH_MAX: u8 = 16;

impl Core {
    /// Judges the rules of `places`, which have no event, and runs those that fire.
    pub(crate) fn fire_places(&mut self, ctx: Ctx<'_>, now: Now, depth: u8, places: &[Place]) {
        for place in places {
            self.consider(ctx, now, depth, *place, &[]);
        }
        self.act(ctx, now, depth);
    }

    /// First pass: judges one rule and takes the values that its actions compute.
    pub(crate) fn consider(
        &mut self,
        ctx: Ctx<'_>,
        now: Now,
        depth: u8,
        place: Place,
        fields: &[Value],
    ) {
        if self.is_still {
            return;
        }
        let rule = &ctx.program[place.rule];
        self.rates.fetch(place.rule);
        fetch(rule);
        let map: &[u8] = match trigger(rule, place.trigger) {
            Some(Trigger::Event { fields, .. }) => fields,
            _ => &[],
        };
        let view = Look {
            house: &self.house,
            clock: &self.clock,
            now,
            fields,
            map,
        };
        let seen = &mut self.work.decision.seen;
        let start = seen.len() as u32;
        let holds = holds_condition(ctx.program, place);
        if let Some(edge) = holds {
            // It is true; this only writes down why.
            truth(&edge.expr, &view, seen);
        }
        let condition = rule.condition.as_ref();
        let outcome = match condition.map_or(Some(true), |c| truth(&c.expr, &view, seen)) {
            None => Outcome::Unknown,
            Some(false) => Outcome::False,
            Some(true) if depth >= DEPTH_MAX => Outcome::Depth,
            Some(true) => self.admit(ctx, now, place.rule),
        };
        match outcome {
            Outcome::Fired => self.fires(ctx, now, place.rule, (fields, map)),
            Outcome::Queued => self.queue(place.rule, picked(fields, map)),
            _ => {}
        }
        let end = self.work.decision.seen.len() as u32;
        let holds = holds.map(|_| place.trigger);
        match outcome {
            Outcome::Depth | Outcome::Fuse => self.cut(place.rule, holds, outcome, (start, end)),
            _ => self.trace(place.rule, holds, outcome, (start, end)),
        }
    }

    /// Takes the values that the actions compute which run at once.
    fn fires(&mut self, ctx: Ctx<'_>, now: Now, rule: RuleIx, (fields, map): (&[Value], &[u8])) {
        let waits = ctx.plan.waits[rule.index()];
        self.work.firing.push(Firing {
            rule,
            fields: waits.then(|| picked(fields, map)),
        });
        let view = Look {
            house: &self.house,
            clock: &self.clock,
            now,
            fields,
            map,
        };
        let (seen, operands) = (&mut self.work.decision.seen, &mut self.work.operands);
        for action in until_wait(&ctx.program[rule].actions, 0) {
            compute(action, &view, seen, &mut |value| operands.push_back(value));
        }
    }

    /// Writes down that a rule was cut; people are told.
    pub(crate) fn cut(&mut self, rule: RuleIx, holds: Option<u32>, why: Outcome, seen: (u32, u32)) {
        self.work.cuts.push(Cut { rule, why });
        self.trace(rule, holds, why, seen);
    }

    /// Writes down what came of a look; `holds` is the place of the trigger, where it is one.
    pub(crate) fn trace(
        &mut self,
        rule: RuleIx,
        holds: Option<u32>,
        outcome: Outcome,
        seen: (u32, u32),
    ) {
        let decision = &mut self.work.decision;
        decision.rules.push(RuleTrace {
            rule,
            step: u16::try_from(decision.steps.len()).unwrap_or(u16::MAX),
            holds,
            outcome,
            seen,
        });
    }

    /// Second pass: runs the actions of the rules that fire, then looks at the `holds` that these turn.
    pub(crate) fn act(&mut self, ctx: Ctx<'_>, now: Now, depth: u8) {
        let mut firing = std::mem::take(&mut self.work.firing);
        for Firing { rule, fields } in firing.drain(..) {
            if let Some(fields) = fields {
                self.begin(ctx, now, depth, rule, fields);
                continue;
            }
            for action in &ctx.program[rule].actions {
                self.action(ctx, now, depth, rule, action);
            }
        }
        self.work.firing = firing;
        self.work.operands.clear();
        self.look(ctx, now, depth);
    }

    pub(crate) fn action(
        &mut self,
        ctx: Ctx<'_>,
        now: Now,
        depth: u8,
        rule: RuleIx,
        action: &Action,
    ) {
        match action {
            Action::Set {
                channel,
                fields,
                fade,
                bound,
            } => self.set(ctx, now, rule, *channel, fields, (*fade, *bound)),
            Action::Command {
                channel,
                command,
                args,
            } => {
                let declared = &ctx.program[*channel].commands[usize::from(*command)];
                let (name, channel) = (&declared.name, *channel);
                let taken: Vec<Option<Value>> = args.iter().map(|arg| self.operand(arg)).collect();
                let values: Option<Vec<Value>> = (taken.into_iter().zip(&declared.args))
                    .map(|(value, arg)| {
                        let path =
                            || format!("{}.{name} {}", ctx.program.channel_path(channel), arg.name);
                        self.fitted(rule, &arg.ty, value?, |value| arg.ty.fit(value), path)
                    })
                    .collect();
                if self.is_kept(now, channel) {
                    self.skip(ctx, rule, Some(channel), name, Disposition::Held);
                } else if let Some(values) = values {
                    let origin = Origin::Rule(rule);
                    let how = How::plain(Some(rule), &origin);
                    self.command(ctx, now, channel, *command, values, how);
                } else {
                    self.skip(ctx, rule, Some(channel), name, Disposition::Unknown);
                }
            }
            Action::Start { timer, span } => {
                let by = Arc::clone(&ctx.program[rule].name);
                self.start_timer(now, *timer, *span, by);
                self.deed(Some(rule), Did::Starts(*timer, *span));
            }
            Action::Stop(timer) => {
                if self.stop_timer(*timer) {
                    self.deed(Some(rule), Did::Stops(*timer));
                }
            }
            Action::Hold { channel, span } => self.keep(now, *channel, *span, Some(rule)),
            // Whoever runs the actions stops here.
            Action::Wait(_) => {}
            Action::Var { var, to } => {
                let declared = &ctx.program[*var];
                let ty = &declared.ty;
                let value = self.operand(to).and_then(|value| {
                    let path = || format!("var.{}", declared.name);
                    self.fitted(rule, ty, value, |value| ty.fit(value), path)
                });
                let Some(value) = value else {
                    let text = format!("var {}=unknown", declared.name);
                    self.skip(ctx, rule, None, &text, Disposition::Unknown);
                    return;
                };
                if !self.derive(What::Var(*var, value), depth) {
                    self.cut(rule, None, Outcome::Depth, (0, 0));
                }
            }
            Action::Emit { event, fields } => self.emit(ctx, depth, rule, *event, fields),
            Action::Notify { to, .. } => {
                let text = match self.work.operands.pop_front() {
                    Some(Some(Value::Text(text))) => String::from(&*text),
                    _ => String::new(),
                };
                let to = Arc::clone(to);
                self.work.wish(Some(rule), Wished::Notify { to, text });
            }
        }
    }

    /// Lets a virtual device report an event: it queues behind what runs now.
    fn emit(&mut self, ctx: Ctx<'_>, depth: u8, rule: RuleIx, event: EventIx, fields: &[Operand]) {
        let row = &ctx.program[event];
        let mut values = Vec::with_capacity(fields.len());
        let mut unknown = None;
        for (field, operand) in row.fields.iter().zip(fields) {
            let value = self.operand(operand).and_then(|value| {
                let path = || format!("{} {}", ctx.program.event_path(event), field.name);
                self.fitted(rule, &field.ty, value, |value| field.ty.fit(value), path)
            });
            match value {
                Some(value) => values.push(value),
                None => unknown = unknown.or(Some(&field.name)),
            }
        }
        let skipped = if self.silenced[row.device.index()] {
            Some((row.name.to_string(), Disposition::Blocked))
        } else {
            let text = |name: &Arc<str>| format!("{} {name}=unknown", row.name);
            unknown.map(|name| (text(name), Disposition::Unknown))
        };
        if let Some((text, disposition)) = skipped {
            self.skip(ctx, rule, row.channel, &text, disposition);
        } else if self.derive(What::Event(event, values.clone()), depth) {
            let fields = values;
            self.work.wish(Some(rule), Wished::Event { event, fields });
        } else {
            self.cut(rule, None, Outcome::Depth, (0, 0));
        }
    }

    fn set(
        &mut self,
        ctx: Ctx<'_>,
        now: Now,
        rule: RuleIx,
        channel: ChannelIx,
        fields: &[(SlotIx, Operand)],
        (fade, bound): (Option<Duration>, Option<Duration>),
    ) {
        let shape = ctx.plan.shapes[channel.index()];
        let mut values = std::mem::take(&mut self.work.fields);
        let mut unknown = None;
        for (slot, operand) in fields {
            let fitted = match operand {
                Operand::Const(value) => Some(value.clone()),
                Operand::Expr(_) => self.operand(operand).and_then(|value| {
                    let ty = &ctx.program[*slot].ty;
                    let fit = |value| shape.fit(ctx.program, *slot, value);
                    self.fitted(rule, ty, value, fit, || ctx.program.slot_path(*slot))
                }),
            };
            match fitted {
                Some(value) => values.push((*slot, value)),
                None => unknown = unknown.or(Some(*slot)),
            }
        }
        if self.is_kept(now, channel) {
            let text = describe(ctx.program, &values);
            self.skip(ctx, rule, Some(channel), &text, Disposition::Held);
        } else if let Some(slot) = unknown {
            let text = format!("{}=unknown", ctx.program[slot].name);
            self.skip(ctx, rule, Some(channel), &text, Disposition::Unknown);
        } else {
            let origin = Origin::Rule(rule);
            let how = How {
                fade,
                lasts: bound.map_or(Lasts::ForGood, Lasts::For),
                ..How::plain(Some(rule), &origin)
            };
            self.write(ctx, now, channel, &values, how);
        }
        values.clear();
        self.work.fields = values;
    }

    /// A command by name, resolved to what it does to the target.
    pub(crate) fn command(
        &mut self,
        ctx: Ctx<'_>,
        now: Now,
        channel: ChannelIx,
        command: u8,
        args: Vec<Value>,
        how: How<'_>,
    ) {
        match &ctx.program[channel].commands[usize::from(command)].effect {
            CommandEffect::Set(fields) => self.write(ctx, now, channel, fields, how),
            CommandEffect::Toggle(slot) => {
                let to = toggled(&self.house, *slot);
                self.write(ctx, now, channel, &[(*slot, to)], how);
            }
            CommandEffect::Step { slot, sign } => {
                let step = args.first().and_then(Value::as_number).unwrap_or(0.0);
                let shape = ctx.plan.shapes[channel.index()];
                let fields = shape.step(ctx.program, &self.house, *slot, step * sign);
                let how = How {
                    lasts: Lasts::AsBefore,
                    ..how
                };
                self.write(ctx, now, channel, &fields, how);
            }
            CommandEffect::Momentary => self.work.wish(
                how.by,
                Wished::Momentary {
                    channel,
                    command,
                    args,
                },
            ),
        }
    }

    /// Writes a target with all that its kind makes of it. What was adopted is not sent.
    pub(crate) fn write(
        &mut self,
        ctx: Ctx<'_>,
        now: Now,
        channel: ChannelIx,
        fields: &[(SlotIx, Value)],
        how: How<'_>,
    ) {
        if fields.is_empty() {
            return;
        }
        if *how.origin != Origin::Other(Who::Local) {
            let bound = self.bounded_until(channel);
            self.work.touch(ctx, &self.house, channel, bound, how);
        }
        let (slots, dirty) = (&mut self.house.slots, &mut self.work.dirty);
        ctx.plan.shapes[channel.index()].spread(fields, |slot, value| {
            let state = &mut slots[slot.index()];
            if state.target != value {
                dirty.extend(&ctx.plan.slots[slot.index()].target);
            }
            state.origin = value.is_some().then(|| how.origin.clone());
            state.target = value;
        });
        self.bind(ctx, now, channel, fields, how);
    }

    pub(crate) fn start_timer(&mut self, now: Now, timer: TimerIx, span: Duration, by: Arc<str>) {
        self.stop_timer(timer);
        self.timers[timer.index()] = Some(Running {
            key: self.agenda.create(now.at.after(span), Due::Timer(timer)),
            started: now.at,
            span,
            by,
            late: None,
        });
    }

    /// Whether it ran.
    fn stop_timer(&mut self, timer: TimerIx) -> bool {
        let running = self.timers[timer.index()].take();
        running.is_some_and(|running| {
            self.agenda.cancel(running.key);
            true
        })
    }

    fn operand(&mut self, operand: &Operand) -> Option<Value> {
        match operand {
            Operand::Const(value) => Some(value.clone()),
            Operand::Expr(_) => self.work.operands.pop_front().flatten(),
        }
    }

    /// Keeps rules from writing `channel` from now on for `span`; zero: lets them again.
    pub(crate) fn keep(
        &mut self,
        now: Now,
        channel: ChannelIx,
        span: Duration,
        by: Option<RuleIx>,
    ) {
        if span.is_zero() {
            self.kept.remove(&channel);
        } else {
            self.kept.insert(channel, now.at.after(span));
        }
        self.deed(by, Did::Keeps(channel, span));
    }

    fn is_kept(&self, now: Now, channel: ChannelIx) -> bool {
        !self.kept.is_empty() && self.kept.get(&channel).is_some_and(|until| now.at < *until)
    }

    fn skip(
        &mut self,
        ctx: Ctx<'_>,
        rule: RuleIx,
        channel: Option<ChannelIx>,
        text: &str,
        disposition: Disposition,
    ) {
        let path = channel.map(|channel| ctx.program.channel_path(channel) + " ");
        let text = path.unwrap_or_default() + text;
        self.work.wish(
            Some(rule),
            Wished::Skipped {
                channel,
                text,
                disposition,
            },
        );
    }
}

/// The fields that a rule reads, in its own order: its event is over when it needs them.
fn picked(fields: &[Value], map: &[u8]) -> Box<[Value]> {
    let places = map.iter().map(|place| usize::from(*place));
    places
        .filter_map(|place| fields.get(place).cloned())
        .collect()
}

/// Takes the values that `action` computes, in the order in which it will ask for them.
pub(crate) fn compute(
    action: &Action,
    view: &Look<'_>,
    seen: &mut Vec<Seen>,
    take: &mut impl FnMut(Option<Value>),
) {
    let mut operand = |operand: &Operand| {
        if let Operand::Expr(expr) = operand {
            take(eval(expr, view, seen));
        }
    };
    match action {
        Action::Set { fields, .. } => fields.iter().for_each(|(_, value)| operand(value)),
        Action::Command { args, .. } => args.iter().for_each(operand),
        Action::Var { to, .. } => operand(to),
        Action::Emit { fields, .. } => fields.iter().for_each(operand),
        Action::Notify { text, .. } => take(Some(Value::Text(render(text, view, seen).into()))),
        Action::Start { .. } | Action::Stop(_) | Action::Hold { .. } | Action::Wait(_) => {}
    }
}

/// Reads a word of each piece of memory behind the row of `rule` that its firing needs. In a large house none of them is in a
/// cache: these reads wait for memory together, where each would be waited for on its own when it is used.
fn fetch(rule: &Rule) {
    let condition = rule.condition.as_ref().map(|condition| &condition.expr);
    let computed = match rule.actions.first() {
        Some(Action::Set { fields, .. }) => fields.first().map(|(_, operand)| operand),
        Some(Action::Command { args, .. } | Action::Emit { fields: args, .. }) => args.first(),
        _ => None,
    };
    let computed = match computed {
        Some(Operand::Expr(expr)) => Some(expr),
        _ => None,
    };
    black_box((
        condition.map(Expr::first_kind),
        computed.map(Expr::first_kind),
    ));
}

fn render(template: &Template, view: &Look<'_>, seen: &mut Vec<Seen>) -> String {
    let mut text = String::new();
    for piece in &template.0 {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Expr(expr) => match eval(expr, view, seen) {
                Some(value) => value.append_to(&mut text),
                None => text.push_str("unknown"),
            },
        }
    }
    text
}

fn describe(program: &Program, fields: &[(SlotIx, Value)]) -> String {
    let parts: Vec<String> = fields
        .iter()
        .map(|(slot, value)| format!("{}={value}", program[*slot].name))
        .collect();
    parts.join(" ")
}
