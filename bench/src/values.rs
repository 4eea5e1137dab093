//! Values by their paths, `state.hall.lux`, for our expressions and for those of the libraries beside them.

use std::collections::{BTreeMap, HashMap};

use engine::eval::View;
use mapping::{
    Program,
    program::{self, DeviceIx, RuleIx, SlotIx, Sun, Trigger, VarIx},
};
use types::Value;

/// One value for each path; all are known.
pub type Values = BTreeMap<String, Value>;

/// What our expressions read, by the tables of a program.
#[derive(Debug)]
pub struct Tables {
    event: Vec<Value>,
    reported: Vec<Option<Value>>,
    wished: Vec<Option<Value>>,
    vars: Vec<Value>,
}

impl Tables {
    /// `values` as the rule `rule` of `program` finds them. What is not among them is unknown; a variable has its start.
    #[must_use]
    pub fn new(program: &Program, rule: RuleIx, values: &Values) -> Self {
        let slots = || SlotIx::all(program.slots.len());
        let slot = |root: &str| {
            let value = |slot| {
                values
                    .get(&format!("{root}.{}", program.slot_path(slot)))
                    .cloned()
            };
            slots().map(value).collect()
        };
        let var = |var: &program::Var| {
            let value = values.get(&format!("var.{}", var.name));
            value.unwrap_or(&var.start).clone()
        };
        let event = match program[rule].triggers.first() {
            Some(Trigger::Event { event, fields }) => {
                let declared = |field: &u8| &program[*event].fields[usize::from(*field)].name;
                let value = |field| values.get(&format!("event.{}", declared(field))).cloned();
                fields.iter().filter_map(value).collect()
            }
            _ => Vec::new(),
        };
        Self {
            event,
            reported: slot("state"),
            wished: slot("target"),
            vars: program.vars.iter().map(var).collect(),
        }
    }
}

impl View for Tables {
    fn state(&self, slot: SlotIx) -> Option<&Value> {
        self.reported[slot.index()].as_ref()
    }
    fn age(&self, _: SlotIx) -> Option<f64> {
        None
    }
    fn target(&self, slot: SlotIx) -> Option<&Value> {
        self.wished[slot.index()].as_ref()
    }
    fn var(&self, var: VarIx) -> &Value {
        &self.vars[var.index()]
    }
    fn online(&self, _: DeviceIx) -> bool {
        true
    }
    fn event(&self, field: u8) -> Option<&Value> {
        self.event.get(usize::from(field))
    }
    fn sun(&self, _: Sun) -> Option<Value> {
        None
    }
    fn now(&self, _: program::Now) -> Option<Value> {
        None
    }
}

/// The paths as a tree: `state` holds `hall`, that holds `lux`.
enum Tree<'v> {
    Leaf(&'v Value),
    Branch(BTreeMap<&'v str, Tree<'v>>),
}

fn tree(values: &Values) -> BTreeMap<&str, Tree<'_>> {
    let mut root = BTreeMap::new();
    for (path, value) in values {
        let mut here = &mut root;
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                here.insert(part, Tree::Leaf(value));
                break;
            }
            let branch = || Tree::Branch(BTreeMap::new());
            let Tree::Branch(below) = here.entry(part).or_insert_with(branch) else {
                break;
            };
            here = below;
        }
    }
    root
}

/// `var` is a reserved word in both of the other languages.
fn word(root: &str) -> &str {
    if root == "var" { "vars" } else { root }
}

/// The values as the Common Expression Language takes them.
#[must_use]
pub fn cel(values: &Values) -> cel::Context<'static, 'static> {
    fn value(tree: &Tree<'_>) -> cel::Value {
        match tree {
            Tree::Leaf(Value::Bool(is)) => cel::Value::Bool(*is),
            Tree::Leaf(Value::Number(number)) => cel::Value::Float(*number),
            Tree::Leaf(Value::Text(text)) => cel::Value::from(&**text),
            Tree::Branch(parts) => {
                let parts = parts
                    .iter()
                    .map(|(name, part)| ((*name).to_owned(), value(part)));
                cel::Value::from(parts.collect::<HashMap<String, cel::Value>>())
            }
        }
    }
    let mut context = cel::Context::default();
    for (root, parts) in tree(values) {
        context.add_variable_from_value(word(root), value(&parts));
    }
    context
}

/// The values as Rhai takes them.
#[must_use]
pub fn rhai(values: &Values) -> rhai::Scope<'static> {
    fn value(tree: &Tree<'_>) -> rhai::Dynamic {
        match tree {
            Tree::Leaf(Value::Bool(is)) => (*is).into(),
            Tree::Leaf(Value::Number(number)) => (*number).into(),
            Tree::Leaf(Value::Text(text)) => text.to_string().into(),
            Tree::Branch(parts) => {
                let parts = parts
                    .iter()
                    .map(|(name, part)| ((*name).into(), value(part)));
                parts.collect::<rhai::Map>().into()
            }
        }
    }
    let mut scope = rhai::Scope::new();
    for (root, parts) in tree(values) {
        scope.push_dynamic(word(root).to_owned(), value(&parts));
    }
    scope
}
