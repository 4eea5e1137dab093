//! Another name for something, wherever it stands: keys, texts, expressions, tests, the blocklist.
//!
//! The compiler's own index says where. Comments, and what people read, are left alone.

use std::{collections::BTreeMap, sync::Arc};

use mapping::{
    Analysis,
    grammar::Names,
    index::{Index, Symbol},
    outline::{Inside, Outline, Step},
    suggest,
};

mod former;

use crate::{
    change::Change,
    house::{BLOCKLIST, House},
    refusal::Refusal,
    splice::Splices,
};

impl House {
    /// What people call `name`: `hall`, `hall.lamp`, a scene, a timer, a rule; `rule.x`, `timer.x`, `var.x` and
    /// so on where several things have one name.
    ///
    /// # Errors
    /// Nothing is called that, or several things are; or a file can't be read, which may declare it.
    pub fn symbol(&self, name: &str) -> Result<Symbol, Refusal> {
        self.is_whole()?;
        let declared = declared(&self.analysis().index);
        let mut found: Vec<&Symbol> = declared
            .iter()
            .filter(|symbol| symbol.to_string() == name || qualified(symbol) == name)
            .collect();
        found.dedup();
        match found.as_slice() {
            [only] => Ok((*only).clone()),
            [] => {
                let names: Vec<String> = declared.iter().map(Symbol::to_string).collect();
                let near = suggest::closest(name, names.iter().map(String::as_str));
                Err(Refusal::Unknown(name.to_owned(), near))
            }
            several => {
                let each = several.iter().map(|symbol| qualified(symbol)).collect();
                Err(Refusal::Ambiguous(name.to_owned(), each))
            }
        }
    }
}

/// Everything that can be renamed.
fn declared(index: &Index) -> Vec<Symbol> {
    let mentions = index.mentions().iter();
    let mut all: Vec<Symbol> = mentions
        .filter(|mention| mention.declares)
        .map(|mention| mention.symbol.clone())
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Its name with what it is: `rule.hall-motion`. Devices and channels need none.
fn qualified(symbol: &Symbol) -> String {
    let what = match symbol {
        Symbol::Device(_) => "device",
        Symbol::Group(_) => "group",
        Symbol::Scene(_) => "scene",
        Symbol::Var(_) => "var",
        Symbol::Timer(_) => "timer",
        Symbol::Rule(_) => "rule",
        Symbol::Test(_) => "test",
        Symbol::Kind(_) => "kind",
        _ => return symbol.to_string(),
    };
    format!("{what}.{symbol}")
}

/// The own name in a new name that is written as [`House::symbol`] takes one: `lamp` of `hall.lamp` for a channel of the hall,
/// `away` of `var.away` for a variable. Any other text is given back as it is.
#[must_use]
pub fn bare_name<'n>(symbol: &Symbol, new: &'n str) -> &'n str {
    let qualified = qualified(symbol);
    match (qualified.split_once('.'), new.split_once('.')) {
        (Some((whose, _)), Some((first, own))) if first == whose => own,
        _ => new,
    }
}

/// Which rule its name follows.
fn names_of(symbol: &Symbol) -> Option<Names> {
    Some(match symbol {
        Symbol::Device(_) => Names::Device,
        Symbol::Channel(..) => Names::Channel,
        Symbol::Group(_) => Names::Group,
        Symbol::Scene(_) => Names::Scene,
        Symbol::Var(_) => Names::Var,
        Symbol::Timer(_) => Names::Timer,
        Symbol::Rule(_) => Names::Rule,
        Symbol::Test(_) => Names::Test,
        Symbol::Kind(_) => Names::Kind,
        _ => return None,
    })
}

/// What renaming `symbol` changes.
pub(crate) fn rename(house: &House, symbol: &Symbol, to: &str) -> Result<Change, Refusal> {
    let analysis = house.analysis();
    let unknown = || Refusal::Unknown(symbol.to_string(), None);
    let names = names_of(symbol).ok_or_else(unknown)?;
    if analysis.index.declaration(symbol).is_none() {
        return Err(unknown());
    }
    if let Some(why) = mapping::why_no_name(names, to) {
        return Err(Refusal::BadName(to.to_owned(), why));
    }
    let to: Arc<str> = to.into();
    let new = with_word(symbol, &to);
    if new == *symbol {
        return house.finish(house.texts());
    }
    if let Some(taken) = declared(&analysis.index)
        .iter()
        .find(|other| clash(other, &new))
    {
        return Err(Refusal::Taken(taken.what(), to.to_string()));
    }
    // A name of before that is one of today again.
    if let Some(change) = former::without(house, &new)? {
        let change = rename(&house.after(&change), symbol, &to)?;
        return Ok(change.since(house));
    }
    let mut splices: BTreeMap<&str, Splices> = BTreeMap::new();
    for mention in analysis.index.of(symbol) {
        let source = analysis.loaded.sources.file(mention.span.file);
        let mut bytes = mention.span.bytes.clone();
        if source.text[bytes.clone()].starts_with(['"', '\'']) {
            bytes = bytes.start + 1..bytes.end - 1;
        }
        let splices = splices.entry(&source.name).or_default();
        splices.replace(bytes, &*to);
    }
    let mut texts = house.texts();
    if let Symbol::Device(old) = symbol
        && let Some(text) = house.blocklist()?
    {
        splices.insert(BLOCKLIST, in_blocklist(text, old, &to));
    }
    for (file, splices) in splices {
        if let Some(text) = texts.get_mut(file) {
            let tangled = |_| Refusal::TooTangled(symbol.to_string());
            *text = splices.apply(text).map_err(tangled)?;
        }
    }
    let change = house.finish(texts)?;
    // Nothing refers to something else than it did, whatever the names.
    if !same_names(analysis, change.analysis(), symbol, &to) {
        return Err(Refusal::TooTangled(symbol.to_string()));
    }
    match former::noted(house, &change, symbol, &new)? {
        Some(noted) => Ok(noted.since(house)),
        None => Ok(change),
    }
}

/// The same thing under another name.
fn with_word(symbol: &Symbol, to: &Arc<str>) -> Symbol {
    match symbol {
        Symbol::Device(_) => Symbol::Device(to.clone()),
        Symbol::Channel(device, _) => Symbol::Channel(device.clone(), to.clone()),
        Symbol::Group(_) => Symbol::Group(to.clone()),
        Symbol::Scene(_) => Symbol::Scene(to.clone()),
        Symbol::Var(_) => Symbol::Var(to.clone()),
        Symbol::Timer(_) => Symbol::Timer(to.clone()),
        Symbol::Rule(_) => Symbol::Rule(to.clone()),
        Symbol::Test(_) => Symbol::Test(to.clone()),
        Symbol::Kind(_) => Symbol::Kind(to.clone()),
        other => other.clone(),
    }
}

/// Whether two things can't both be: devices, groups and scenes share one namespace.
fn clash(a: &Symbol, b: &Symbol) -> bool {
    let shared = |symbol: &Symbol| {
        matches!(
            symbol,
            Symbol::Device(_) | Symbol::Group(_) | Symbol::Scene(_)
        )
    };
    a == b || (shared(a) && shared(b) && a.word() == b.word())
}

/// What `symbol` is called once `from` has the name `to`.
fn renamed(symbol: &Symbol, from: &Symbol, to: &Arc<str>) -> Symbol {
    if symbol == from {
        return with_word(from, to);
    }
    let device_of = |device: &Arc<str>| match from {
        Symbol::Device(old) if old == device => to.clone(),
        _ => device.clone(),
    };
    let channel_of = |device: &Arc<str>, channel: &Arc<str>| match from {
        Symbol::Channel(old_device, old) if old_device == device && old == channel => to.clone(),
        _ => channel.clone(),
    };
    match symbol {
        Symbol::Channel(device, channel) => Symbol::Channel(device_of(device), channel.clone()),
        Symbol::Event(device, channel, name) => {
            Symbol::Event(device_of(device), channel_of(device, channel), name.clone())
        }
        Symbol::Command(device, channel, name) => {
            Symbol::Command(device_of(device), channel_of(device, channel), name.clone())
        }
        Symbol::Field(device, channel, name) => {
            Symbol::Field(device_of(device), channel_of(device, channel), name.clone())
        }
        Symbol::EventField(event, name) => {
            let parts: Vec<Arc<str>> = event.split('.').map(Arc::from).collect();
            let event = match parts.as_slice() {
                [device, channel, event] => {
                    format!(
                        "{}.{}.{event}",
                        device_of(device),
                        channel_of(device, channel)
                    )
                }
                [device, event] => format!("{}.{event}", device_of(device)),
                _ => event.to_string(),
            };
            Symbol::EventField(event.into(), name.clone())
        }
        other => other.clone(),
    }
}

/// Whether the same things stand in the same order, but for the name.
fn same_names(before: &Analysis, after: &Analysis, from: &Symbol, to: &Arc<str>) -> bool {
    let (before, after) = (before.index.mentions(), after.index.mentions());
    let place = |mention: &mapping::index::Mention| (mention.span.file, mention.declares);
    // Several things at one place are sorted by their names, which may have changed.
    let mut old: Vec<_> = before
        .iter()
        .map(|m| (place(m), renamed(&m.symbol, from, to)))
        .collect();
    let mut new: Vec<_> = after.iter().map(|m| (place(m), m.symbol.clone())).collect();
    old.sort();
    new.sort();
    old == new
}

/// `device = "hall"` in the blocklist.
fn in_blocklist(text: &str, old: &str, to: &str) -> Splices {
    let mut splices = Splices::default();
    let mut place = |value: &mapping::outline::Value, quoted: &str| {
        let same = toml::de::DeValue::parse(quoted)
            .is_ok_and(|value| value.get_ref().as_str() == Some(old));
        if same {
            splices.replace(value.span.clone(), mapping::toml_text::text(to));
        }
    };
    let outline = Outline::read(text);
    for section in &outline.sections {
        for pair in &section.pairs {
            let path = section.path.as_slice();
            let names: Vec<&str> = pair.keys.iter().map(|key| &*key.name).collect();
            let in_block = matches!(path, [Step::Key(top), Step::Item(_)] if &**top == "block");
            let Some(value) = &pair.value else {
                continue;
            };
            if in_block && names == ["device"] {
                place(value, &text[value.span.clone()]);
            } else if path.is_empty()
                && names == ["block"]
                && let Inside::List(blocks) = &value.inside
            {
                let pairs = blocks.iter().flat_map(|block| match &block.inside {
                    Inside::Table(pairs) => pairs.as_slice(),
                    _ => &[],
                });
                for pair in
                    pairs.filter(|pair| pair.keys.len() == 1 && &*pair.keys[0].name == "device")
                {
                    if let Some(value) = &pair.value {
                        place(value, &text[value.span.clone()]);
                    }
                }
            }
        }
    }
    splices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_renamed_and_its_comments_stay() {
        let text = "# piano\n[[block]]\ndevice = 'piano' # piano\nwhy = \"piano\"\n[[block]]\ndevice = \"hall\"\n";
        let new = in_blocklist(text, "piano", "organ").apply(text).unwrap();
        assert_eq!(new, text.replacen("'piano'", "\"organ\"", 1));
        let inline = "block = [{ device = \"piano\" }, { id = 3 }]\n";
        let new = in_blocklist(inline, "piano", "organ")
            .apply(inline)
            .unwrap();
        assert_eq!(new, "block = [{ device = \"organ\" }, { id = 3 }]\n");
    }
}
