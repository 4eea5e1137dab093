//! A house as edits see it: its texts, what they mean, and one edit after the other.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use mapping::{
    Analysis, Diagnostic, Severity, analyze, blocklist,
    disk::{self, Unreadable},
    grammar,
    index::Symbol,
    outline::Step,
    suggest,
};

/// The file that holds the blocks, on its own.
pub(crate) use mapping::blocklist::FILE as BLOCKLIST;

use crate::{
    change::Change, devices, export, model::Model, pointer::Pointer, refusal::Refusal, rename,
    texts::Texts,
};

/// Where tests go in a house that has none.
pub(crate) const TESTS: &str = "tests/house.test.toml";

/// A change that a program asks for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Edit {
    /// Writes a value. A table takes the fields of the new one: those that both have keep their place, others
    /// go.
    Set {
        /// Where, in the model.
        at: Pointer,
        /// The value.
        value: Model,
    },
    /// Takes something out.
    Remove {
        /// Where, in the model.
        at: Pointer,
    },
    /// Adds a rule.
    AddRule {
        /// Its name.
        name: String,
        /// What stands below its header.
        rule: Model,
        /// The rule behind which it fires; absent: behind all others.
        after: Option<String>,
    },
    /// Adds devices behind the house's last one.
    AddDevices(Vec<devices::NewDevice>),
    /// Switches a rule on or off.
    Enable {
        /// Its name.
        rule: String,
        /// Whether it fires.
        on: bool,
    },
    /// Gives something another name, wherever it stands.
    Rename {
        /// What.
        symbol: Symbol,
        /// Its new name, the last part of it: `light` for `hall.light`.
        to: String,
    },
}

impl Edit {
    /// Writes a value at a JSON pointer.
    ///
    /// # Errors
    /// The pointer is none.
    pub fn set(at: &str, value: impl Into<Model>) -> Result<Self, Refusal> {
        Ok(Self::Set {
            at: Pointer::read(at)?,
            value: value.into(),
        })
    }

    /// Takes out what is at a JSON pointer.
    ///
    /// # Errors
    /// The pointer is none.
    pub fn remove(at: &str) -> Result<Self, Refusal> {
        let at = Pointer::read(at)?;
        Ok(Self::Remove { at })
    }
}

/// A house that was read.
#[derive(Clone, Debug)]
pub struct House {
    folder: Option<PathBuf>,
    analysis: Analysis,
    blocklist: Blocklist,
}

/// blocklist.toml.
#[derive(Clone, Debug)]
enum Blocklist {
    Missing,
    Text(String),
    /// It is there, but is no text.
    Unreadable,
}

impl Blocklist {
    fn of(text: Option<String>) -> Self {
        text.map_or(Self::Missing, Self::Text)
    }

    fn read(folder: &Path) -> Self {
        match disk::text(&folder.join(BLOCKLIST), blocklist::BYTES_MAX) {
            Ok(text) => Self::Text(text),
            Err(Unreadable::Missing) => Self::Missing,
            Err(_) => Self::Unreadable,
        }
    }
}

impl House {
    /// Reads the house in a folder. A house with mistakes can be edited too, unless a file of it can't be read.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        Self {
            folder: Some(folder.to_owned()),
            analysis: analyze(Some(folder), &BTreeMap::new()),
            blocklist: Blocklist::read(folder),
        }
    }

    /// A house of texts by their names; one is `mapping.toml`.
    #[must_use]
    pub fn from_texts<N: Into<String>, T: Into<String>>(
        texts: impl IntoIterator<Item = (N, T)>,
    ) -> Self {
        let texts = texts.into_iter();
        let mut texts: BTreeMap<String, String> = texts
            .map(|(name, text)| (name.into(), text.into()))
            .collect();
        let blocklist = texts.remove(BLOCKLIST);
        Self {
            folder: None,
            analysis: analyze(None, &texts),
            blocklist: Blocklist::of(blocklist),
        }
    }

    /// The same for a house that somebody else has read.
    #[must_use]
    pub fn from_analysis(analysis: Analysis, blocklist: Option<String>) -> Self {
        Self {
            folder: None,
            analysis,
            blocklist: Blocklist::of(blocklist),
        }
    }

    /// The house as a change makes it.
    pub(crate) fn after(&self, change: &Change) -> Self {
        Self {
            folder: self.folder.clone(),
            analysis: change.analysis().clone(),
            blocklist: match change.text(BLOCKLIST) {
                Some(text) => Blocklist::Text(text.to_owned()),
                None => self.blocklist.clone(),
            },
        }
    }

    /// What the files mean.
    #[must_use]
    pub fn analysis(&self) -> &Analysis {
        &self.analysis
    }

    /// The text of blocklist.toml; `None`: there is none.
    pub(crate) fn blocklist(&self) -> Result<Option<&str>, Refusal> {
        match &self.blocklist {
            Blocklist::Missing => Ok(None),
            Blocklist::Text(text) => Ok(Some(text)),
            Blocklist::Unreadable => Err(Refusal::Unreadable(BLOCKLIST.to_owned())),
        }
    }

    /// All texts by their names.
    pub(crate) fn texts(&self) -> BTreeMap<String, String> {
        // A file that is missing has a place for its complaint, but no text.
        let files = self.analysis.mapping.iter().chain(&self.analysis.tests);
        let files = files.map(|file| self.analysis.loaded.sources.file(*file));
        let mut texts: BTreeMap<String, String> = files
            .map(|file| (file.name.to_string(), file.text.clone()))
            .collect();
        if let Blocklist::Text(blocklist) = &self.blocklist {
            texts.insert(BLOCKLIST.to_owned(), blocklist.clone());
        }
        texts
    }

    /// Whether all files can be read: what stands in another one may be what an edit is about.
    pub(crate) fn is_whole(&self) -> Result<(), Refusal> {
        let analysis = &self.analysis;
        let unread: Vec<Diagnostic> = analysis.unread().cloned().collect();
        if !unread.is_empty() {
            let messages = mapping::render(&analysis.loaded.sources, &unread, false);
            return Err(Refusal::Unread(messages));
        }
        let files = analysis.mapping.iter().chain(&analysis.tests);
        let mut files = files.map(|file| analysis.loaded.sources.file(*file));
        match files.find(|file| !reads(&file.text)) {
            Some(file) => Err(Refusal::Unreadable(file.name.to_string())),
            None => Ok(()),
        }
    }

    /// What the edit changes.
    ///
    /// # Errors
    /// It can't be done, a file of the house can't be read, or the house would not check any more, though it does now.
    pub fn edit(&self, edit: &Edit) -> Result<Change, Refusal> {
        self.is_whole()?;
        match edit {
            Edit::Set { at, value } => self.change_model(at, Some(value), None),
            Edit::Remove { at } => self.change_model(at, None, None),
            Edit::AddRule { name, rule, after } => {
                let at = rule_path(name);
                if self.model().at(&at.0).is_some() {
                    return Err(Refusal::Taken("rule", name.clone()));
                }
                if let Some(after) = after {
                    self.known_rule(after)?;
                }
                self.change_model(&at, Some(rule), after.as_deref())
            }
            Edit::AddDevices(new) => {
                let (file, text, wanted) = devices::added(self, new)?;
                let mut texts = self.texts();
                texts.insert(file.clone(), text);
                let change = self.finish(texts)?;
                let came = tables_without_nothing(&export(change.analysis()));
                match came.says_the_same(&tables_without_nothing(&wanted)) {
                    true => Ok(change),
                    false => Err(Refusal::TooTangled(file)),
                }
            }
            Edit::Enable { rule, on } => {
                self.known_rule(rule)?;
                let mut at = rule_path(rule);
                at.0.push("enabled".into());
                let model = self.model();
                match (on, model.at(&at.0)) {
                    // Without the key a rule is enabled: the file is again as it was before it was disabled.
                    (true, Some(Model::Bool(false))) => self.change_model(&at, None, None),
                    (true, None | Some(Model::Bool(true))) => self.finish(self.texts()),
                    _ => self.change_model(&at, Some(&Model::Bool(*on)), None),
                }
            }
            Edit::Rename { symbol, to } => rename::rename(self, symbol, to),
        }
    }

    pub(crate) fn model(&self) -> Model {
        export(&self.analysis)
    }

    fn known_rule(&self, name: &str) -> Result<(), Refusal> {
        let rules = &self.analysis.draft.names.rules;
        if rules.contains_key(name) {
            return Ok(());
        }
        let near = suggest::closest(name, rules.keys().map(|name| &**name));
        Err(Refusal::Unknown(name.to_owned(), near))
    }

    /// Writes `new` at a path of the model, or takes out what is there.
    pub(crate) fn change_model(
        &self,
        at: &Pointer,
        new: Option<&Model>,
        behind: Option<&str>,
    ) -> Result<Change, Refusal> {
        let model = self.model();
        let top = at.0.first().map(Step::to_string).unwrap_or_default();
        let known = grammar::MAPPING.names.iter().chain(grammar::TESTS.names);
        let known: Vec<&str> = known
            .copied()
            .filter(|name| !matches!(*name, "format" | "include"))
            .collect();
        if !known.contains(&&*top) {
            let near = suggest::closest(&top, known.iter().copied());
            let meant = |near: String| {
                let rest = at.0.iter().skip(1).cloned();
                Pointer([near.as_str().into()].into_iter().chain(rest).collect()).to_string()
            };
            return Err(Refusal::Nothing(at.to_string(), near.map(meant)));
        }
        let mut wanted = model.clone();
        let possible = match new {
            Some(new) => wanted.set(&at.0, new.clone()),
            None => wanted.remove(&at.0).map(drop),
        };
        if possible.is_none() {
            return Err(match new.and_then(|_| in_the_way(&model, &at.0)) {
                Some(refusal) => refusal,
                None => Refusal::Nothing(at.to_string(), near(&model, &at.0)),
            });
        }
        let mut texts = Texts::of(self);
        match new {
            Some(new) => texts.set(&at.0, model.at(&at.0), new, behind)?,
            None => texts.remove(&at.0)?,
        }
        let change = self
            .finish(texts.into_all(at)?)
            .map_err(|refusal| below_nothing(&model, &at.0, refusal))?;
        // What was not meant to change has not: whatever way the files are written.
        let same = tables_without_nothing(&export(change.analysis()))
            .says_the_same(&tables_without_nothing(&wanted));
        if !same {
            return Err(Refusal::TooTangled(at.to_string()));
        }
        Ok(change)
    }

    /// Checks what came out.
    pub(crate) fn finish(&self, texts: BTreeMap<String, String>) -> Result<Change, Refusal> {
        let before = self.texts();
        let mut mapping_texts = texts.clone();
        mapping_texts.remove(BLOCKLIST);
        for (name, text) in &texts {
            let old = before.get(name).map(String::as_str).unwrap_or_default();
            if text != old && !reads(old) {
                return Err(Refusal::Unreadable(name.clone()));
            }
        }
        let after = analyze(self.folder.as_deref(), &mapping_texts);
        if after.loaded.has_errors() && !self.analysis.loaded.has_errors() {
            let mut errors = after.loaded.diagnostics.clone();
            errors.retain(|found| found.severity == Severity::Error);
            let messages = mapping::render(&after.loaded.sources, &errors, false);
            return Err(Refusal::DoesNotCheck(messages));
        }
        Ok(Change::new(before, texts, after))
    }
}

fn rule_path(name: &str) -> Pointer {
    Pointer(vec!["rule".into(), name.into()])
}

/// Whether a text is TOML.
fn reads(text: &str) -> bool {
    toml::de::DeTable::parse(text).is_ok()
}

/// A model without empty top tables: a header with nothing below it says nothing.
fn tables_without_nothing(model: &Model) -> Model {
    match model {
        Model::Table(tops) => {
            let tops = tops.iter();
            let tops = tops.filter(|(_, value)| *value != Model::table());
            Model::Table(tops.cloned().collect())
        }
        other => other.clone(),
    }
}

/// Why a new value does not check, with what is missing above it where something is: that may have been a slip.
fn below_nothing(model: &Model, path: &[Step], refusal: Refusal) -> Refusal {
    let Refusal::DoesNotCheck(messages) = refusal else {
        return refusal;
    };
    let above = (1..path.len()).find(|length| model.at(&path[..*length]).is_none());
    let Some(length) = above else {
        return Refusal::DoesNotCheck(messages);
    };
    let missing = &path[..length];
    let there = match model.at(&missing[..length - 1]) {
        Some(Model::Table(fields)) => fields.iter().map(|(name, _)| name.clone()).collect(),
        _ => Vec::new(),
    };
    Refusal::Below {
        missing: Pointer(missing.to_vec()).to_string(),
        above: Pointer(missing[..length - 1].to_vec()).to_string(),
        there,
        near: near(model, missing),
        messages,
    }
}

/// What stands above a path and has no room for it: a list without such an item, or a value that is no table.
fn in_the_way(model: &Model, path: &[Step]) -> Option<Refusal> {
    let above = (0..path.len()).rev().map(|length| &path[..length]);
    let (above, there) = above
        .filter_map(|path| Some((path, model.at(path)?)))
        .next()?;
    Some(Refusal::InTheWay {
        at: Pointer(path.to_vec()).to_string(),
        above: Pointer(above.to_vec()).to_string(),
        there: there.clone(),
    })
}

/// A path that is there and looks like this one.
fn near(model: &Model, path: &[Step]) -> Option<String> {
    let (last, above) = path.split_last()?;
    let Model::Table(fields) = model.at(above)? else {
        return None;
    };
    let names = fields.iter().map(|(name, _)| name.as_str());
    let near = suggest::closest(&last.to_string(), names)?;
    let mut path = above.to_vec();
    path.push(near.as_str().into());
    Some(Pointer(path).to_string())
}
