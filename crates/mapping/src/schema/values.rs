//! Tables whose keys the house itself says: fields of channels and events, options of kinds, variables.

use serde_json::{Map, Value as Json, json};
use types::Type;

use super::{Writer, any_of, describe, object, one_of, plain};
use crate::{
    constant,
    grammar::{Keys, Names, STEPS, Takes, Values},
    house::options,
    kinds,
    program::{ChannelIx, EventIx, Program, SlotIx},
    vocabulary,
};

impl Writer<'_> {
    /// `io.CH`: the options that its kind has.
    pub(super) fn channel(&mut self, keys: &'static Keys) -> Json {
        let mut table = self.table(keys, &[]);
        let mut all = Map::new();
        let mut rules = Vec::new();
        let program = self.program;
        for kind in program.kinds.all() {
            let mut names = vec![json!("kind")];
            for option in options::of_kind(kind) {
                names.push(json!(option.name));
                let mut schema = plain(&option.takes);
                describe(&mut schema, option.about);
                // Kinds share options by name; none takes different things by one name.
                all.entry(option.name).or_insert(schema);
            }
            rules.push(json!({
                "if": { "properties": { "kind": { "const": &*kind.name } } },
                "then": { "propertyNames": { "enum": names } },
            }));
        }
        if let Some(Json::Object(properties)) = table.get_mut("properties") {
            properties.extend(all);
        }
        // All stand side by side: taplo does not look at what stands beside `allOf`.
        rules.insert(0, table);
        json!({ "allOf": rules })
    }

    /// A table that sets fields of the channel or group under `key`.
    pub(super) fn with_fields(&mut self, keys: &'static Keys, key: &str) -> Json {
        let mut alternatives = Vec::new();
        if keys
            .find(key)
            .is_some_and(|spec| spec.need == crate::grammar::Need::May)
        {
            let mut without = self.table(keys, &[]);
            if let Some(Json::Object(properties)) = without.get_mut("properties") {
                properties.remove(key);
            }
            alternatives.push(without);
        }
        for (names, fields) in self.targets() {
            let mut table = self.table(keys, &[(key, one_of(names))]);
            if let Some(Json::Object(properties)) = table.get_mut("properties") {
                // What is neither on nor off can't be on for a time.
                if !fields.contains_key("on") {
                    properties.remove("for");
                }
                for (name, schema) in fields {
                    properties.entry(name).or_insert(schema);
                }
            }
            table["required"] = json!([key]);
            alternatives.push(table);
        }
        any_of(alternatives)
    }

    /// Channels and groups that have the same fields to set, with these fields.
    fn targets(&self) -> Vec<(Vec<String>, Map<String, Json>)> {
        let program = self.program;
        let mut all: Vec<(Vec<String>, Map<String, Json>)> = Vec::new();
        let mut add = |name: String, fields: Map<String, Json>| {
            if fields.is_empty() {
                return;
            }
            match all.iter_mut().find(|(_, others)| *others == fields) {
                Some((names, _)) => names.push(name),
                None => all.push((vec![name], fields)),
            }
        };
        for channel in ChannelIx::all(program.channels.len()) {
            add(program.channel_path(channel), settable(program, channel));
        }
        for (name, members) in &program.names.groups {
            let mut fields = members.first().map(|first| settable(program, *first));
            for member in members {
                let other = settable(program, *member);
                if let Some(fields) = &mut fields {
                    fields.retain(|name, _| other.contains_key(name));
                }
            }
            add(name.to_string(), fields.unwrap_or_default());
        }
        all
    }

    /// A table that has fields of the event under `key`: lists of their values, or their values.
    pub(super) fn with_event_fields(&mut self, keys: &'static Keys, key: &str) -> Json {
        let program = self.program;
        let (beside, names) = match key {
            "chord" => (Beside::Lists { unique: true }, Names::OneEvent),
            "sequence" => (Beside::Lists { unique: false }, Names::OneEvent),
            "event" => (Beside::Constants, Names::Event),
            _ => (Beside::Operands, Names::OneEvent),
        };
        let lists = matches!(beside, Beside::Lists { .. });
        let mut all: Vec<(Fields, Vec<String>)> = Vec::new();
        for name in crate::vocabulary::all(program, names) {
            let Some(event) = event(program, &name) else {
                continue;
            };
            let fields = Fields::of(program, event, beside);
            if lists && fields.schemas.is_empty() {
                continue;
            }
            match all.iter_mut().find(|(others, _)| *others == fields) {
                Some((_, names)) => names.push(name),
                None => all.push((fields, vec![name])),
            }
        }
        let tables = all.into_iter().map(|(mut fields, names)| {
            let mut table = self.table(keys, &[(key, one_of(names))]);
            if let Some(Json::Object(properties)) = table.get_mut("properties") {
                properties.extend(fields.schemas);
            }
            fields.required.push(key.to_owned());
            table["required"] = json!(fields.required);
            table
        });
        let mut tables: Vec<Json> = tables.collect();
        if key == "sequence" {
            const LIST: Takes = Takes::List(&Takes::Forms(&STEPS));
            let mut steps = self.takes(&LIST);
            steps["minItems"] = json!(2);
            steps["maxItems"] = json!(16);
            tables.push(self.table(keys, &[(key, steps)]));
        }
        any_of(tables)
    }

    /// A table that has arguments of the command under `key`.
    pub(super) fn with_arguments(&mut self, keys: &'static Keys, key: &str) -> Json {
        let program = self.program;
        let mut all: Vec<(Map<String, Json>, Vec<String>)> = Vec::new();
        for name in crate::vocabulary::all(program, Names::Command) {
            let args = arguments(program, &name);
            match all.iter_mut().find(|(others, _)| *others == args) {
                Some((_, names)) => names.push(name),
                None => all.push((args, vec![name])),
            }
        }
        let tables = all.into_iter().map(|(args, names)| {
            let mut table = self.table(keys, &[(key, one_of(names))]);
            if let Some(Json::Object(properties)) = table.get_mut("properties") {
                properties.extend(args);
            }
            table
        });
        any_of(tables.collect())
    }

    /// `with = { .. }`: fields of some event.
    pub(super) fn any_event_fields(&mut self) -> Json {
        let program = self.program;
        self.defined("event-fields", |_| {
            let mut all: Map<String, Json> = Map::new();
            let mut kinds: std::collections::BTreeMap<String, Vec<Json>> = Default::default();
            for field in program.events.iter().flat_map(|event| &event.fields) {
                let schemas = kinds.entry(field.name.to_string()).or_default();
                let schema = constant(&field.ty);
                if !schemas.contains(&schema) {
                    schemas.push(schema);
                }
            }
            for (name, schemas) in kinds {
                all.insert(name, any_of(schemas));
            }
            object(all)
        })
    }

    /// A table that gives the variable under `key` the value under `name`.
    pub(super) fn with_value_of(&mut self, keys: &'static Keys, name: &str, key: &str) -> Json {
        let mut all: Vec<(Vec<String>, Json)> = Vec::new();
        for var in &self.program.vars {
            let value = or_computed(constant(&var.ty));
            match all.iter_mut().find(|(_, other)| *other == value) {
                Some((names, _)) => names.push(var.name.to_string()),
                None => all.push((vec![var.name.to_string()], value)),
            }
        }
        let tables = all
            .into_iter()
            .map(|(vars, value)| self.table(keys, &[(key, one_of(vars)), (name, value)]));
        any_of(tables.collect())
    }

    /// `{ night = true }`.
    pub(super) fn var_values(&mut self) -> Json {
        let program = self.program;
        self.defined("var-values", |_| {
            let vars = program.vars.iter();
            let values = vars.map(|var| (var.name.to_string(), constant(&var.ty)));
            object(values.collect())
        })
    }

    /// `{ hall-motion = 1 }`.
    pub(super) fn firings(&mut self) -> Json {
        let program = self.program;
        self.defined("firings", |_| {
            let count = json!({ "type": "integer", "minimum": 0, "maximum": 1_000_000 });
            let rules = program.names.rules.keys();
            let counts = rules.map(|name| (name.to_string(), count.clone()));
            object(counts.collect())
        })
    }

    /// `{ D.CH = value, D.CH.field = value }`.
    pub(super) fn values(&mut self, values: Values) -> Json {
        let program = self.program;
        self.defined(&format!("{values:?}-values").to_lowercase(), |_| {
            let mut all = Map::new();
            for device in &program.devices {
                let channels = device.channels.iter();
                let channels = channels.filter_map(|channel| {
                    let schema = of_channel(program, *channel, values)?;
                    Some((program[*channel].name.to_string(), schema))
                });
                let channels: Map<String, Json> = channels.collect();
                if !channels.is_empty() {
                    all.insert(device.name.to_string(), object(channels));
                }
            }
            if values == Values::Scene {
                for (name, members) in &program.names.groups {
                    let members = members.iter();
                    let schemas = members.map(|ix| of_channel(program, *ix, values));
                    let Some(mut schemas) = schemas.collect::<Option<Vec<Json>>>() else {
                        continue;
                    };
                    schemas.dedup();
                    if !schemas.is_empty() {
                        all.insert(name.to_string(), json!({ "allOf": schemas }));
                    }
                }
            }
            let mut table = object(all);
            if values == Values::Scene {
                table["minProperties"] = json!(1);
            }
            table
        })
    }
}

/// How fields stand beside an event.
#[derive(Clone, Copy)]
enum Beside {
    /// Several values of one.
    Lists {
        /// All of them different.
        unique: bool,
    },
    /// Those that it must have.
    Constants,
    /// All that it will have.
    Operands,
}

/// What can be written beside an event.
#[derive(PartialEq)]
struct Fields {
    schemas: Map<String, Json>,
    required: Vec<String>,
}

impl Fields {
    /// The fields of an event.
    fn of(program: &Program, event: EventIx, beside: Beside) -> Self {
        let mut fields = Self {
            schemas: Map::new(),
            required: Vec::new(),
        };
        for field in &program[event].fields {
            let value = constant(&field.ty);
            let schema = match beside {
                Beside::Lists { unique } => {
                    json!({ "type": "array", "minItems": 2, "maxItems": 16, "uniqueItems": unique, "items": value })
                }
                Beside::Constants => value,
                Beside::Operands => or_computed(value),
            };
            fields.schemas.insert(field.name.to_string(), schema);
            if matches!(beside, Beside::Operands) && field.default.is_none() {
                fields.required.push(field.name.to_string());
            }
        }
        fields
    }
}

/// What is written for one channel: a table of fields, or the value of the only one.
fn of_channel(program: &Program, channel: ChannelIx, values: Values) -> Option<Json> {
    if values.are_whole() {
        let duration = || plain(&kinds::Takes::Duration);
        return vocabulary::has_values(program, channel, values).then(duration);
    }
    let slots = program[channel].slots.iter().copied();
    let fits = |slot: &SlotIx| values.are_reported() || program[*slot].settable;
    let schema = |slot: SlotIx| match values {
        Values::State => constant(&program[slot].ty),
        Values::Age | Values::OnFor | Values::Kept => plain(&kinds::Takes::Duration),
        Values::Scene | Values::Target => constant(&constant::writable(program, slot)),
    };
    let fields = slots.clone().filter(fits);
    let fields: Map<String, Json> = fields
        .map(|slot| (program[slot].name.to_string(), schema(slot)))
        .collect();
    if fields.is_empty() {
        return None;
    }
    let table = object(fields);
    match program[channel].slots.as_slice() {
        [only] => Some(any_of(vec![schema(*only), table])),
        // One for all of its fields.
        [first, ..] if values == Values::Age => Some(any_of(vec![schema(*first), table])),
        _ => Some(table),
    }
}

fn settable(program: &Program, channel: ChannelIx) -> Map<String, Json> {
    let slots = program[channel].slots.iter().copied();
    slots
        .filter(|slot| program[*slot].settable)
        .map(|slot| {
            let schema = or_computed(constant(&constant::writable(program, slot)));
            (program[slot].name.to_string(), schema)
        })
        .collect()
}

/// The arguments of a command; those that all members of a group take.
fn arguments(program: &Program, name: &str) -> Map<String, Json> {
    let mut shared: Option<Map<String, Json>> = None;
    for (channel, command) in crate::vocabulary::commands(program, name) {
        let args = &program[channel].commands[command].args;
        let args = args.iter().map(|arg| {
            let schema = or_computed(constant(&arg.ty));
            (arg.name.to_string(), schema)
        });
        let args: Map<String, Json> = args.collect();
        match &mut shared {
            Some(shared) => shared.retain(|name, _| args.contains_key(name)),
            None => shared = Some(args),
        }
    }
    shared.unwrap_or_default()
}

/// The event that a name stands for; a group of one stands for its member.
fn event(program: &Program, name: &str) -> Option<EventIx> {
    let (target, event) = name.rsplit_once('.')?;
    let group = program.names.groups.get(target);
    let device = match group.and_then(|members| members.first()) {
        _ if target == "*" => program.devices.first(),
        Some(member) => Some(&program[program[*member].device]),
        None => program.device(target).map(|device| &program[device]),
    };
    match (device, event) {
        (Some(device), "online") => return Some(device.online),
        (Some(device), "offline") => return Some(device.offline),
        _ => {}
    }
    let channel = match (group, target.strip_prefix("*.")) {
        (Some(members), _) => members.first().copied(),
        (None, Some(name)) => {
            let mut channels = ChannelIx::all(program.channels.len());
            channels.find(|channel| *program[*channel].name == *name)
        }
        (None, None) => program.channel_by_path(target),
    };
    program.event(channel?, event)
}

/// A constant of this type.
fn constant(ty: &Type) -> Json {
    let range = |kind: &str, min: f64, max: f64| {
        let mut schema = json!({ "type": kind });
        for (key, bound) in [("minimum", min), ("maximum", max)] {
            if bound.is_finite() {
                schema[key] = number(bound);
            }
        }
        schema
    };
    match ty {
        Type::Bool => json!({ "type": "boolean" }),
        Type::Int { min, max } => range("integer", *min, *max),
        Type::Number { min, max } => range("number", *min, *max),
        Type::Text => json!({ "type": "string", "maxLength": Type::TEXT_BYTES_MAX }),
        Type::Enum(names) => one_of(names.iter()),
    }
}

/// Whole numbers without a point.
fn number(value: f64) -> Json {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        json!(value as i64)
    } else {
        json!(value)
    }
}

/// That, or `"${..}"`.
fn or_computed(value: Json) -> Json {
    let mut computed = json!({ "type": "string", "pattern": r"\$\{" });
    describe(&mut computed, "computed when the rule fires");
    let mut either = json!({});
    either["anyOf"] = Json::Array(vec![value, computed]);
    either
}
