//! `G.all(x, ..)`, `G.exists(x, ..)`, `G.count(x, ..)`: expanded to one part for each member.

use std::ops::Range;

use super::{Checker, Loop, Typed};
use crate::{
    expr::{
        fold,
        kind::Kind,
        tree::{Node, NodeKind},
        words,
    },
    index::Symbol,
    names,
    program::{ChannelIx, Expr},
    suggest::closest,
};

impl<'c> Checker<'c, '_, '_> {
    pub(super) fn over_group(
        &mut self,
        on: &Node,
        name: &Range<usize>,
        arguments: &[Node],
    ) -> Option<Typed> {
        let word = self.written(name);
        let group = self.written(&on.range);
        let program = self.scope.program;
        let known = words::names(words::OF_GROUPS).any(|name| name == word);
        if !known {
            let message = format!("a group can't be asked `{word}`");
            self.unknown(
                "unknown-function",
                name,
                message,
                words::names(words::OF_GROUPS),
            );
        }
        let members = program.names.groups.get_key_value(group);
        match members {
            Some((name, _)) => self.mention(&on.range, || Symbol::Group(name.clone())),
            None => self.no_group(on, word),
        }
        let [variable, body] = arguments else {
            let range = name.start..arguments.last().map_or(name.end, |node| node.range.end);
            let message = format!("{word}() takes a name for the member and a condition");
            self.report
                .error("wrong-argument-count", &range, message, |e| {
                    e.help(format!("write `{group}.{word}(x, x == ..)`"))
                });
            return None;
        };
        let variable = self.variable(variable)?;
        let (group, members) = members?;
        let mut parts = Vec::with_capacity(members.len());
        for member in members {
            self.loops.push(Loop {
                name: variable,
                group: group.clone(),
                member: *member,
            });
            let of = format!("{word}()");
            parts.push(self.truth(body, &of));
            self.loops.pop();
        }
        let members_max = parts.len() as f64;
        let parts: Vec<Expr> = parts.into_iter().collect::<Option<_>>()?;
        match word {
            "all" => Some(Typed::bool(fold::and(parts))),
            "exists" => Some(Typed::bool(fold::or(parts))),
            "count" => Some(Typed {
                expr: fold::count(parts),
                kind: Kind::Number {
                    min: 0.0,
                    max: members_max,
                },
            }),
            _ => None,
        }
    }

    fn no_group(&mut self, on: &Node, word: &str) {
        let program = self.scope.program;
        let written = self.written(&on.range);
        let groups = program.names.groups.keys().map(|name| &**name);
        let near = closest(written, groups);
        let message = if program.device(written).is_some() {
            format!("`{written}` is a device, {word}() works over a group")
        } else {
            format!("no group is called `{written}`")
        };
        self.report
            .error("unknown-name", &on.range, message, |e| match near {
                Some(near) => e.help(format!("did you mean `{near}`?")),
                None => e.help("groups are declared under [group]"),
            });
    }

    /// The name that stands for the member.
    fn variable(&mut self, node: &Node) -> Option<&'c str> {
        let word = self.written(&node.range);
        let problem = match &node.kind {
            NodeKind::Path(names) if names.len() == 1 => {
                if names::RESERVED.contains(&word) {
                    "it is a word of the language"
                } else if self.scope.program.device(word).is_some() {
                    "a device is called so"
                } else if self.loop_member(word).is_some() {
                    "an outer member is called so"
                } else {
                    return Some(word);
                }
            }
            _ => "it is no single name",
        };
        let message = format!("`{word}` can't stand for the member: {problem}");
        self.report
            .error("bad-member-name", &node.range, message, |e| {
                e.help("choose a short name of its own, e.g. `x`")
            });
        None
    }

    /// The member that `word` stands for.
    pub(super) fn loop_member(&self, word: &str) -> Option<ChannelIx> {
        let variable = self
            .loops
            .iter()
            .rev()
            .find(|variable| variable.name == word)?;
        Some(variable.member)
    }

    /// `x`, `x.FIELD` or `x.online`.
    pub(super) fn member(
        &mut self,
        range: &Range<usize>,
        member: ChannelIx,
        fields: &[Range<usize>],
    ) -> Option<Typed> {
        if let [field] = fields
            && self.written(field) == "online"
        {
            let device = self.scope.program[member].device;
            return Some(Typed::bool(Expr::Online(device)));
        }
        let slot = self.channel_slot(range, member, fields)?;
        self.slot_value(range, slot, true)
    }
}
