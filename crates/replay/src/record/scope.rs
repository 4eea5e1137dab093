//! What a recorded test needs where only a part of the house is asked for: what its rules read, who else writes its outputs, and
//! every rule that had a say in the same steps, for a step's commands are told completely.
//!
//! It goes by what happened: a rule that never looked in that time needs nothing.

use std::collections::BTreeSet;

use dispatcher::{Input, explain};
use engine::{Cause, Decision, Sent, Who, depend::Dependencies};
use mapping::{
    Program,
    program::{
        Action, ChannelIx, DeviceIx, EventIx, Expr, Operand, Piece, RuleIx, TimerIx, Trigger, VarIx,
    },
};

use crate::why_not::conditions;

/// A part of the house.
#[derive(Debug, Default)]
pub(super) struct Scope {
    rules: BTreeSet<RuleIx>,
    /// Outputs, and what is read.
    channels: BTreeSet<ChannelIx>,
    /// Channels of which every word counts: what is read, and buttons whose gestures are.
    heard: BTreeSet<ChannelIx>,
    vars: BTreeSet<VarIx>,
    timers: BTreeSet<TimerIx>,
    devices: BTreeSet<DeviceIx>,
}

/// What a decision was about, so far as it matters here. Many are alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share {
    is_asked_for: bool,
    roots: Vec<ChannelIx>,
    /// An output that somebody's hand changed at the device: nothing was sent, and what rules write next hangs on it.
    by_hand: Vec<ChannelIx>,
    looked: Vec<RuleIx>,
    ran: Vec<RuleIx>,
    sent: Vec<ChannelIx>,
}

impl Share {
    pub(super) fn of(program: &Program, decision: &Decision, is_asked_for: bool) -> Self {
        let roots = decision.steps.iter().filter_map(|step| match &step.cause {
            Cause::Event(event, _) | Cause::Chord(event) => program[*event].channel,
            Cause::Report(channel, _) | Cause::Set(channel, _) | Cause::Gesture(_, channel) => {
                Some(*channel)
            }
            _ => None,
        });
        let by_hand = decision.steps.iter().filter_map(|step| match &step.cause {
            Cause::Set(channel, who) if **who == *Who::LOCAL => Some(*channel),
            _ => None,
        });
        let looked = decision.rules.iter();
        let ran = looked.clone().filter(|trace| explain::ran(trace));
        Self {
            is_asked_for,
            roots: roots.collect(),
            by_hand: by_hand.collect(),
            looked: looked.clone().map(|trace| trace.rule).collect(),
            ran: ran.map(|trace| trace.rule).collect(),
            sent: decision
                .sent
                .iter()
                .filter_map(|sent| sent.channel)
                .collect(),
        }
    }
}

impl Scope {
    /// What is needed of a house in which these decisions were taken.
    pub(super) fn new(program: &Program, shares: BTreeSet<Share>) -> Self {
        let mut scope = Self::default();
        let ran: BTreeSet<RuleIx> = shares
            .iter()
            .flat_map(|share| &share.ran)
            .copied()
            .collect();
        let mut left: Vec<Share> = shares.into_iter().collect();
        loop {
            let (taken, others): (Vec<Share>, Vec<Share>) = left
                .into_iter()
                .partition(|share| scope.has(program, share));
            if taken.is_empty() {
                return scope;
            }
            left = others;
            for share in taken {
                if share.is_asked_for {
                    scope.channels.extend(&share.roots);
                }
                scope.channels.extend(&share.sent);
                for rule in share.looked {
                    if !scope.rules.insert(rule) {
                        continue;
                    }
                    scope.read_by(program, rule);
                    if ran.contains(&rule) {
                        // Whether it changed something hangs on how that was.
                        scope.channels.extend(written_by(program, rule));
                    }
                }
            }
        }
    }

    /// Whether a decision belongs to it.
    pub(super) fn has(&self, program: &Program, share: &Share) -> bool {
        let writes = |rule: &RuleIx| {
            let mut actions = program[*rule].actions.iter();
            actions.any(|action| match action {
                Action::Var { var, .. } => self.vars.contains(var),
                Action::Start { timer, .. } | Action::Stop(timer) => self.timers.contains(timer),
                Action::Hold { channel, .. } => self.channels.contains(channel),
                _ => false,
            })
        };
        share.is_asked_for
            || share.roots.iter().any(|root| self.heard.contains(root))
            || share
                .by_hand
                .iter()
                .any(|output| self.channels.contains(output))
            || share.sent.iter().any(|sent| self.channels.contains(sent))
            || share.ran.iter().any(writes)
    }

    /// Whether an input must be told, whatever came of it.
    pub(super) fn hears(&self, program: &Program, input: &Input) -> bool {
        match input {
            Input::Event { event, .. } => {
                let channel = program[*event].channel;
                channel.is_some_and(|channel| self.heard.contains(&channel))
            }
            Input::Report { channel, .. }
            | Input::Set { channel, .. }
            | Input::Command { channel, .. } => self.heard.contains(channel),
            Input::Var { var, .. } => self.vars.contains(var),
            Input::Online(device) | Input::Offline(device) => self.has_device(program, *device),
            Input::Several(inputs) => inputs.iter().any(|input| self.hears(program, input)),
            _ => false,
        }
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = RuleIx> {
        self.rules.iter().copied()
    }

    pub(super) fn has_rule(&self, rule: RuleIx) -> bool {
        self.rules.contains(&rule)
    }

    /// Whether something that left is of it.
    pub(super) fn has_sent(&self, sent: &Sent) -> bool {
        let is_part = sent.by.is_none_or(|rule| self.has_rule(rule));
        is_part && sent.channel.is_none_or(|channel| self.has_channel(channel))
    }

    pub(super) fn has_channel(&self, channel: ChannelIx) -> bool {
        self.channels.contains(&channel)
    }

    /// Whether every word of it counts.
    pub(super) fn has_heard(&self, channel: ChannelIx) -> bool {
        self.heard.contains(&channel)
    }

    pub(super) fn has_var(&self, var: VarIx) -> bool {
        self.vars.contains(&var)
    }

    pub(super) fn has_timer(&self, timer: TimerIx) -> bool {
        self.timers.contains(&timer)
    }

    pub(super) fn has_device(&self, program: &Program, device: DeviceIx) -> bool {
        let mut channels = program[device].channels.iter();
        self.devices.contains(&device) || channels.any(|channel| self.channels.contains(channel))
    }

    /// What a rule waits for and reads.
    fn read_by(&mut self, program: &Program, rule: RuleIx) {
        let row = &program[rule];
        for trigger in &row.triggers {
            match trigger {
                Trigger::Gesture { channel, .. } => drop(self.heard.insert(*channel)),
                Trigger::Chord { event, .. } => self.heard.extend(program[*event].channel),
                Trigger::Event { event, .. } => self.wait_for_device(program, *event),
                Trigger::Sequence { steps, .. } => {
                    for step in steps.iter().flat_map(|step| &step.events) {
                        self.heard.extend(program[step.event].channel);
                        self.wait_for_device(program, step.event);
                    }
                }
                Trigger::Timer(timer) => drop(self.timers.insert(*timer)),
                _ => {}
            }
        }
        for expr in expressions(program, rule) {
            self.read(program, expr);
        }
    }

    /// A device goes again only where it came back: both count where one of them is waited for.
    fn wait_for_device(&mut self, program: &Program, event: EventIx) {
        let row = &program[event];
        if row.channel.is_none() {
            self.devices.insert(row.device);
        }
    }

    fn read(&mut self, program: &Program, expr: &Expr) {
        let reads = Dependencies::of(expr);
        let ages = reads.ages.iter().map(|age| &age.slot);
        let slots = reads.states.iter().chain(&reads.targets).chain(ages);
        for slot in slots {
            let channel = program[*slot].channel;
            self.channels.insert(channel);
            self.heard.insert(channel);
        }
        self.vars.extend(reads.vars);
        self.devices.extend(reads.devices);
    }
}

/// The outputs that a rule writes.
fn written_by(program: &Program, rule: RuleIx) -> impl Iterator<Item = ChannelIx> {
    let actions = program[rule].actions.iter();
    actions.filter_map(|action| match action {
        Action::Set { channel, .. }
        | Action::Command { channel, .. }
        | Action::Hold { channel, .. } => Some(*channel),
        _ => None,
    })
}

/// All that a rule reads by: its conditions, and what its actions compute.
pub(super) fn expressions(program: &Program, rule: RuleIx) -> impl Iterator<Item = &Expr> {
    let conditions = conditions(program, rule).into_iter();
    let conditions = conditions.map(|condition| &condition.expr);
    conditions.chain(program[rule].actions.iter().flat_map(computed))
}

/// What an action computes.
fn computed(action: &Action) -> Vec<&Expr> {
    match action {
        Action::Set { fields, .. } => {
            let operands = fields.iter().map(|(_, operand)| operand);
            operands.filter_map(computed_by).collect()
        }
        Action::Command { args, .. } => args.iter().filter_map(computed_by).collect(),
        Action::Emit { fields, .. } => fields.iter().filter_map(computed_by).collect(),
        Action::Var { to, .. } => computed_by(to).into_iter().collect(),
        Action::Notify { text, .. } => {
            let holes = text.0.iter().filter_map(|piece| match piece {
                Piece::Expr(expr) => Some(expr),
                Piece::Text(_) => None,
            });
            holes.collect()
        }
        _ => Vec::new(),
    }
}

fn computed_by(operand: &Operand) -> Option<&Expr> {
    match operand {
        Operand::Expr(expr) => Some(expr),
        Operand::Const(_) => None,
    }
}
