//! Which names stand where: each place where something of the house is declared or mentioned.
//!
//! Filled by those who resolve names anyway, so that it can't tell another story than the compiler. Used to
//! rename, to find what refers to something, and to say what a word means. Must not know TOML or expressions.

use std::{fmt, sync::Arc};

use crate::{
    outline::{Outline, Step},
    program::{ChannelIx, EventIx, Program},
    source::{FileIx, Sources, Span},
};

/// Something that has a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Symbol {
    /// A device.
    Device(Arc<str>),
    /// A channel: its device, its own name.
    Channel(Arc<str>, Arc<str>),
    /// A group.
    Group(Arc<str>),
    /// A scene.
    Scene(Arc<str>),
    /// A variable.
    Var(Arc<str>),
    /// A timer; declared where it is started.
    Timer(Arc<str>),
    /// A rule.
    Rule(Arc<str>),
    /// A test.
    Test(Arc<str>),
    /// A kind.
    Kind(Arc<str>),
    /// An event or a gesture of a channel: device, channel, name.
    Event(Arc<str>, Arc<str>, Arc<str>),
    /// A command of a channel: device, channel, name.
    Command(Arc<str>, Arc<str>, Arc<str>),
    /// A field of a channel's state: device, channel, name.
    Field(Arc<str>, Arc<str>, Arc<str>),
    /// A field of an event: the event's path, the field's name.
    EventField(Arc<str>, Arc<str>),
}

impl Symbol {
    /// A channel of the program.
    #[must_use]
    pub fn channel(program: &Program, channel: ChannelIx) -> Self {
        let row = &program[channel];
        Self::Channel(program[row.device].name.clone(), row.name.clone())
    }

    /// The event, or the gesture, `name` of a channel.
    #[must_use]
    pub fn event(program: &Program, channel: ChannelIx, name: &str) -> Self {
        let row = &program[channel];
        let device = program[row.device].name.clone();
        Self::Event(device, row.name.clone(), name.into())
    }

    /// The command `name` of a channel.
    #[must_use]
    pub fn command(program: &Program, channel: ChannelIx, name: &Arc<str>) -> Self {
        let row = &program[channel];
        let device = program[row.device].name.clone();
        Self::Command(device, row.name.clone(), name.clone())
    }

    /// The state field `name` of a channel.
    #[must_use]
    pub fn field(program: &Program, channel: ChannelIx, name: &Arc<str>) -> Self {
        let row = &program[channel];
        let device = program[row.device].name.clone();
        Self::Field(device, row.name.clone(), name.clone())
    }

    /// The field `name` of an event.
    #[must_use]
    pub fn event_field(program: &Program, event: EventIx, name: &str) -> Self {
        Self::EventField(program.event_path(event).into(), name.into())
    }

    /// The last part of its name: what a mention holds.
    #[must_use]
    pub fn word(&self) -> &Arc<str> {
        match self {
            Self::Device(name)
            | Self::Channel(_, name)
            | Self::Group(name)
            | Self::Scene(name)
            | Self::Var(name)
            | Self::Timer(name)
            | Self::Rule(name)
            | Self::Test(name)
            | Self::Kind(name)
            | Self::Event(_, _, name)
            | Self::Command(_, _, name)
            | Self::Field(_, _, name)
            | Self::EventField(_, name) => name,
        }
    }

    /// The word for what it is.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match self {
            Self::Device(_) => "device",
            Self::Channel(..) => "channel",
            Self::Group(_) => "group",
            Self::Scene(_) => "scene",
            Self::Var(_) => "variable",
            Self::Timer(_) => "timer",
            Self::Rule(_) => "rule",
            Self::Test(_) => "test",
            Self::Kind(_) => "kind",
            Self::Event(..) => "event",
            Self::Command(..) => "command",
            Self::Field(..) => "field",
            Self::EventField(..) => "field of an event",
        }
    }
}

/// The name as people write it.
impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(device, name) => write!(f, "{device}.{name}"),
            Self::Event(device, channel, name)
            | Self::Command(device, channel, name)
            | Self::Field(device, channel, name) => write!(f, "{device}.{channel}.{name}"),
            Self::EventField(_, name) => write!(f, "event.{name}"),
            _ => f.write_str(self.word()),
        }
    }
}

/// A place where a name stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The name alone; with its quotes where it is a quoted key.
    pub span: Span,
    /// What it stands for.
    pub symbol: Symbol,
    /// Whether this is where it is declared.
    pub declares: bool,
}

/// All mentions of a house, by place.
#[derive(Clone, Debug, Default)]
pub struct Index {
    mentions: Vec<Mention>,
}

impl Index {
    /// Sorts what the readers noted, and adds the places of keys that are written several times.
    pub(crate) fn new(sources: &Sources, mut mentions: Vec<Mention>) -> Self {
        sort(&mut mentions);
        let mut more = Vec::new();
        for (file, source) in sources.iter() {
            let start = mentions.partition_point(|mention| mention.span.file < file);
            let end = mentions.partition_point(|mention| mention.span.file <= file);
            repeated_keys(file, &source.text, &mentions[start..end], &mut more);
        }
        mentions.append(&mut more);
        sort(&mut mentions);
        Self { mentions }
    }

    /// All mentions, by file and place.
    #[must_use]
    pub fn mentions(&self) -> &[Mention] {
        &self.mentions
    }

    /// What stands at a byte of a file. An event of a group stands for one event of each member.
    pub fn at(&self, file: FileIx, offset: usize) -> impl Iterator<Item = &Mention> {
        let after = self.mentions.partition_point(|mention| {
            (mention.span.file, mention.span.bytes.start) <= (file, offset)
        });
        let before = self.mentions[..after].iter().rev();
        // Names don't overlap, except where one word stands for several things.
        let near = before
            .take_while(move |mention| mention.span.file == file)
            .take(1_000);
        near.filter(move |mention| offset <= mention.span.bytes.end)
    }

    /// Every place of a symbol.
    pub fn of<'a>(&'a self, symbol: &'a Symbol) -> impl Iterator<Item = &'a Mention> {
        self.mentions
            .iter()
            .filter(move |mention| mention.symbol == *symbol)
    }

    /// Where a symbol is declared.
    #[must_use]
    pub fn declaration(&self, symbol: &Symbol) -> Option<&Span> {
        let mut all = self.mentions.iter();
        all.find(|mention| mention.declares && mention.symbol == *symbol)
            .map(|found| &found.span)
    }
}

fn sort(mentions: &mut Vec<Mention>) {
    mentions.sort_by(|a, b| {
        let key = |mention: &Mention| {
            let bytes = &mention.span.bytes;
            (mention.span.file, bytes.start, bytes.end, !mention.declares)
        };
        key(a).cmp(&key(b)).then_with(|| a.symbol.cmp(&b.symbol))
    });
    // A group's body is checked once for each member.
    mentions.dedup_by(|a, b| a.span == b.span && a.symbol == b.symbol);
}

/// The reader knows the first place of a key only.
fn repeated_keys(file: FileIx, text: &str, known: &[Mention], more: &mut Vec<Mention>) {
    use std::collections::BTreeMap;
    let mut paths: BTreeMap<Vec<Step>, (Vec<&Mention>, usize)> = BTreeMap::new();
    let outline = Outline::read(text);
    outline.each_key(&mut |path, key| {
        let start = known.partition_point(|mention| mention.span.bytes.start < key.span.start);
        let here = known[start..].iter();
        let here = here.take_while(|mention| mention.span.bytes.start == key.span.start);
        let found: Vec<&Mention> = here.collect();
        if !found.is_empty() {
            paths.insert(path.to_vec(), (found, key.span.start));
        }
    });
    outline.each_key(&mut |path, key| {
        let Some((found, first)) = paths.get(path) else {
            return;
        };
        if key.span.start != *first {
            more.extend(found.iter().map(|mention| Mention {
                span: Span {
                    file,
                    bytes: key.span.clone(),
                },
                symbol: mention.symbol.clone(),
                declares: false,
            }));
        }
    });
}
