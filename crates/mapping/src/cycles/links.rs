//! What leads to what: a graph of rules and of what their actions do.
//!
//! Called by the search for circles. An edge stands where one rule may set off another; what constants rule out
//! has none. Must not know messages.

use std::collections::BTreeMap;

use types::Value;

use super::{graph::Graph, guess};
use crate::program::{
    Action, CarriedValue, ChannelIx, CommandEffect, EventIx, Expr, GestureKind, Mode, Operand,
    Program, Rule, RuleIx, SlotIx, TimerIx, Trigger, VarIx,
};

/// How one node leads to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label {
    /// By an event that a rule emits.
    pub(super) emits: bool,
    /// Some time passes in between.
    pub(super) pause: bool,
    /// The action that does it, by rule and place.
    pub(super) action: Option<(RuleIx, usize)>,
}

/// Something that actions do and that rules look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    /// A variable is written; the text of its value where that is a constant.
    Var(VarIx, Option<String>),
    /// A field of a target.
    Target(SlotIx, Option<String>),
    /// A field of reported state.
    State(SlotIx, Option<String>),
    /// The same, because a rule told the device so, and whether that rule takes no firing then.
    Followed(SlotIx, Option<String>, RuleIx, bool),
    Timer(TimerIx),
    /// An event is emitted, with those of its fields that are constants.
    Emit(EventIx, Vec<Option<String>>),
}

/// The graph: one node for each rule, in their order, then one for what comes behind each wait and one for each
/// deed.
pub(super) struct Links<'p> {
    pub(super) program: &'p Program,
    pub(super) graph: Graph<Label>,
    deeds: BTreeMap<Deed, usize>,
    readers: Readers,
}

/// Where a deed is done: the node it starts from, the action, and whether that emits an event.
#[derive(Clone, Copy)]
struct Here {
    node: usize,
    action: (RuleIx, usize),
    emits: bool,
    /// Some time passes before it has an effect.
    pause: bool,
}

/// Which rules look at what, by rule and trigger.
#[derive(Default)]
struct Readers {
    vars: BTreeMap<VarIx, Vec<(RuleIx, usize)>>,
    targets: BTreeMap<SlotIx, Vec<(RuleIx, usize)>>,
    states: BTreeMap<SlotIx, Vec<(RuleIx, usize)>>,
    timers: BTreeMap<TimerIx, Vec<(RuleIx, usize)>>,
    events: BTreeMap<EventIx, Vec<(RuleIx, usize)>>,
}

impl Readers {
    fn of(program: &Program) -> Self {
        let mut readers = Self::default();
        for rule in RuleIx::all(program.rules.len()).filter(|rule| program[*rule].enabled) {
            for (place, trigger) in program[rule].triggers.iter().enumerate() {
                readers.take(program, (rule, place), trigger);
            }
        }
        readers
    }

    /// The rules that look at what `deed` does.
    fn of_deed(&self, deed: &Deed) -> &[(RuleIx, usize)] {
        let found = match deed {
            Deed::Var(var, _) => self.vars.get(var),
            Deed::Target(slot, _) => self.targets.get(slot),
            Deed::State(slot, _) | Deed::Followed(slot, ..) => self.states.get(slot),
            Deed::Timer(timer) => self.timers.get(timer),
            Deed::Emit(event, _) => self.events.get(event),
        };
        found.map_or(&[], Vec::as_slice)
    }

    fn take(&mut self, program: &Program, here: (RuleIx, usize), trigger: &Trigger) {
        match trigger {
            Trigger::Event { event, .. } | Trigger::Chord { event, .. } => {
                self.events.entry(*event).or_default().push(here);
            }
            Trigger::Gesture { channel, .. } => {
                for event in ["press", "release"] {
                    if let Some(event) = program.event(*channel, event) {
                        self.events.entry(event).or_default().push(here);
                    }
                }
            }
            Trigger::Sequence { steps, .. } => {
                for event in steps.iter().flat_map(|step| &step.events) {
                    push(&mut self.events, event.event, here);
                }
            }
            Trigger::Holds { condition, .. } => condition.expr.walk(&mut |part| match part {
                Expr::Var(var) => push(&mut self.vars, *var, here),
                Expr::Target(slot) => push(&mut self.targets, *slot, here),
                // That something was reported just now makes no `age` larger.
                Expr::State(slot) | Expr::Has(slot) => push(&mut self.states, *slot, here),
                _ => {}
            }),
            Trigger::Timer(timer) => self.timers.entry(*timer).or_default().push(here),
            Trigger::At { .. } | Trigger::Cron(_) | Trigger::Sun { .. } => {}
        }
    }
}

fn push<K: Ord>(readers: &mut BTreeMap<K, Vec<(RuleIx, usize)>>, key: K, reader: (RuleIx, usize)) {
    let all = readers.entry(key).or_default();
    if all.last() != Some(&reader) {
        all.push(reader);
    }
}

impl<'p> Links<'p> {
    pub(super) fn of(program: &'p Program) -> Self {
        let mut links = Self {
            program,
            graph: Graph::new(),
            deeds: BTreeMap::new(),
            readers: Readers::of(program),
        };
        for _ in &program.rules {
            links.graph.node();
        }
        for rule in RuleIx::all(program.rules.len()).filter(|rule| program[*rule].enabled) {
            let mut node = rule.index();
            for (place, action) in program[rule].actions.iter().enumerate() {
                if let Action::Wait(_) = action {
                    node = links.wait(node);
                    continue;
                }
                let here = Here {
                    node,
                    action: (rule, place),
                    emits: false,
                    pause: false,
                };
                links.action(here, action);
            }
        }
        links
    }

    /// What comes behind a wait is a node of its own, which the one before leads to after a pause.
    fn wait(&mut self, before: usize) -> usize {
        let behind = self.graph.node();
        let label = Label {
            emits: false,
            pause: true,
            action: None,
        };
        self.graph.edge(before, behind, label);
        behind
    }

    fn action(&mut self, here: Here, action: &Action) {
        match action {
            Action::Set {
                channel,
                fields,
                bound,
                ..
            } => {
                let fields = fields.iter();
                let fields = fields.map(|(slot, operand)| (*slot, constant(operand)));
                self.target(here, *channel, &fields.collect::<Vec<_>>());
                // What is on for a time goes off by itself.
                if let (Some(_), Some(on)) = (bound, self.program.on(*channel)) {
                    const OFF: Value = Value::Bool(false);
                    let node = self.wait(here.node);
                    self.target(Here { node, ..here }, *channel, &[(on, Some(&OFF))]);
                }
            }
            Action::Command {
                channel, command, ..
            } => {
                let command = &self.program[*channel].commands[usize::from(*command)];
                let fields: Vec<(SlotIx, Option<&Value>)> = match &command.effect {
                    CommandEffect::Set(fields) => fields
                        .iter()
                        .map(|(slot, value)| (*slot, Some(value)))
                        .collect(),
                    CommandEffect::Toggle(slot) | CommandEffect::Step { slot, .. } => {
                        vec![(*slot, None)]
                    }
                    CommandEffect::Momentary => Vec::new(),
                };
                self.target(here, *channel, &fields);
            }
            Action::Start { timer, .. } => {
                self.deed(here, Deed::Timer(*timer), |_, _| Some(true));
            }
            Action::Var { var, to } => {
                let value = constant(to);
                let deed = Deed::Var(*var, value.map(ToString::to_string));
                let known = |part: &Expr| match part {
                    Expr::Var(read) if read == var => value.cloned(),
                    _ => None,
                };
                let leads = |rule: &Rule, place| turns(rule, place, &known);
                self.deed(here, deed, leads);
            }
            Action::Emit { event, fields } => {
                let here = Here {
                    emits: true,
                    ..here
                };
                self.emit(here, *event, fields);
            }
            Action::Stop(_) | Action::Hold { .. } | Action::Wait(_) | Action::Notify { .. } => {}
        }
    }

    /// A write of a target, and of the reported state, which is taken from it or follows it.
    fn target(&mut self, here: Here, channel: ChannelIx, fields: &[(SlotIx, Option<&Value>)]) {
        const LIT: Value = Value::Bool(true);
        let mut written = fields.to_vec();
        let mut brightness = fields.iter();
        let implied = brightness.find(|(slot, _)| self.program.is_brightness(*slot));
        if let (Some((_, value)), Some(on)) = (implied, self.program.slot(channel, "on")) {
            let lit = value.is_some_and(|value| *value != Value::Number(0.0));
            written.push((on, lit.then_some(&LIT)));
        }
        let assumed = self.program.is_assumed(channel);
        for (slot, value) in written {
            let known = |part: &Expr| match part {
                Expr::Target(read) if *read == slot => value.cloned(),
                _ => None,
            };
            let deed = Deed::Target(slot, value.map(ToString::to_string));
            let leads = |rule: &Rule, place| turns(rule, place, &known);
            self.deed(here, deed, leads);
            if assumed {
                self.state(here, slot, value);
            } else if self.program[channel].consumer {
                self.follows(here, channel, slot, value);
            }
        }
    }

    /// What a consumer was told is what it reports, a moment later.
    fn follows(&mut self, here: Here, channel: ChannelIx, slot: SlotIx, value: Option<&Value>) {
        let here = Here {
            pause: true,
            ..here
        };
        let (program, (writer, action)) = (self.program, here.action);
        let known = reports(slot, value);
        let busy = is_busy_behind(&program[writer], action);
        let deed = Deed::Followed(slot, value.map(ToString::to_string), writer, busy);
        let alone = writes_once(&program[writer], channel);
        let leads = |rule: &Rule, place: usize| {
            // It fired because the condition had become true; a write that leaves it so, and no other in the rule,
            // fires it no second time.
            let is_own = std::ptr::eq(rule, &raw const program[writer]);
            let stays = is_own && alone && stays_true(rule, place, &known);
            // The report comes at once, while the rule waits and drops what fires it.
            let drops = |later: bool| is_own && busy && !later;
            turns(rule, place, &known).filter(|later| !stays && !drops(*later))
        };
        self.deed(here, deed, leads);
    }

    fn state(&mut self, here: Here, slot: SlotIx, value: Option<&Value>) {
        let known = reports(slot, value);
        let deed = Deed::State(slot, value.map(ToString::to_string));
        let leads = |rule: &Rule, place| turns(rule, place, &known);
        self.deed(here, deed, leads);
    }

    fn emit(&mut self, here: Here, event: EventIx, fields: &[Operand]) {
        let constants: Vec<Option<&Value>> = fields.iter().map(constant).collect();
        let texts = constants.iter().map(|value| value.map(ToString::to_string));
        let deed = Deed::Emit(event, texts.collect());
        let leads = |rule: &Rule, place| fires(rule, place, &constants);
        self.deed(here, deed, leads);
        for carried in &self.program[event].carries {
            let value = match &carried.value {
                CarriedValue::Const(value) => Some(value),
                CarriedValue::Field(place) => constants.get(usize::from(*place)).copied().flatten(),
            };
            self.state(here, carried.slot, value);
        }
    }

    /// Links what is done `here` to the rules that it sets off: `leads` says whether it does, and whether time
    /// passes before.
    fn deed(&mut self, here: Here, deed: Deed, leads: impl Fn(&Rule, usize) -> Option<bool>) {
        let readers = self.readers.of_deed(&deed);
        if readers.is_empty() {
            return;
        }
        let node = match self.deeds.get(&deed) {
            Some(node) => *node,
            None => {
                let node = self.graph.node();
                for (rule, place) in readers {
                    if let Some(pause) = leads(&self.program[*rule], *place) {
                        let label = Label {
                            emits: false,
                            pause,
                            action: None,
                        };
                        self.graph.edge(node, rule.index(), label);
                    }
                }
                self.deeds.insert(deed, node);
                node
            }
        };
        let label = Label {
            emits: here.emits,
            pause: here.pause,
            action: Some(here.action),
        };
        self.graph.edge(here.node, node, label);
    }
}

fn constant(operand: &Operand) -> Option<&Value> {
    match operand {
        Operand::Const(value) => Some(value),
        Operand::Expr(_) => None,
    }
}

/// What is known of expressions once `slot` is reported as `value`.
fn reports(slot: SlotIx, value: Option<&Value>) -> impl Fn(&Expr) -> Option<Value> {
    move |part| match part {
        Expr::State(read) if *read == slot => value.cloned(),
        Expr::Has(read) if *read == slot => Some(Value::Bool(true)),
        _ => None,
    }
}

/// Whether one action of the rule, and no other one, writes `channel`.
fn writes_once(rule: &Rule, channel: ChannelIx) -> bool {
    let writes = rule.actions.iter().filter(|action| match action {
        Action::Set { channel: set, .. } | Action::Command { channel: set, .. } => *set == channel,
        _ => false,
    });
    writes.count() == 1
}

/// Whether the rule waits again behind this action, and drops what fires it meanwhile.
fn is_busy_behind(rule: &Rule, action: usize) -> bool {
    let mut behind = rule.actions.iter().skip(action + 1);
    rule.mode == Mode::Single && behind.any(|action| matches!(action, Action::Wait(_)))
}

/// Whether the condition of a `holds` is true for certain.
fn stays_true(rule: &Rule, place: usize, known: &impl Fn(&Expr) -> Option<Value>) -> bool {
    matches!(rule.triggers.get(place), Some(Trigger::Holds { condition, .. })
        if guess::value(&condition.expr, known) == Some(Value::Bool(true)))
}

/// Whether a `holds` may turn true, and whether only after some time.
fn turns(rule: &Rule, place: usize, known: &impl Fn(&Expr) -> Option<Value>) -> Option<bool> {
    let Some(Trigger::Holds { condition, hold }) = rule.triggers.get(place) else {
        return None;
    };
    let and_if = rule.condition.as_ref();
    let never = guess::is_false(&condition.expr, known)
        || and_if.is_some_and(|condition| guess::is_false(&condition.expr, known));
    (!never).then_some(!hold.is_zero())
}

/// Whether an event with these fields may fire a rule, and whether only after some time.
fn fires(rule: &Rule, place: usize, fields: &[Option<&Value>]) -> Option<bool> {
    let constant = |place: u8| fields.get(usize::from(place)).copied().flatten().cloned();
    match rule.triggers.get(place)? {
        Trigger::Event { fields: map, .. } => {
            let known = |part: &Expr| match part {
                Expr::EventField(read) => constant(*map.get(usize::from(*read))?),
                _ => None,
            };
            let condition = rule.condition.as_ref();
            let never = condition.is_some_and(|condition| guess::is_false(&condition.expr, &known));
            (!never).then_some(false)
        }
        Trigger::Chord { field, values, .. } => {
            let other = constant(*field).is_some_and(|value| !values.contains(&value));
            (!other).then_some(false)
        }
        Trigger::Sequence { .. } => Some(false),
        Trigger::Gesture { kind, .. } => Some(*kind == GestureKind::Long),
        Trigger::Holds { .. }
        | Trigger::Timer(_)
        | Trigger::At { .. }
        | Trigger::Cron(_)
        | Trigger::Sun { .. } => None,
    }
}
