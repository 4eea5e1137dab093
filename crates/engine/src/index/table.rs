//! One event's rules, sorted by what they demand of the event's fields.
//!
//! Each rule stands in one place: under the values of its most selective field, in that field's
//! intervals, or in the list of those that must always look.

use std::sync::Arc;

use mapping::program::Few;
use types::{Type, Value};

use super::{Hit, constraint::Allowed, interval::Intervals, numbers::Numbers};

/// A rule of this event and what it demands, by the place of the field in the event.
pub(super) struct Entry {
    /// What [`Table::candidates`] returns.
    pub(super) hit: Hit,
    /// Each field at most once.
    pub(super) demands: Vec<(u8, Allowed)>,
}

/// The rules of one event.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Rules without a demand, ascending.
    always: Box<[Hit]>,
    fields: Box<[FieldTable]>,
}

/// The rules that are found by one field.
#[derive(Debug)]
struct FieldTable {
    /// The field's place in the event.
    field: usize,
    truths: [Box<[Hit]>; 2],
    numbers: Numbers,
    texts: Sorted<Arc<str>>,
    intervals: Intervals,
}

/// Keys in ascending order, and what stands under each.
#[derive(Debug)]
struct Sorted<K> {
    keys: Box<[K]>,
    hits: Box<[Few<Hit>]>,
}

impl Table {
    /// Sorts `entries`, whose event has fields of the types `types`.
    pub(super) fn new(entries: Vec<Entry>, types: &[&Type]) -> Self {
        let distinct: Vec<f64> = (0..types.len())
            .map(|field| distinct_values(&entries, field))
            .collect();
        let mut always = Vec::new();
        let mut by_field: Vec<Vec<(Hit, Allowed)>> = vec![Vec::new(); types.len()];
        for entry in entries {
            let share = |(field, allowed): &(u8, Allowed)| {
                let field = usize::from(*field);
                share(allowed, distinct.get(field), types.get(field).copied())
            };
            let best = entry
                .demands
                .into_iter()
                .min_by(|a, b| share(a).total_cmp(&share(b)));
            match best {
                Some((field, allowed)) => by_field[usize::from(field)].push((entry.hit, allowed)),
                None => always.push(entry.hit),
            }
        }
        let fields = by_field
            .into_iter()
            .enumerate()
            .filter(|(_, rows)| !rows.is_empty())
            .map(|(field, rows)| FieldTable::new(field, rows))
            .collect();
        Self {
            always: always.into(),
            fields,
        }
    }

    /// Appends the rules that `fields` may fire, in file order.
    pub(super) fn candidates(&self, fields: &[Value], out: &mut Vec<Hit>) {
        let start = out.len();
        out.extend_from_slice(&self.always);
        for table in &self.fields {
            table.candidates(fields, out);
        }
        let found = &mut out[start..];
        if !found.is_sorted() {
            // A few ascending runs, which the stable sort merges.
            found.sort();
        }
    }
}

/// How many different values the rules ask of a field.
fn distinct_values(entries: &[Entry], field: usize) -> f64 {
    let mut numbers = Vec::new();
    let mut texts = Vec::new();
    let demands = entries.iter().flat_map(|entry| &entry.demands);
    for (_, allowed) in demands.filter(|(place, _)| usize::from(*place) == field) {
        let Allowed::Values(values) = allowed else {
            continue;
        };
        for value in values {
            match value {
                Value::Number(number) => numbers.push(*number),
                Value::Text(text) => texts.push(text.clone()),
                Value::Bool(_) => {}
            }
        }
    }
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    texts.sort_unstable();
    texts.dedup();
    // A bool has two values; one value alone says nothing about how many events have it.
    (numbers.len() + texts.len()).max(2) as f64
}

/// The share of events that meets a demand, guessed; the smallest is the most selective.
fn share(allowed: &Allowed, distinct: Option<&f64>, ty: Option<&Type>) -> f64 {
    match (allowed, ty) {
        (Allowed::Values(values), _) => values.len() as f64 / distinct.copied().unwrap_or(2.0),
        (Allowed::Range(low, high), Some(Type::Int { min, max } | Type::Number { min, max }))
            if min.is_finite() && max.is_finite() && min < max =>
        {
            ((high.min(*max) - low.max(*min)) / (max - min)).max(0.0)
        }
        (Allowed::Range(..), _) => 0.5,
    }
}

impl FieldTable {
    fn new(field: usize, rows: Vec<(Hit, Allowed)>) -> Self {
        let mut truths = [Vec::new(), Vec::new()];
        let mut numbers = Vec::new();
        let mut texts = Vec::new();
        let mut intervals = Vec::new();
        for (hit, allowed) in rows {
            match allowed {
                Allowed::Range(low, high) => intervals.push((low, high, hit)),
                Allowed::Values(values) => {
                    for value in values {
                        match value {
                            Value::Bool(truth) => truths[usize::from(truth)].push(hit),
                            // -0.0 equals 0.0 and must sort as it.
                            Value::Number(number) => numbers.push((number + 0.0, hit)),
                            Value::Text(text) => texts.push((text, hit)),
                        }
                    }
                }
            }
        }
        for hits in &mut truths {
            hits.dedup();
        }
        Self {
            field,
            truths: truths.map(Into::into),
            numbers: Numbers::new(numbers),
            texts: Sorted::new(texts),
            intervals: Intervals::new(intervals),
        }
    }

    /// Appends what the field's value allows, in runs.
    fn candidates(&self, fields: &[Value], out: &mut Vec<Hit>) {
        match fields.get(self.field) {
            Some(Value::Bool(truth)) => out.extend_from_slice(&self.truths[usize::from(*truth)]),
            Some(Value::Number(number)) => {
                let number = number + 0.0;
                out.extend(self.numbers.under(number));
                self.intervals.holding(number, out);
            }
            Some(Value::Text(text)) => {
                out.extend(self.texts.under(|key| (**key).cmp(text)));
            }
            None => {}
        }
    }
}

impl<K: Ord> Sorted<K> {
    fn new(mut rows: Vec<(K, Hit)>) -> Self {
        rows.sort();
        let (keys, hits) = by_key(rows).into_iter().unzip::<_, _, Vec<K>, Vec<_>>();
        Self {
            keys: keys.into(),
            hits: hits.into(),
        }
    }

    fn under(&self, order: impl FnMut(&K) -> std::cmp::Ordering) -> &[Hit] {
        let at = self.keys.binary_search_by(order);
        at.map_or(&[], |at| &self.hits[at])
    }
}

/// Each key once, with the hits of its rows, each of them once too. Equal rows must be neighbours.
pub(super) fn by_key<K: PartialEq>(rows: Vec<(K, Hit)>) -> Vec<(K, Few<Hit>)> {
    let mut by_key: Vec<(K, Vec<Hit>)> = Vec::new();
    for (key, hit) in rows {
        match by_key.last_mut().filter(|(last, _)| *last == key) {
            Some((_, hits)) if hits.last() == Some(&hit) => {}
            Some((_, hits)) => hits.push(hit),
            None => by_key.push((key, vec![hit])),
        }
    }
    let few = |(key, hits): (K, Vec<Hit>)| (key, Few::from(hits));
    by_key.into_iter().map(few).collect()
}
