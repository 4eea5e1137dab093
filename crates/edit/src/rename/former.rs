//! The old name in `[renamed]`, where a running house could not find by itself what is called otherwise now.
//!
//! Who runs the house reads it some time later, maybe after further edits, and sees only what came of them all. A number tells a
//! device whatever comes, and what a rule or a timer does tells it most of the time; but a variable, a channel or a virtual device
//! is told by rules that keep their names, and the next edit may give them others. So the line is spared only where the thing
//! would be found without any such rule.

use std::sync::Arc;

use mapping::{
    Program,
    index::Symbol,
    name_in_renamed,
    program::{RuleIx, Succession},
};

use crate::{change::Change, house::House, model::Model, pointer::Pointer, refusal::Refusal};

const TABLE: &str = "renamed";

/// Takes out the line that gives `new` another name, since something is called that again; what led to it leads past it.
pub(super) fn without(house: &House, new: &Symbol) -> Result<Option<Change>, Refusal> {
    let (mut lines, new) = (lines(house), name_in_renamed(new));
    let line = lines.iter().position(|(was, _)| Some(was) == new.as_ref());
    let (Some(line), Some(new)) = (line, new) else {
        return Ok(None);
    };
    let (_, next) = lines.remove(line);
    for (_, is) in &mut lines {
        if *is == new {
            is.clone_from(&next);
        }
    }
    written(house, lines).map(Some)
}

/// Adds a line for what is called `new` in `change` and was `symbol`, where it is needed.
pub(super) fn noted(
    house: &House,
    change: &Change,
    symbol: &Symbol,
    new: &Symbol,
) -> Result<Option<Change>, Refusal> {
    let (Some(was), Some(is)) = (name_in_renamed(symbol), name_in_renamed(new)) else {
        return Ok(None);
    };
    let (before, after) = (&house.analysis().draft, &change.analysis().draft);
    if goes_on(&without_names_of_rules(before), after, symbol, new) {
        return Ok(None);
    }
    let renamed = house.after(change);
    let mut lines = lines(&renamed);
    // Names lead from one to the next: who never saw the one in between is led on.
    for (_, next) in lines.iter_mut().filter(|(_, next)| *next == is) {
        next.clone_from(&was);
    }
    lines.push((was, is));
    written(&renamed, lines).map(Some)
}

/// The lines of the table.
fn lines(house: &House) -> Vec<(String, String)> {
    let model = house.model();
    let Some(Model::Table(lines)) = model.field(TABLE) else {
        return Vec::new();
    };
    let text = |(was, is): &(String, Model)| match is {
        Model::Text(is) => Some((was.clone(), is.clone())),
        _ => None,
    };
    lines.iter().filter_map(text).collect()
}

fn written(house: &House, lines: Vec<(String, String)>) -> Result<Change, Refusal> {
    let at = Pointer(vec![TABLE.into()]);
    let lines: Vec<(String, Model)> = lines
        .into_iter()
        .map(|(was, is)| (was, Model::Text(is)))
        .collect();
    let table = (!lines.is_empty()).then_some(Model::Table(lines));
    house.change_model(&at, table.as_ref(), None)
}

/// The same program, and no rule has a name that another program knows.
fn without_names_of_rules(program: &Program) -> Program {
    let mut program = program.clone();
    // No name in a file begins so.
    for (place, rule) in program.rules.iter_mut().enumerate() {
        rule.name = format!("?{place}").into();
    }
    let rules = RuleIx::all(program.rules.len());
    program.names.rules = rules
        .map(|ix| (Arc::clone(&program[ix].name), ix))
        .collect();
    program
}

/// Whether what is `symbol` in the old program, by its place there, is found as `new` in the new one.
fn goes_on(old: &Program, new: &Program, symbol: &Symbol, is: &Symbol) -> bool {
    let succession = Succession::new(old, new);
    let found = match (symbol, is) {
        (Symbol::Device(was), Symbol::Device(is)) => old
            .device(was)
            .and_then(|was| succession.device(was))
            .map(|found| new.device(is) == Some(found)),
        (Symbol::Timer(was), Symbol::Timer(is)) => {
            let was = old.names.timers.get(was);
            let found = was.and_then(|was| succession.timer(*was));
            found.map(|found| new.names.timers.get(is) == Some(&found))
        }
        // It stands where it stood: rules keep their order.
        (Symbol::Rule(_), Symbol::Rule(is)) => new
            .names
            .rules
            .get(is)
            .map(|is| old.rules.len() > is.index() && succession.rule(*is) == Some(*is)),
        _ => None,
    };
    found == Some(true)
}
