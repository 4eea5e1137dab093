//! What the grammar and the house say of a place: which keys fit, and what a value can be.

use mapping::{
    Program,
    grammar::{BLOCKLIST, Form, Keys, MAPPING, Names, Need, Others, TESTS, Takes, Values},
    kinds::{self, OptionSpec},
    outline::{Outline, Step},
    program::{ChannelIx, DeviceIx, EventIx, Field, Trigger, VarIx},
    vocabulary,
};
use types::Type;

use crate::around;

/// What can stand at a place.
#[derive(Clone, Debug)]
pub(crate) enum Spot {
    /// What a key of the grammar takes.
    Takes(&'static Takes),
    /// A table of the grammar.
    Table(&'static Keys),
    /// Channels of a device, with values.
    Device(Values, DeviceIx),
    /// Fields of channels, with values.
    Channels(Values, Vec<ChannelIx>),
    /// A constant, or a computed value.
    Value(Type),
    /// What an option of a channel takes.
    Option(kinds::Takes),
}

/// A key that fits, with a line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyHere {
    pub(crate) name: String,
    pub(crate) about: String,
    /// Whether something must be there.
    pub(crate) needed: bool,
    /// Whether it is a field or a name of the house, no key of the language.
    pub(crate) of_house: bool,
}

/// A text with what the house is.
pub(crate) struct Shape<'a> {
    pub(crate) program: &'a Program,
    pub(crate) text: &'a str,
    pub(crate) outline: Outline,
}

/// The tables that a file can hold, by its name.
pub(crate) fn tops(file: &str) -> &'static Keys {
    if file == crate::houses::BLOCKLIST {
        &BLOCKLIST
    } else if file.ends_with(".test.toml") {
        &TESTS
    } else {
        &MAPPING
    }
}

impl<'a> Shape<'a> {
    pub(crate) fn new(program: &'a Program, text: &'a str) -> Self {
        Self {
            program,
            text,
            outline: Outline::read(text),
        }
    }

    /// What can stand at a path of a file.
    pub(crate) fn at(&self, tops: &'static Keys, path: &[Step]) -> Vec<Spot> {
        let mut spots = vec![Spot::Table(tops)];
        for (depth, step) in path.iter().enumerate() {
            let above = &path[..depth];
            let mut next = Vec::new();
            for spot in &spots {
                self.step(spot, step, above, &mut next);
            }
            spots = next;
        }
        spots
    }

    /// The text of a value beside a place, without quotes.
    fn beside(&self, table: &[Step], key: &str) -> Option<String> {
        let fields = around::fields(self.text, &self.outline, table);
        let mut fields = fields.into_iter();
        let (_, value) = fields.find(|(name, _)| name == key)?;
        Some(value.trim_matches(['"', '\'']).to_owned())
    }

    fn step(&self, spot: &Spot, step: &Step, above: &[Step], out: &mut Vec<Spot>) {
        match (spot, step) {
            (Spot::Takes(takes), step) => self.step_takes(takes, step, above, out),
            (Spot::Table(keys), Step::Key(key)) => self.key(keys, key, above, out),
            (Spot::Device(values, device), Step::Key(key)) => {
                let channel = self.program.channel(*device, key);
                out.extend(channel.map(|channel| Spot::Channels(*values, vec![channel])));
            }
            (Spot::Channels(values, _), Step::Key(_)) if values.are_whole() => {}
            (Spot::Channels(Values::Age, channels), Step::Key(key)) => {
                let is_field = self.field(channels, key).is_some();
                out.extend(is_field.then_some(Spot::Option(kinds::Takes::Duration)));
            }
            (Spot::Channels(_, channels), Step::Key(key)) => out.extend(self.field(channels, key)),
            (Spot::Value(ty), Step::Item(_)) => out.push(Spot::Value(ty.clone())),
            (Spot::Option(kinds::Takes::Pins), Step::Item(_)) => {
                out.push(Spot::Option(kinds::Takes::Pin));
            }
            _ => {}
        }
    }

    fn step_takes(&self, takes: &'static Takes, step: &Step, above: &[Step], out: &mut Vec<Spot>) {
        match (takes, step) {
            (Takes::Table(keys), Step::Key(key)) => self.key(keys, key, above, out),
            (Takes::Declares(_, inner), Step::Key(_))
            | (Takes::List(inner) | Takes::OneOrMore(inner), Step::Item(_)) => {
                out.push(Spot::Takes(inner));
            }
            (Takes::OneOrMore(inner), _) => self.step_takes(inner, step, above, out),
            (Takes::Either(all), _) => {
                for takes in *all {
                    self.step_takes(takes, step, above, out);
                }
            }
            (Takes::Forms(forms), Step::Key(key)) => {
                let chosen = self.form(forms.all, above);
                for form in forms.all {
                    let fits = chosen.is_none_or(|chosen| std::ptr::eq(chosen, form));
                    if fits {
                        self.key(&form.keys, key, above, out);
                    }
                }
            }
            (Takes::Values(values), Step::Key(key)) => {
                if let Some(device) = self.program.device(key) {
                    out.push(Spot::Device(*values, device));
                } else if let Some(members) = self.program.names.groups.get(&**key) {
                    out.push(Spot::Channels(*values, members.clone()));
                }
            }
            (Takes::FieldsOf(beside), Step::Key(key)) => {
                // `with` stands beside `event`: one table further up.
                let table = above.split_last().map_or(above, |(_, table)| table);
                if let Some(event) = self.event_beside(table, beside) {
                    out.extend(self.event_field(event, key));
                }
            }
            (Takes::By(_, inner) | Takes::ByPlace(inner), Step::Key(_)) => {
                out.push(Spot::Takes(inner));
            }
            (Takes::Renames, Step::Key(_)) => out.push(Spot::Takes(&Takes::Name(Names::Renamed))),
            (Takes::VarValues, Step::Key(key)) => out.extend(self.var(key).map(Spot::Value)),
            _ => {}
        }
    }

    /// The form of the table at `table`, where one of its keys says it.
    fn form(&self, forms: &'static [Form], table: &[Step]) -> Option<&'static Form> {
        let there = around::fields(self.text, &self.outline, table);
        forms
            .iter()
            .find(|form| there.iter().any(|(key, _)| key == form.name))
    }

    fn key(&self, keys: &'static Keys, key: &str, table: &[Step], out: &mut Vec<Spot>) {
        if let Some(spec) = keys.find(key) {
            out.push(match spec.takes {
                Takes::ValueOf(beside) => {
                    let var = self.beside(table, beside).and_then(|var| self.var(&var));
                    var.map_or(Spot::Takes(&spec.takes), Spot::Value)
                }
                _ => Spot::Takes(&spec.takes),
            });
            return;
        }
        match keys.others {
            Others::Nothing => {}
            Others::FieldsOf(beside) => {
                let channels = self.targets_beside(table, beside);
                out.extend(self.field(&channels, key));
            }
            Others::EventFieldsOf(beside) => {
                if let Some(event) = self.event_beside(table, beside) {
                    out.extend(self.event_field(event, key));
                }
            }
            Others::ArgumentsOf(beside) => {
                let args = self.arguments_beside(table, beside).iter();
                let found = args.clone().find(|arg| *arg.name == *key);
                out.extend(found.map(|arg| Spot::Value(arg.ty.clone())));
            }
            Others::OptionsOf(beside) => {
                let options = self.options_beside(table, beside);
                let found = options.iter().find(|option| option.name == key);
                out.extend(found.map(|option| Spot::Option(option.takes)));
            }
        }
    }

    /// The keys that can be added to the table at `path`.
    pub(crate) fn keys(&self, tops: &'static Keys, path: &[Step]) -> Vec<KeyHere> {
        let there = around::fields(self.text, &self.outline, path);
        let mut all = Vec::new();
        for spot in self.at(tops, path) {
            self.keys_of(&spot, path, &mut all);
        }
        all.retain(|key: &KeyHere| !there.iter().any(|(name, _)| *name == key.name));
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|key| seen.insert(key.name.clone()));
        all
    }

    fn keys_of(&self, spot: &Spot, path: &[Step], all: &mut Vec<KeyHere>) {
        let program = self.program;
        match spot {
            Spot::Table(keys) => self.keys_of_table(keys, path, all),
            Spot::Takes(takes) => self.keys_of_takes(takes, path, all),
            Spot::Device(values, device) => {
                for channel in &program[*device].channels {
                    if vocabulary::has_values(program, *channel, *values) {
                        all.push(of_house(&program[*channel].name, &program[*channel].kind));
                    }
                }
            }
            Spot::Channels(values, _) if values.are_whole() => {}
            Spot::Channels(values, channels) => {
                self.fields_of(channels, values.are_reported(), all);
            }
            Spot::Value(_) | Spot::Option(_) => {}
        }
    }

    fn keys_of_table(&self, keys: &'static Keys, path: &[Step], all: &mut Vec<KeyHere>) {
        all.extend(keys.specs.iter().map(|spec| KeyHere {
            name: spec.name.to_owned(),
            about: spec.about.to_owned(),
            needed: spec.need == Need::Must,
            of_house: false,
        }));
        match keys.others {
            Others::Nothing => {}
            Others::FieldsOf(beside) => {
                self.fields_of(&self.targets_beside(path, beside), false, all);
            }
            Others::EventFieldsOf(beside) => {
                if let Some(event) = self.event_beside(path, beside) {
                    self.fields_of_event(event, all);
                }
            }
            Others::ArgumentsOf(beside) => {
                let args = self.arguments_beside(path, beside).iter();
                all.extend(args.map(|arg| of_house(&arg.name, &mapping::type_in_words(&arg.ty))));
            }
            Others::OptionsOf(beside) => {
                for option in self.options_beside(path, beside) {
                    all.push(KeyHere {
                        name: option.name.to_owned(),
                        about: option.about.to_owned(),
                        needed: false,
                        of_house: false,
                    });
                }
            }
        }
    }

    fn keys_of_takes(&self, takes: &'static Takes, path: &[Step], all: &mut Vec<KeyHere>) {
        let program = self.program;
        match takes {
            Takes::Table(keys) => self.keys_of_table(keys, path, all),
            Takes::OneOrMore(inner) => self.keys_of_takes(inner, path, all),
            Takes::Either(each) => {
                for takes in *each {
                    self.keys_of_takes(takes, path, all);
                }
            }
            Takes::Forms(forms) => match self.form(forms.all, path) {
                Some(form) => self.keys_of_table(&form.keys, path, all),
                None => {
                    all.extend(forms.all.iter().map(|form| {
                        KeyHere {
                            name: form.name.to_owned(),
                            about: form
                                .keys
                                .find(form.name)
                                .map_or("", |spec| spec.about)
                                .to_owned(),
                            needed: true,
                            of_house: false,
                        }
                    }));
                }
            },
            Takes::Values(values) => {
                for device in &program.devices {
                    all.push(of_house(&device.name, "device"));
                }
                if *values == Values::Scene {
                    all.extend(
                        program
                            .names
                            .groups
                            .keys()
                            .map(|name| of_house(name, "group")),
                    );
                }
            }
            Takes::FieldsOf(beside) => {
                let table = path.split_last().map_or(path, |(_, table)| table);
                if let Some(event) = self.event_beside(table, beside) {
                    self.fields_of_event(event, all);
                }
            }
            Takes::VarValues => self.var_names(all),
            Takes::Firings | Takes::By(Names::Rule, _) => self.names(Names::Rule, "rule", all),
            Takes::By(names, _) => self.names(*names, "timer", all),
            _ => {}
        }
    }

    fn names(&self, names: Names, what: &str, all: &mut Vec<KeyHere>) {
        let names = vocabulary::all(self.program, names).into_iter();
        all.extend(names.map(|name| of_house(&name, what)));
    }

    fn var_names(&self, all: &mut Vec<KeyHere>) {
        let vars = self.program.vars.iter();
        all.extend(vars.map(|var| of_house(&var.name, &mapping::type_in_words(&var.ty))));
    }

    fn fields_of(&self, channels: &[ChannelIx], state: bool, all: &mut Vec<KeyHere>) {
        let Some((first, rest)) = channels.split_first() else {
            return;
        };
        for slot in &self.program[*first].slots {
            let row = &self.program[*slot];
            let shared = rest
                .iter()
                .all(|other| self.program.slot(*other, &row.name).is_some());
            if shared && (state || row.settable) {
                all.push(of_house(&row.name, &mapping::type_in_words(&row.ty)));
            }
        }
    }

    fn fields_of_event(&self, event: EventIx, all: &mut Vec<KeyHere>) {
        let fields = self.program[event].fields.iter();
        all.extend(fields.map(|field| of_house(&field.name, &mapping::type_in_words(&field.ty))));
    }

    fn var(&self, name: &str) -> Option<Type> {
        let var: VarIx = self.program.names.vars.get(name).copied()?;
        Some(self.program[var].ty.clone())
    }

    fn field(&self, channels: &[ChannelIx], name: &str) -> Option<Spot> {
        let slot = self.program.slot(*channels.first()?, name)?;
        Some(Spot::Value(self.program[slot].ty.clone()))
    }

    fn event_field(&self, event: EventIx, name: &str) -> Option<Spot> {
        let mut fields = self.program[event].fields.iter();
        let field = fields.find(|field| *field.name == *name)?;
        Some(Spot::Value(field.ty.clone()))
    }

    /// The channels of the channel or group that a key of the table names.
    fn targets_beside(&self, table: &[Step], key: &str) -> Vec<ChannelIx> {
        let Some(name) = self.beside(table, key) else {
            return Vec::new();
        };
        match self.program.names.groups.get(&*name) {
            Some(members) => members.clone(),
            None => self.program.channel_by_path(&name).into_iter().collect(),
        }
    }

    fn event_beside(&self, table: &[Step], key: &str) -> Option<EventIx> {
        let path = self.beside(table, key)?;
        let (channel, event) = path.rsplit_once('.')?;
        self.program
            .event(self.program.channel_by_path(channel)?, event)
    }

    /// The arguments of the command that a key of the table names.
    fn arguments_beside(&self, table: &[Step], key: &str) -> &[Field] {
        let command = self.beside(table, key);
        let commands = command.map(|command| vocabulary::commands(self.program, &command));
        match commands.as_deref() {
            Some([(channel, command), ..]) => &self.program[*channel].commands[*command].args,
            _ => &[],
        }
    }

    /// The events whose fields an expression at this path can read; none where something else can be what the
    /// rule waits for.
    pub(crate) fn events(&self, path: &[Step]) -> Vec<EventIx> {
        let [Step::Key(top), Step::Key(rule), Step::Key(key), ..] = path else {
            return Vec::new();
        };
        if &**top != "rule" {
            return Vec::new();
        }
        if &**key == "when" {
            // A step of a sequence; other triggers have no event yet.
            let table = path.split_last().map_or(path, |(_, table)| table);
            return self.event_beside(table, "event").into_iter().collect();
        }
        let rule = self.program.names.rules.get(rule);
        let rule = rule.and_then(|rule| self.program.rules.get(rule.index()));
        let triggers = rule.map(|rule| &*rule.triggers).unwrap_or_default();
        let events = triggers.iter().map(|trigger| match trigger {
            Trigger::Event { event, .. } => Some(*event),
            _ => None,
        });
        events.collect::<Option<Vec<EventIx>>>().unwrap_or_default()
    }

    fn options_beside(&self, table: &[Step], key: &str) -> Vec<&OptionSpec> {
        let kind = self.beside(table, key);
        let kind = kind.and_then(|kind| self.program.kinds.find(&kind));
        kind.map(|kind| mapping::options_of(kind))
            .unwrap_or_default()
    }
}

fn of_house(name: &str, about: &str) -> KeyHere {
    KeyHere {
        name: name.to_owned(),
        about: about.to_owned(),
        needed: false,
        of_house: true,
    }
}

impl Shape<'_> {
    /// What people read about a key of a table.
    pub(crate) fn about(&self, spot: &Spot, table: &[Step], key: &str) -> Option<String> {
        let of = |keys: &'static Keys| -> Option<String> {
            if let Some(spec) = keys.find(key) {
                return Some(spec.about.to_owned());
            }
            match keys.others {
                Others::OptionsOf(beside) => {
                    let options = self.options_beside(table, beside);
                    let found = options.iter().find(|option| option.name == key)?;
                    Some(found.about.to_owned())
                }
                _ => None,
            }
        };
        match spot {
            Spot::Table(keys) => of(keys),
            Spot::Takes(takes) => match takes {
                Takes::Table(keys) => of(keys),
                Takes::OneOrMore(inner) => self.about(&Spot::Takes(inner), table, key),
                Takes::Either(all) => all
                    .iter()
                    .find_map(|takes| self.about(&Spot::Takes(takes), table, key)),
                Takes::Forms(forms) => match self.form(forms.all, table) {
                    Some(form) => of(&form.keys),
                    None => None,
                },
                _ => None,
            },
            _ => None,
        }
    }
}
