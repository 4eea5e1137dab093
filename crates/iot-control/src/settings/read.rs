//! From the file and the environment to keys: which key each value stands behind, and what is said where it
//! is none.

use std::{collections::BTreeMap, ops::Range, path::Path, sync::Arc};

use mapping::suggest;
use toml::de::{DeTable, DeValue};

use super::{
    At, Complaint, PREFIX, Settings,
    given::Given,
    keys::{KEYS, Key, is_name},
};

/// Where each key was set last, by its full path.
pub(super) type Places = BTreeMap<String, At>;

/// Takes what the file sets; returns what is wrong with it.
pub(super) fn file(
    settings: &mut Settings,
    name: &str,
    text: &str,
    places: &mut Places,
) -> Vec<Complaint> {
    let source = Source {
        name: name.into(),
        text,
    };
    let (table, broken) = DeTable::parse_recoverable(text);
    let mut complaints: Vec<Complaint> = Vec::new();
    let mut reading = Reading {
        source: &source,
        settings,
        places,
        complaints: &mut complaints,
    };
    reading.section("", table.get_ref());
    // What the parser made of a broken line says nothing true about it; one word of the line is enough.
    let mut told: BTreeMap<Option<usize>, Complaint> = BTreeMap::new();
    for error in &broken {
        let (message, is_text) = match error.message() {
            "invalid basic string, expected `\"`" => ("this text has no closing `\"`", true),
            "invalid literal string, expected `'`" => ("this text has no closing `'`", true),
            message => (message, false),
        };
        // Not the error as it prints itself: that shows the line, and a secret may stand there.
        let complaint = source.complaint(error.span(), message.to_owned(), None);
        let line = complaint.line();
        if is_text || !told.contains_key(&line) {
            told.insert(line, complaint);
        }
    }
    complaints.retain(|complaint| !told.contains_key(&complaint.line()));
    complaints.extend(told.into_values());
    complaints.sort_by_key(|complaint| match &complaint.at {
        At::File { place, .. } => *place,
        At::Variable(_) => None,
    });
    complaints
}

/// Takes what the environment sets; returns what is wrong with it. All of `variables` have the prefix.
pub(super) fn environment(
    settings: &mut Settings,
    variables: &BTreeMap<String, String>,
    places: &mut Places,
) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (name, value) in variables {
        let path = name[PREFIX.len()..].to_lowercase().replace("__", ".");
        let at = || At::Variable(name.clone());
        match find(&path).filter(|(_, name)| name.is_empty() || is_name(name)) {
            Some((key, name)) => {
                let taken = (key.set)(settings, name, &Given::Variable(value));
                places.insert(path.clone(), at());
                complaints.extend(taken.err().map(|message| Complaint {
                    at: at(),
                    message,
                    help: None,
                }));
            }
            None => complaints.push(Complaint {
                at: at(),
                message: "there is no such setting".to_owned(),
                help: suggest::closest(&path, KEYS.iter().map(|key| key.path))
                    .map(|near| format!("did you mean {}?", variable_of(&near))),
            }),
        }
    }
    complaints
}

/// The key that is meant, and the name in place of its `*`.
fn find(path: &str) -> Option<(&'static Key, &str)> {
    KEYS.iter().find_map(|key| Some((key, key.matches(path)?)))
}

/// What only all keys together show.
pub(super) fn whole(settings: &mut Settings, name: &str, places: &Places) -> Vec<Complaint> {
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    if settings.broker.is_some() && !places.contains_key("mqtt.listen") {
        // Modules come to the other broker; nobody is let in here who was not asked for.
        settings.mqtt.listen.clear();
    }
    if let Some(ca) = &mut settings.broker_ca {
        *ca = folder.join(&*ca);
    }
    let flaws = settings.notify.finish(folder).into_iter();
    // A kind that is none has been told.
    let is_told = |name: &str| places.contains_key(&format!("notify.{name}.kind"));
    flaws
        .filter(|flaw| !(flaw.message.starts_with("`kind` is missing") && is_told(&flaw.name)))
        .map(|flaw| {
            let table = format!("notify.{}", flaw.name);
            let key = flaw.key.map(|key| format!("{table}.{key}"));
            let of_key = key.as_ref().and_then(|key| places.get(key));
            let below = format!("{table}.");
            let of_table = || {
                let first = places.range(below.clone()..).next();
                let first = first.filter(|(path, _)| path.starts_with(&below));
                places.get(&table).or(first.map(|(_, at)| at))
            };
            let nowhere = At::File {
                name: name.into(),
                place: None,
            };
            Complaint {
                at: of_key.or_else(of_table).unwrap_or(&nowhere).clone(),
                message: format!("`{}`: {}", key.unwrap_or(table), flaw.message),
                help: None,
            }
        })
        .collect()
}

/// The variable that overrides a key.
fn variable_of(path: &str) -> String {
    format!(
        "{PREFIX}{}",
        path.replace('*', "name").to_uppercase().replace('.', "__")
    )
}

impl Complaint {
    /// The line of the file; `None`: it is about no line.
    fn line(&self) -> Option<usize> {
        match &self.at {
            At::File { place, .. } => place.map(|(line, _)| line),
            At::Variable(_) => None,
        }
    }
}

/// The file.
struct Source<'t> {
    name: Arc<str>,
    text: &'t str,
}

impl Source<'_> {
    fn complaint(
        &self,
        span: Option<Range<usize>>,
        message: String,
        help: Option<String>,
    ) -> Complaint {
        let place = span.map(|span| {
            let before = self.text.get(..span.start).unwrap_or(self.text);
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let column = before[line_start..].chars().count() + 1;
            (before.matches('\n').count() + 1, column)
        });
        Complaint {
            at: At::File {
                name: Arc::clone(&self.name),
                place,
            },
            message,
            help,
        }
    }

    fn place(&self, span: Range<usize>) -> At {
        self.complaint(Some(span), String::new(), None).at
    }

    fn bad_name(&self, full: &str, span: Range<usize>) -> Complaint {
        let message = format!(
            "`{}`: a name has small letters, digits and '_', and begins with a letter",
            full.escape_debug()
        );
        self.complaint(Some(span), message, None)
    }
}

/// A file being read.
struct Reading<'r> {
    source: &'r Source<'r>,
    settings: &'r mut Settings,
    places: &'r mut Places,
    complaints: &'r mut Vec<Complaint>,
}

impl Reading<'_> {
    fn complain(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        let complaint = self.source.complaint(Some(span), message, help);
        self.complaints.push(complaint);
    }

    /// One table; `path` is where it stands, with a dot at its end.
    fn section(&mut self, path: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let full = format!("{path}{}", name.get_ref());
            let is_section = KEYS.iter().any(|key| key.is_below(&full));
            match (find(&full), value.get_ref()) {
                (Some((_, chosen)), _) if !chosen.is_empty() && !is_name(chosen) => {
                    let bad = self.source.bad_name(&full, name.span());
                    self.complaints.push(bad);
                }
                (None, _) if is_section && !path.is_empty() && !is_name(name.get_ref()) => {
                    let bad = self.source.bad_name(&full, name.span());
                    self.complaints.push(bad);
                }
                (Some((key, chosen)), given) => {
                    if let Err(wrong) = (key.set)(self.settings, chosen, &Given::File(given)) {
                        self.complain(value.span(), format!("`{full}` {wrong}"), None);
                    }
                    self.places.insert(full, self.source.place(value.span()));
                }
                (None, DeValue::Table(table)) if is_section => {
                    if let Some(carrier) = full.strip_prefix("notify.") {
                        // One without any key is still one.
                        self.settings.notify.table(carrier);
                        let place = self.source.place(name.span());
                        self.places.insert(full.clone(), place);
                    }
                    self.section(&format!("{full}."), table);
                }
                (None, _) if is_section => {
                    let message =
                        format!("`{full}` is a section: write [{full}], and its keys below");
                    self.complain(name.span(), message, None);
                }
                (None, _) => {
                    let message = format!("there is no setting `{}`", full.escape_debug());
                    self.complain(name.span(), message, near(path, name.get_ref()));
                }
            }
        }
    }
}

/// What is meant by whom other programs taught this word, as mosquitto does.
fn as_elsewhere(section: &str, name: &str) -> Option<&'static str> {
    Some(match (section, name) {
        ("mqtt", "port" | "host" | "bind" | "address" | "listener") => {
            "write `listen = [\"0.0.0.0:1883\"]`, with each address and its port"
        }
        ("web", "port" | "host" | "bind" | "address") => {
            "write `listen = [\"127.0.0.1:8484\"]`, with each address and its port"
        }
        ("mqtt", "allow_anonymous") => "write `anonymous = \"loopback\"`, or \"never\"",
        ("mqtt", "user" | "username" | "password" | "password_file") => {
            "each client has a user of its own: `iot-control user add NAME`"
        }
        _ => return None,
    })
}

/// What may have been meant: a key of the same section, or one of that name elsewhere.
fn near(path: &str, name: &str) -> Option<String> {
    let depth = path.matches('.').count();
    let section = path.trim_end_matches('.');
    if let Some(meant) = as_elsewhere(section, name) {
        return Some(meant.to_owned());
    }
    let here = KEYS
        .iter()
        .filter(|key| depth == 0 || key.is_below(section));
    let here = here.filter_map(|key| key.path.split('.').nth(depth));
    if let Some(near) = suggest::closest(name, here) {
        return Some(format!("did you mean `{near}`?"));
    }
    // That of a table with a name of its own is none of another section's.
    let last = |key: &Key| {
        !key.path.contains('*') && key.path.rsplit('.').next().unwrap_or_default() == name
    };
    let elsewhere = KEYS.iter().find(|key| last(key))?;
    Some(format!("did you mean `{}`?", elsewhere.path))
}
