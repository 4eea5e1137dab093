//! What is declared and stands in no rule.
//!
//! Called by [`super::all`], where nothing is wrong: a misspelt use is no unused thing.

use crate::{
    diagnostic::Diagnostic,
    house::House,
    program::{
        Action, ChannelIx, DeviceIx, EventIx, Expr, Operand, Piece, Program, Trigger, VarIx,
    },
    rules::{Meta, Uses},
    source::Span,
};

/// Scenes that no rule sets.
pub(super) fn scenes(house: &House<'_>, uses: &Uses, found: &mut Vec<Diagnostic>) {
    for (name, span) in &house.scene_places {
        if !uses.scenes.contains(&**name) {
            let message = format!("no rule sets the scene `{name}`");
            found.push(
                Diagnostic::warning("scene-unused", span.clone(), message)
                    .help(format!("set it in a rule: do = {{ scene = \"{name}\" }}")),
            );
        }
    }
}

/// Variables that no rule reads, and those that are read but always hold what they start with.
pub(super) fn vars(house: &House<'_>, uses: &Uses, found: &mut Vec<Diagnostic>) {
    let mut written = vec![false; house.program.vars.len()];
    for action in house.program.rules.iter().flat_map(|rule| &rule.actions) {
        if let Action::Var { var, .. } = action {
            written[var.index()] = true;
        }
    }
    for ix in VarIx::all(house.program.vars.len()) {
        let var = &house.program[ix];
        let Some(span) = house.var_places.get(&var.name) else {
            continue;
        };
        let allows = |lint| {
            let allowed = house.var_allows.get(&var.name);
            allowed.is_some_and(|allowed| allowed.contains(&lint))
        };
        let name = &var.name;
        if !uses.reads_var(ix) && !allows("var-unused") {
            let message = format!("no rule reads the variable `{name}`");
            found.push(
                Diagnostic::warning("var-unused", span.clone(), message)
                    .help(format!("read it in a condition: var.{name}")),
            );
        } else if uses.reads_var(ix)
            && !written[ix.index()]
            && !var.keep
            && !allows("var-unwritten")
        {
            // What is kept is a setting: people turn it, and it stays.
            let message = format!("no rule writes the variable `{name}`");
            let value = match &var.start {
                types::Value::Text(text) => format!("'{text}'"),
                value => value.to_string(),
            };
            found.push(
                Diagnostic::warning("var-unwritten", span.clone(), message)
                    .label(format!("it starts as {value} and stays so"))
                    .help(format!(
                        "write it in a rule: do = {{ var = \"{name}\", to = .. }}; a setting that people turn has keep = true"
                    )),
            );
        }
    }
}

/// Devices that no rule is about. `*.offline` is about nobody in particular; a house without any rule is being
/// built.
pub(super) fn devices(house: &House<'_>, metas: &[Meta], found: &mut Vec<Diagnostic>) {
    let program = &house.program;
    if program.rules.is_empty() {
        return;
    }
    let mut used = Used {
        program,
        devices: vec![false; program.devices.len()],
    };
    for (rule, meta) in program.rules.iter().zip(metas) {
        for (trigger, span) in rule.triggers.iter().zip(&meta.triggers) {
            let text = house.sources.file(span.file).text.get(span.bytes.clone());
            let wildcard = text.is_some_and(|text| text.contains('*'));
            used.trigger(trigger, wildcard);
        }
        if let Some(condition) = &rule.condition {
            used.expr(&condition.expr);
        }
        rule.actions.iter().for_each(|action| used.action(action));
    }
    let all = DeviceIx::all(program.devices.len());
    let unused: Vec<(&str, &Span)> = all
        .filter(|ix| !used.devices[ix.index()])
        .filter_map(|ix| {
            let name = &program[ix].name;
            let place = house.device_places.get(name)?;
            let allowed = house.device_allows.get(name);
            let allowed = allowed.is_some_and(|allowed| allowed.contains(&"device-unused"));
            (!allowed).then_some((&**name, place))
        })
        .collect();
    let help = "write a rule about it; if people or programs look after it, say allow = [\"device-unused\"] below it, or at the head of the file";
    let warning = |span: &Span, message| {
        Diagnostic::warning("device-unused", span.clone(), message).help(help)
    };
    match unused.as_slice() {
        // A house that is being built has many: one complaint says it as well.
        [(first, span), more @ ..] if unused.len() > TOLD_MAX => {
            let message = format!("no rule is about {} of the devices", unused.len());
            let names: Vec<String> = more
                .iter()
                .take(TOLD_MAX)
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            let left = more.len() - names.len();
            let left = if left > 0 {
                format!(" and {left} more")
            } else {
                String::new()
            };
            let label = format!("`{first}`, {}{left}", names.join(", "));
            found.push(warning(span, message).label(label));
        }
        unused => found.extend(
            unused
                .iter()
                .map(|(name, span)| warning(span, format!("no rule is about the device `{name}`"))),
        ),
    }
}

/// Unused devices that are told one by one.
const TOLD_MAX: usize = 3;

/// Devices that rules are about.
struct Used<'p> {
    program: &'p Program,
    devices: Vec<bool>,
}

impl Used<'_> {
    fn device(&mut self, device: DeviceIx) {
        self.devices[device.index()] = true;
    }

    fn channel(&mut self, channel: ChannelIx) {
        self.device(self.program[channel].device);
    }

    fn event(&mut self, event: EventIx) {
        self.device(self.program[event].device);
    }

    fn trigger(&mut self, trigger: &Trigger, wildcard: bool) {
        match trigger {
            Trigger::Event { event, .. } => {
                if !wildcard {
                    self.event(*event);
                }
            }
            Trigger::Chord { event, .. } => self.event(*event),
            Trigger::Gesture { channel, .. } => self.channel(*channel),
            Trigger::Sequence { steps, .. } => {
                for step in steps {
                    step.events.iter().for_each(|event| self.event(event.event));
                    if let Some(condition) = &step.condition {
                        self.expr(&condition.expr);
                    }
                }
            }
            Trigger::Holds { condition, .. } => self.expr(&condition.expr),
            Trigger::Timer(_) | Trigger::At { .. } | Trigger::Cron(_) | Trigger::Sun { .. } => {}
        }
    }

    fn expr(&mut self, expr: &Expr) {
        expr.walk(&mut |part| match part {
            Expr::State(slot) | Expr::Target(slot) | Expr::Has(slot) | Expr::Age(slot) => {
                self.channel(self.program[*slot].channel);
            }
            Expr::Online(device) => self.device(*device),
            _ => {}
        });
    }

    fn operands<'o>(&mut self, operands: impl IntoIterator<Item = &'o Operand>) {
        for operand in operands {
            if let Operand::Expr(expr) = operand {
                self.expr(expr);
            }
        }
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Set {
                channel, fields, ..
            } => {
                self.channel(*channel);
                self.operands(fields.iter().map(|(_, operand)| operand));
            }
            Action::Command { channel, args, .. } => {
                self.channel(*channel);
                self.operands(args);
            }
            Action::Hold { channel, .. } => self.channel(*channel),
            Action::Var { to, .. } => self.operands([to]),
            Action::Emit { event, fields } => {
                self.event(*event);
                self.operands(fields);
            }
            Action::Notify { text, .. } => {
                for piece in &text.0 {
                    if let Piece::Expr(expr) = piece {
                        self.expr(expr);
                    }
                }
            }
            Action::Start { .. } | Action::Stop(_) | Action::Wait(_) => {}
        }
    }
}
