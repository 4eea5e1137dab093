//! The options of one channel: which are allowed, what they take, which must be there.

use serde_json::{Map, Value as Json};

use super::wiring::Wiring;
use crate::{
    diagnostic::Diagnostic,
    kinds::{self, Kind, Kinds, OptionSpec, Takes, Usage},
    program::{Carrier, Foreign},
    read::{Node, Table, did_you_mean, list},
    report::Report,
    units,
};

/// Reads all options of a channel; those that the device needs to know are its part of the role.
pub(super) fn read(
    report: &mut Report,
    table: &Table<'_>,
    (kind, kinds): (&Kind, &Kinds),
    carrier: &Carrier,
    wiring: &mut Wiring,
    path: &str,
) -> Map<String, Json> {
    let allowed = allowed(kind, carrier);
    let mut role = Map::new();
    role.insert("kind".to_owned(), Json::from(&*kind.name));
    for (key, node) in table.entries() {
        if key.name == "kind" {
            continue;
        }
        let Some(option) = allowed.iter().find(|option| option.name == key.name) else {
            report.push(unknown(&key, (kind, kinds), carrier, &allowed));
            continue;
        };
        let value = read_one(report, node, option, wiring, &format!("`{}`", key.name));
        if let Some((name, value)) = value
            && option.usage == Usage::Role
        {
            role.insert(name, value);
        }
    }
    if wiring.has_board {
        require_wiring(report, table, kind, wiring, path);
    }
    role
}

/// The options that a channel of this kind, on such a device, may have.
fn allowed<'k>(kind: &'k Kind, carrier: &Carrier) -> Vec<&'k OptionSpec> {
    let common = kinds::COMMON.iter().filter(|option| match option.name {
        "at_boot" | "when_lost" | "deliver" | "enforce" => kind.consumer,
        "report_every" | "report_change" | "stale_after" => !kind.fields.is_empty(),
        _ => true,
    });
    let own = kind.options.iter();
    match carrier {
        Carrier::Own => common.chain(own).collect(),
        Carrier::Virtual => common.chain(own.filter(|option| !is_pin(option))).collect(),
        Carrier::Foreign(_) => common
            .chain(own.filter(|option| !is_pin(option)))
            .chain(kinds::FOREIGN)
            .collect(),
    }
}

/// Every option that a channel of this kind may have on some device.
#[must_use]
pub fn of_kind(kind: &Kind) -> Vec<&OptionSpec> {
    let mut all = allowed(kind, &Carrier::Own);
    for option in allowed(kind, &Carrier::Foreign(Foreign::default())) {
        if !all.iter().any(|known| known.name == option.name) {
            all.push(option);
        }
    }
    all
}

fn is_pin(option: &OptionSpec) -> bool {
    matches!(option.takes, Takes::Pin | Takes::Pins | Takes::I2c)
}

fn unknown(
    key: &crate::read::Key<'_>,
    (kind, kinds): (&Kind, &Kinds),
    carrier: &Carrier,
    allowed: &[&OptionSpec],
) -> Diagnostic {
    let message = format!(
        "{} has no option `{}`",
        Kind::with_article(&kind.name),
        key.name
    );
    let error = Diagnostic::error("unknown-option", key.span.clone(), message);
    if kind.options.iter().any(|option| option.name == key.name) {
        return error.help("only a device with a board has pins");
    }
    if kinds::FOREIGN.iter().any(|option| option.name == key.name)
        && !matches!(carrier, Carrier::Foreign(_))
    {
        return error.help(
            "it says how a foreign device's payloads read: the device needs `mqtt = { .. }`",
        );
    }
    let names: Vec<&str> = allowed.iter().map(|option| option.name).collect();
    let near = did_you_mean(error.clone(), key.name, names.iter().copied());
    let others: Vec<&str> = kinds
        .all()
        .filter(|other| other.options.iter().any(|option| option.name == key.name))
        .map(|other| &*other.name)
        .collect();
    if !others.is_empty() {
        error.help(format!("`{}` is an option of {}", key.name, list(&others)))
    } else if near.help.is_empty() {
        error.help(format!("its options are {}", list(&names)))
    } else {
        near
    }
}

/// One option, with the name and value under which it stands in the role.
fn read_one(
    report: &mut Report,
    node: Node<'_>,
    option: &OptionSpec,
    wiring: &mut Wiring,
    what: &str,
) -> Option<(String, Json)> {
    let name = option.name.to_owned();
    let value = match option.takes {
        Takes::Pin => wiring.pin(report, node, what)?,
        Takes::Pins => {
            let pins = node.list(report, what)?;
            let pins = pins.into_iter().map(|pin| wiring.pin(report, pin, what));
            Json::Array(pins.collect::<Option<_>>()?)
        }
        Takes::Bool => Json::from(node.boolean(report, what)?),
        Takes::Int(min, max) => Json::from(node.whole(report, what, min, max)?),
        Takes::Number => {
            let number = node.number(report, what)?;
            if number.fract() == 0.0 && number.abs() < 1e15 {
                Json::from(number as i64)
            } else {
                Json::from(number)
            }
        }
        Takes::Word(words) => Json::from(node.word(report, what, words)?),
        Takes::Duration => {
            let span = units::some_duration(node, report, what)?;
            let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            return Some((format!("{name}_ms"), Json::from(ms)));
        }
        Takes::I2c => {
            let address = node.whole(report, what, 0x08, 0x77)?;
            if wiring.has_board && !wiring.has_bus("i2c") {
                let error =
                    Diagnostic::error("missing-bus", node.span(), "the device has no `i2c` bus");
                report.push(error.help("add for example i2c = { sda = 6, scl = 7 } to the device"));
            }
            Json::from(address)
        }
        Takes::Text => Json::from(node.text(report, what)?.text),
        // Read with the payload's words.
        Takes::EventWords | Takes::FieldPlaces => return None,
    };
    Some((name, value))
}

fn require_wiring(
    report: &mut Report,
    table: &Table<'_>,
    kind: &Kind,
    wiring: &Wiring,
    path: &str,
) {
    let all_there = |set: &[&str]| set.iter().all(|key| table.field(key).is_some());
    let known: Vec<&str> = kind.options.iter().map(|option| option.name).collect();
    let misspelt = |set: &[&str]| set.iter().any(|key| table.misspells(key, &known));
    if !kind.wiring.is_empty()
        && !kind
            .wiring
            .iter()
            .any(|set| all_there(set) || misspelt(set))
    {
        let sets: Vec<String> = kind.wiring.iter().map(|set| list(set)).collect();
        let message = format!("`{path}` needs {}", sets.join(", or "));
        report.push(
            Diagnostic::error("missing-option", table.span.clone(), message)
                .label(format!("{} on a board", Kind::with_article(&kind.name)))
                .help("without `board` the device is a program of your own, and needs no pins"),
        );
    }
    if &*kind.name == "midi" && !wiring.has_bus("uart") {
        let error = Diagnostic::error(
            "missing-bus",
            table.span.clone(),
            format!("`{path}` needs a `uart` on its device"),
        );
        report.push(error.help("add for example uart = { rx = 6 } to the device"));
    }
}
