//! One event's rules, sorted by what they demand of the event's fields.
//!
//! Each rule stands in one place: under the values of its most selective field, in that field's
//! intervals, or in the list of those that must always look.

use std::sync::Arc;

use types::{Type, Value};

use super::{Hit, constraint::Allowed, interval::Intervals};

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
    numbers: Sorted<f64>,
    texts: Sorted<Arc<str>>,
    intervals: Intervals,
}

/// Keys in ascending order, and behind each what stands under it.
#[derive(Debug)]
struct Sorted<K> {
    keys: Box<[K]>,
    /// `hits[starts[n]..starts[n + 1]]` stand under `keys[n]`.
    starts: Box<[u32]>,
    hits: Box<[Hit]>,
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
            numbers: Sorted::new(numbers, f64::total_cmp),
            texts: Sorted::new(texts, Ord::cmp),
            intervals: Intervals::new(intervals),
        }
    }

    /// Appends what the field's value allows, in runs.
    fn candidates(&self, fields: &[Value], out: &mut Vec<Hit>) {
        match fields.get(self.field) {
            Some(Value::Bool(truth)) => out.extend_from_slice(&self.truths[usize::from(*truth)]),
            Some(Value::Number(number)) => {
                let number = number + 0.0;
                out.extend_from_slice(self.numbers.under(|key| key.total_cmp(&number)));
                self.intervals.holding(number, out);
            }
            Some(Value::Text(text)) => {
                out.extend_from_slice(self.texts.under(|key| (**key).cmp(text)));
            }
            None => {}
        }
    }
}

impl<K: PartialEq> Sorted<K> {
    fn new(mut rows: Vec<(K, Hit)>, order: fn(&K, &K) -> std::cmp::Ordering) -> Self {
        rows.sort_by(|a, b| order(&a.0, &b.0).then(a.1.cmp(&b.1)));
        rows.dedup();
        let mut keys = Vec::new();
        let mut starts = Vec::new();
        let mut hits = Vec::with_capacity(rows.len());
        for (key, hit) in rows {
            if keys.last() != Some(&key) {
                keys.push(key);
                starts.push(hits.len() as u32);
            }
            hits.push(hit);
        }
        starts.push(hits.len() as u32);
        Self {
            keys: keys.into(),
            starts: starts.into(),
            hits: hits.into(),
        }
    }

    fn under(&self, order: impl FnMut(&K) -> std::cmp::Ordering) -> &[Hit] {
        match self.keys.binary_search_by(order) {
            Ok(at) => &self.hits[self.starts[at] as usize..self.starts[at + 1] as usize],
            Err(_) => &[],
        }
    }
}
