//! `[group]`: names for several channels; groups may hold groups and whole devices.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::House;
use crate::{
    diagnostic::Diagnostic,
    index::Symbol,
    paths,
    program::ChannelIx,
    read::{Key, Node, Text},
};

/// Groups nest at most so deep.
const DEPTH_MAX: usize = 16;

/// Reads all groups; members may be declared later than the group.
pub(super) fn read_all(house: &mut House<'_>, groups: &[(Key<'_>, Node<'_>)]) {
    let mut members: BTreeMap<&str, Vec<Text<'_>>> = BTreeMap::new();
    for (key, node) in groups {
        if !house.declare(key, "group") {
            continue;
        }
        house.report.declare_group(key.name, key.span.clone());
        let what = format!("group `{}`", key.name);
        let Some(list) = node.as_list() else {
            let list = in_full(key.name, *node);
            node.complain_or(&mut house.report, &what, "a list", list);
            house.report.declare_broken(key.name);
            continue;
        };
        if list.is_empty() {
            let error = Diagnostic::error("empty-group", node.span(), format!("{what} is empty"));
            house.report.push(error);
        }
        let texts = list
            .iter()
            .filter_map(|node| node.text(&mut house.report, &format!("a member of {what}")));
        members.insert(key.name, texts.collect());
    }
    for (key, _) in groups {
        if house.report.is_over() {
            house.report.declare_broken(key.name);
        } else if let Some(list) = members.get(key.name) {
            let before = house.report.len();
            let mut channels = Vec::new();
            let mut way = Way {
                above: vec![key.name],
                done: BTreeSet::new(),
                members: BTreeSet::new(),
            };
            expand(house, &members, list, &mut way, &mut channels);
            let fits = house.report.expand(channels.len(), &key.span);
            if house.report.len() > before || fits.is_none() {
                house.report.declare_broken(key.name);
            }
            let name: Arc<str> = key.name.into();
            house.program.names.groups.insert(name, channels);
        }
    }
}

/// The entry of `[group]` that somebody means by a text, or by a table with a list in it.
fn in_full(name: &str, node: Node<'_>) -> Option<String> {
    if let Some(text) = node.as_text() {
        return Some(format!("{name} = [\"{}\"]", text.text));
    }
    let list = node.as_table()?.entries().into_iter();
    let list = list
        .map(|(_, node)| node)
        .find(|node| node.as_list().is_some())?;
    Some(format!("{name} = {} below [group]", list.written()))
}

/// Where an expansion is.
struct Way<'a> {
    /// The groups that it is inside of.
    above: Vec<&'a str>,
    /// The groups that it has been through: they add nothing more.
    done: BTreeSet<&'a str>,
    /// The channels that were found.
    members: BTreeSet<ChannelIx>,
}

fn expand<'a>(
    house: &mut House<'_>,
    groups: &BTreeMap<&'a str, Vec<Text<'a>>>,
    list: &[Text<'a>],
    way: &mut Way<'a>,
    channels: &mut Vec<ChannelIx>,
) {
    for text in list {
        let name = text.text;
        let place = || text.place(0..name.len());
        if let Some(inner) = groups.get(name) {
            house
                .report
                .mention(|| (place(), Symbol::Group(name.into())));
            if way.above.contains(&name) {
                let message = format!("group `{name}` would hold itself");
                let path = way.above.join("` > `");
                house.report.push(
                    Diagnostic::error("group-cycle", text.span(), message)
                        .help(format!("it is inside of `{path}`")),
                );
            } else if way.above.len() >= DEPTH_MAX {
                let message = format!("groups nest at most {DEPTH_MAX} deep");
                let error = Diagnostic::error("group-too-deep", text.span(), message);
                house.report.push(error);
            } else if way.done.insert(name) {
                way.above.push(name);
                expand(house, groups, inner, way, channels);
                way.above.pop();
            }
            continue;
        }
        let found = if let Some(device) = house.program.device(name) {
            house
                .report
                .mention(|| (place(), Symbol::Device(name.into())));
            Some(house.program[device].channels.clone())
        } else {
            let program = &house.program;
            paths::channel(program, &mut house.report, text, 0..name.len()).map(|ix| vec![ix])
        };
        for channel in found.into_iter().flatten() {
            if way.members.insert(channel) {
                channels.push(channel);
            }
        }
    }
}
