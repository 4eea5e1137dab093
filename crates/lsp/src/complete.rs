//! What can stand at the cursor.

use std::ops::Range;

use mapping::{
    grammar::{Keys, Names, Takes},
    kinds,
    outline::Step,
    vocabulary,
};
use serde_json::{Value as Json, json};
use types::{Shown, Type};

use crate::{
    around::{Around, Typed},
    expression,
    houses::House,
    position::Lines,
    shape::{KeyHere, Shape, Spot, tops},
};

/// Most proposals for one place: editors show a page of them.
const ITEMS_MAX: usize = 2_000;

/// Something that can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposal {
    /// What people see and pick by.
    pub(crate) label: String,
    /// What is written instead of what is there.
    pub(crate) text: String,
    /// A few words beside it.
    pub(crate) detail: String,
    pub(crate) kind: Icon,
    /// Proposals are shown in this order.
    pub(crate) rank: u8,
}

/// What editors draw beside a proposal: numbers of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icon {
    Function = 3,
    Field = 5,
    Variable = 6,
    Module = 9,
    Property = 10,
    Value = 12,
    Keyword = 14,
    Event = 23,
}

/// The proposals for a place in a file of a house, with the bytes that they replace.
pub(crate) fn at(
    house: &House,
    file: &str,
    text: &str,
    offset: usize,
) -> (Range<usize>, Vec<Proposal>) {
    let program = &house.analysis.draft;
    let around = Around::of(text, offset);
    let shape = Shape::new(program, text);
    let tops = tops(file);
    let path = around.path();
    let mut proposals = Vec::new();
    let range = match &around.typed {
        Typed::Nothing => offset..offset,
        Typed::Header(above, range) => {
            if above.is_empty() {
                proposals.extend(headers(tops));
            } else {
                proposals.extend(keys(&shape, tops, &path, ""));
            }
            range.clone()
        }
        Typed::Key(_, range) => {
            proposals.extend(keys(&shape, tops, &path, " = "));
            range.clone()
        }
        Typed::Value(range) => {
            for spot in shape.at(tops, &path) {
                values(house, &spot, Quotes::Add, &mut proposals);
            }
            range.clone()
        }
        Typed::Text(inside) => {
            let before = text.get(inside.start..offset).unwrap_or_default();
            let spots = shape.at(tops, &path);
            if let Some(begin) = expression_before(&spots, before) {
                let events = shape.events(&path);
                let before = &before[begin..];
                let word = expression::complete(program, &events, before, &mut proposals);
                proposals.truncate(ITEMS_MAX);
                return (offset - word..offset, proposals);
            }
            for spot in &spots {
                values(house, spot, Quotes::Are, &mut proposals);
            }
            inside.clone()
        }
    };
    proposals.dedup_by(|a, b| a.label == b.label);
    proposals.truncate(ITEMS_MAX);
    (range, proposals)
}

/// The same as the protocol has it.
pub(crate) fn as_json(lines: &Lines<'_>, range: &Range<usize>, proposals: &[Proposal]) -> Json {
    let range = lines.range(range);
    let items = proposals.iter().map(|proposal| {
        json!({
            "label": Shown(&proposal.label).to_string(),
            "kind": proposal.kind as u8,
            "detail": Shown(&proposal.detail).to_string(),
            "sortText": format!("{}{}", proposal.rank, proposal.label),
            "filterText": proposal.text,
            "textEdit": { "range": range, "newText": proposal.text },
        })
    });
    json!({ "isIncomplete": proposals.len() >= ITEMS_MAX, "items": items.collect::<Vec<_>>() })
}

/// Whether quotes are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quotes {
    Add,
    Are,
}

/// Where an expression begins in the text before the cursor; `None`: no expression is typed there.
fn expression_before(spots: &[Spot], before: &str) -> Option<usize> {
    let whole = |takes: &Takes| matches!(takes, Takes::Condition);
    let is_condition = spots.iter().any(|spot| match spot {
        Spot::Takes(Takes::Either(all)) => all.iter().any(whole),
        Spot::Takes(takes) => whole(takes),
        _ => false,
    });
    if is_condition {
        return Some(0);
    }
    let can_hold = spots.iter().any(|spot| {
        matches!(
            spot,
            Spot::Value(_) | Spot::Takes(Takes::Message | Takes::ValueOf(_) | Takes::Start)
        )
    });
    let open = before
        .rfind("${")
        .filter(|open| !before[..*open].ends_with('$'))?;
    let is_open = !before[open..].contains('}');
    (can_hold && is_open).then_some(open + 2)
}

/// `[rule.` and the like.
fn headers(tops: &'static Keys) -> Vec<Proposal> {
    let with_name = |takes: &Takes| matches!(takes, Takes::Declares(_, inner) if matches!(inner, Takes::Table(_) | Takes::Values(_)));
    let specs = tops.specs.iter();
    let specs = specs.filter(|spec| {
        matches!(
            spec.takes,
            Takes::Declares(..) | Takes::Renames | Takes::Table(_)
        )
    });
    specs
        .map(|spec| {
            let dot = if with_name(&spec.takes) { "." } else { "" };
            Proposal {
                label: spec.name.to_owned(),
                text: format!("{}{dot}", spec.name),
                detail: spec.about.to_owned(),
                kind: Icon::Module,
                rank: 1,
            }
        })
        .collect()
}

fn keys(shape: &Shape<'_>, tops: &'static Keys, path: &[Step], end: &str) -> Vec<Proposal> {
    let keys = shape.keys(tops, path).into_iter();
    keys.map(|key: KeyHere| {
        // `io.lamp`, `hall.lamp`: another name follows.
        let mut below = path.to_vec();
        below.push(Step::from(key.name.as_str()));
        let spots = shape.at(tops, &below);
        let follows = spots
            .iter()
            .any(|spot| matches!(spot, Spot::Device(..) | Spot::Takes(Takes::Declares(..))));
        let end = if follows { "." } else { end };
        Proposal {
            text: format!("{}{end}", key.name),
            kind: if key.of_house {
                Icon::Field
            } else {
                Icon::Property
            },
            rank: if key.needed { 1 } else { 2 },
            label: key.name,
            detail: key.about,
        }
    })
    .collect()
}

fn values(house: &House, spot: &Spot, quotes: Quotes, out: &mut Vec<Proposal>) {
    match spot {
        Spot::Takes(takes) => values_of(house, takes, quotes, out),
        Spot::Value(ty) => values_of_type(ty, quotes, out),
        Spot::Option(takes) => plain(*takes, quotes, out),
        Spot::Table(_) | Spot::Device(..) | Spot::Channels(..) => {}
    }
}

fn values_of(house: &House, takes: &Takes, quotes: Quotes, out: &mut Vec<Proposal>) {
    let program = &house.analysis.draft;
    match takes {
        Takes::Plain(takes) => plain(*takes, quotes, out),
        Takes::Name(names) => {
            let kind = match names {
                Names::Event | Names::OneEvent => Icon::Event,
                Names::Command => Icon::Function,
                Names::Var => Icon::Variable,
                _ => Icon::Module,
            };
            // A timer that is started may be one that another rule waits for.
            let names = match names {
                Names::NewTimer => program
                    .names
                    .timers
                    .keys()
                    .map(ToString::to_string)
                    .collect(),
                names => vocabulary::all(program, *names),
            };
            for name in names {
                text(&name, "", kind, quotes, out);
            }
        }
        Takes::Kind => {
            for kind in program.kinds.all() {
                text(&kind.name, &kind.about, Icon::Module, quotes, out);
            }
        }
        Takes::Board => {
            for board in kinds::BOARDS {
                text(board.name, "board", Icon::Module, quotes, out);
            }
        }
        Takes::Format if quotes == Quotes::Add => {
            word("1", "the format that this version reads", out);
        }
        Takes::Word => text("all", "everybody", Icon::Value, quotes, out),
        Takes::Days => {
            for days in [
                "mon-fri", "sat,sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun",
            ] {
                text(days, "", Icon::Value, quotes, out);
            }
        }
        Takes::Forms(forms) => {
            values_of(house, &forms.text, quotes, out);
            if quotes == Quotes::Add {
                for form in forms.all {
                    let about = form.keys.find(form.name).map_or("", |spec| spec.about);
                    out.push(Proposal {
                        label: format!("{{ {} = }}", form.name),
                        text: format!("{{ {} = ", form.name),
                        detail: about.to_owned(),
                        kind: Icon::Keyword,
                        rank: 3,
                    });
                }
            }
        }
        Takes::List(inner) | Takes::OneOrMore(inner) => values_of(house, inner, quotes, out),
        Takes::Either(all) => {
            for takes in *all {
                values_of(house, takes, quotes, out);
            }
        }
        _ => {}
    }
}

fn values_of_type(ty: &Type, quotes: Quotes, out: &mut Vec<Proposal>) {
    match ty {
        Type::Bool if quotes == Quotes::Add => {
            word("true", "", out);
            word("false", "", out);
        }
        Type::Enum(names) => {
            for name in names.iter() {
                text(name, "", Icon::Value, quotes, out);
            }
        }
        _ => {}
    }
}

fn plain(takes: kinds::Takes, quotes: Quotes, out: &mut Vec<Proposal>) {
    match takes {
        kinds::Takes::Bool if quotes == Quotes::Add => {
            word("true", "", out);
            word("false", "", out);
        }
        kinds::Takes::Word(words) => {
            for name in words {
                text(name, "", Icon::Value, quotes, out);
            }
        }
        _ => {}
    }
}

fn word(word: &str, about: &str, out: &mut Vec<Proposal>) {
    out.push(Proposal {
        label: word.to_owned(),
        text: word.to_owned(),
        detail: about.to_owned(),
        kind: Icon::Value,
        rank: 1,
    });
}

fn text(name: &str, about: &str, kind: Icon, quotes: Quotes, out: &mut Vec<Proposal>) {
    out.push(Proposal {
        label: name.to_owned(),
        text: match quotes {
            // TOML reads what is escaped so.
            Quotes::Add => format!("\"{}\"", Shown(name)),
            Quotes::Are => name.to_owned(),
        },
        detail: about.to_owned(),
        kind,
        rank: 1,
    });
}
