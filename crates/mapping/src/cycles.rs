//! Rules that set each other off: by events that they emit, by variables, timers and `holds`, be it of a target or of
//! the reported state that follows it.
//!
//! Called once all rules are compiled. An `emit` that leads back to itself without a pause never comes to rest: an
//! error. Any other circle may be what somebody wants, a lamp that blinks: a warning, which `allow = ["cycle"]`
//! silences. What constants rule out is no circle: a rule that writes `true` does not set off one that waits for
//! `false`. Must not know how rules are run.

mod graph;
mod guess;
mod links;

use crate::{
    diagnostic::Diagnostic,
    house::House,
    program::{Action, RuleIx},
    rules::Meta,
    source::Span,
};
use graph::{Edge, Graph};
use links::{Label, Links};

/// The name that `allow` takes.
pub(crate) const LINT: &str = "cycle";

/// Reports the circles: errors always, warnings where the `whole` house could be read.
pub(crate) fn find(house: &mut House<'_>, metas: &[Meta], whole: bool) {
    let links = Links::of(&house.program);
    let mut found = Vec::new();
    let at_once = links.graph.only(|edge| !edge.label.pause);
    let component = at_once.components();
    let mut told = vec![false; component.len()];
    for edge in at_once.edges().filter(|edge| edge.label.emits) {
        let here = component[edge.from];
        if here == component[edge.to] && !std::mem::replace(&mut told[here], true) {
            let circle = circle(&at_once, edge, &component);
            found.extend(links.endless(metas, &circle));
        }
    }
    if whole {
        let endless: Vec<bool> = component.iter().map(|here| told[*here]).collect();
        let component = links.graph.components();
        let mut told = vec![false; component.len()];
        for edge in links.graph.edges() {
            let here = component[edge.from];
            let again = here == component[edge.to];
            if !again || edge.label.action.is_none() || told[here] || endless[edge.from] {
                continue;
            }
            told[here] = true;
            let circle = circle(&links.graph, edge, &component);
            found.extend(links.again_and_again(metas, &circle));
        }
    }
    house.report.extend(found);
}

/// The shortest circle that `edge` is part of.
fn circle(graph: &Graph<Label>, edge: &Edge<Label>, component: &[usize]) -> Vec<Edge<Label>> {
    let here = component[edge.from];
    let back = graph.way(edge.to, edge.from, |node| component[node] == here);
    std::iter::once(*edge)
        .chain(back.unwrap_or_default())
        .collect()
}

impl Links<'_> {
    /// An error: events that lead to themselves and never come to rest.
    fn endless(&self, metas: &[Meta], circle: &[Edge<Label>]) -> Option<Diagnostic> {
        let message = match self.rules(circle).as_slice() {
            [rule] => format!("the rule `{rule}` sets itself off without a pause"),
            _ => "these rules set each other off without a pause".to_owned(),
        };
        let error = self.places(metas, circle, |span| {
            Diagnostic::error("emit-cycle", span, message.clone())
        });
        Some(error?.help(
            "let time pass in between: { wait = \"1s\" } before the event, or a timer that another rule waits for",
        ))
    }

    /// A warning, unless one of the rules says that it is meant.
    fn again_and_again(&self, metas: &[Meta], circle: &[Edge<Label>]) -> Option<Diagnostic> {
        let actions = circle.iter().filter_map(|edge| edge.label.action);
        let mut allowed = actions.map(|(rule, _)| &metas[rule.index()].allow);
        if allowed.any(|allow| allow.contains(&LINT)) {
            return None;
        }
        let message = match self.rules(circle).as_slice() {
            [rule] => format!("the rule `{rule}` may set itself off again and again"),
            _ => "these rules may set each other off again and again".to_owned(),
        };
        let warning = self.places(metas, circle, |span| {
            Diagnostic::warning(LINT, span, message.clone())
        });
        Some(warning?.help("if that is meant, say allow = [\"cycle\"] in a rule of this circle"))
    }

    /// The actions of a circle, each with what it does; the first is the primary place.
    fn places(
        &self,
        metas: &[Meta],
        circle: &[Edge<Label>],
        begin: impl Fn(Span) -> Diagnostic,
    ) -> Option<Diagnostic> {
        let actions: Vec<(RuleIx, usize)> =
            circle.iter().filter_map(|edge| edge.label.action).collect();
        let mut diagnostic: Option<Diagnostic> = None;
        for (at, (rule, place)) in actions.iter().enumerate() {
            let (next, _) = actions[(at + 1) % actions.len()];
            let span = metas[rule.index()].actions.get(*place)?.clone();
            let does = self.does(&self.program[*rule].actions[*place]);
            let (rule, next) = (&self.program[*rule].name, &self.program[next].name);
            let text = match actions.len() {
                1 => format!("it {does}"),
                _ => format!("`{rule}` {does}, which sets off `{next}`"),
            };
            diagnostic = Some(match diagnostic {
                None => begin(span).label(text),
                Some(first) => first.also(span, text),
            });
        }
        diagnostic
    }

    fn rules(&self, circle: &[Edge<Label>]) -> Vec<&str> {
        let mut rules: Vec<&str> = Vec::new();
        for (rule, _) in circle.iter().filter_map(|edge| edge.label.action) {
            let name = &*self.program[rule].name;
            if !rules.contains(&name) {
                rules.push(name);
            }
        }
        rules
    }

    fn does(&self, action: &Action) -> String {
        let program = self.program;
        match action {
            Action::Emit { event, .. } => format!("emits `{}`", program.event_path(*event)),
            Action::Var { var, .. } => format!("sets `var.{}`", program[*var].name),
            Action::Start { timer, .. } | Action::Stop(timer) => {
                format!("starts `{}`", program[*timer].name)
            }
            Action::Set { channel, .. } | Action::Command { channel, .. } => {
                format!("writes `{}`", program.channel_path(*channel))
            }
            Action::Hold { channel, .. } => format!("holds `{}`", program.channel_path(*channel)),
            Action::Wait(_) => "waits".to_owned(),
            Action::Notify { .. } => "tells people".to_owned(),
        }
    }
}
