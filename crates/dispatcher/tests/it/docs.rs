//! What the docs show is true: each snippet of README.md, docs/ and examples/README.md is read, checked and run.
//!
//! The info words behind a fence say what a snippet is:
//!
//! | fence | |
//! |---|---|
//! | `toml house=NAME` | a part of that house; all parts of a document together are the house, and check. `file=F` names the file |
//! | `toml test=NAME` | tests of that house; they pass |
//! | `toml wrong=NAME`, `toml failing=NAME` | added to that house it does not check, or its test fails; `text says` below it holds the message |
//! | `toml blocklist` | a blocklist that reads |
//! | `toml settings` | settings; the tests of the binary, which alone knows them, read it |
//! | `cel house=NAME` | conditions, one a line; `on=EVENT`: of a rule that waits for it |
//! | `json` | is JSON |
//! | `.. unchecked` | nobody checks it |
//!
//! A comment `<!-- toml house=NAME` .. `-->` is a part that readers need not see. Anything else is a mistake, and so is code that is indented. `<!-- triggers of NAME -->` and `<!-- actions of NAME on EVENT -->`
//! stand above a table whose first column holds them. `UPDATE_DOCS=1` writes what is said now; read it before it is committed.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use dispatcher::rehearsal;
use mapping::{Diagnostic, Loaded};

/// Documents, and how many snippets of them are checked at least: fewer were lost by accident.
const DOCUMENTS: &[(&str, usize)] = &[
    ("README.md", 4),
    ("docs/editing.md", 1),
    ("docs/external-broker.md", 1),
    ("docs/foreign-devices.md", 1),
    ("docs/home-assistant.md", 0),
    ("docs/mapping.md", 60),
    ("docs/modules.md", 1),
    ("docs/performance.md", 0),
    ("docs/security.md", 1),
    ("docs/service.md", 0),
    ("docs/settings.md", 1),
    ("docs/state.md", 0),
    ("docs/tls.md", 1),
    ("docs/why.md", 0),
    ("examples/README.md", 0),
];

/// What is said of a part because the rest of a house is missing.
const OF_PARTS: [&str; 5] = [
    "device-unused",
    "scene-unused",
    "timer-unused",
    "var-unused",
    "var-unwritten",
];

/// A fenced block.
#[derive(Debug)]
struct Block {
    /// The line of its fence, from 1.
    line: usize,
    language: String,
    words: BTreeMap<String, String>,
    text: String,
}

impl Block {
    fn of(&self, word: &str) -> Option<&str> {
        self.words.get(word).map(String::as_str)
    }
}

/// A table of triggers or actions that a comment announces.
#[derive(Debug)]
struct Listed {
    line: usize,
    house: String,
    /// The event that actions are on; triggers have none.
    event: Option<String>,
    written: String,
}

#[derive(Debug, Default)]
struct Document {
    blocks: Vec<Block>,
    listed: Vec<Listed>,
    /// What is wrong with its form.
    wrong: Vec<String>,
}

fn read(text: &str) -> Document {
    let mut document = Document::default();
    let mut open: Option<Block> = None;
    let mut table: Option<(&str, Option<&str>)> = None;
    for (line, number) in text.lines().zip(1..) {
        let hidden = line
            .strip_prefix("<!-- toml ")
            .filter(|info| !info.contains("-->"));
        let hidden = hidden.map(|info| format!("toml {info}"));
        let fence = line.strip_prefix("```").or(hidden.as_deref());
        if let (Some(_), true) = (&open, fence.is_some() || line == "-->") {
            document.blocks.extend(open.take());
        } else if let Some(info) = fence {
            let mut words = info.split_whitespace();
            let language = words.next().unwrap_or_default().to_owned();
            let words = words.map(|word| {
                let (word, value) = word.split_once('=').unwrap_or((word, ""));
                (word.to_owned(), value.to_owned())
            });
            open = Some(Block {
                line: number,
                language,
                words: words.collect(),
                text: String::new(),
            });
        } else if let Some(block) = &mut open {
            block.text.push_str(line);
            block.text.push('\n');
        } else if line.starts_with("    ") {
            let wrong = format!("{number}: indented code is not checked; write a fence");
            document.wrong.push(wrong);
        } else if let Some(comment) = line.strip_prefix("<!-- ") {
            let words: Vec<&str> = comment.split_whitespace().collect();
            table = match words[..] {
                ["triggers", "of", house, "-->"] => Some((house, None)),
                ["actions", "of", house, "on", event, "-->"] => Some((house, Some(event))),
                _ => None,
            };
        } else if let (Some((house, event)), Some(row)) = (table, line.strip_prefix("| ")) {
            let cell = row.split(" | ").next().unwrap_or_default();
            for written in cell.split('`').skip(1).step_by(2) {
                document.listed.push(Listed {
                    line: number,
                    house: house.to_owned(),
                    event: event.map(str::to_owned),
                    written: written.to_owned(),
                });
            }
        } else if !line.starts_with('|') && !line.is_empty() {
            table = None;
        }
    }
    if let Some(block) = open {
        let wrong = format!("{}: this fence is never closed", block.line);
        document.wrong.push(wrong);
    }
    document
}

/// A house of a document: its files in order.
#[derive(Clone, Debug, Default)]
struct Parts(Vec<(String, String)>);

impl Parts {
    fn add(&mut self, name: &str, text: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, before)) => {
                before.push('\n');
                before.push_str(text);
            }
            None => self.0.push((name.to_owned(), text.to_owned())),
        }
    }

    fn with(&self, name: &str, text: &str) -> Self {
        let mut parts = self.clone();
        parts.add(name, text);
        parts
    }

    fn load(&self) -> Loaded {
        let mut files = self.0.clone();
        if files.iter().all(|(name, _)| name != "mapping.toml") {
            let names = files.iter().map(|(name, _)| name);
            let included: Vec<String> = names
                .filter(|name| !name.ends_with(".test.toml"))
                .map(|name| format!("{name:?}"))
                .collect();
            let mapping = format!("format = 1\ninclude = [{}]\n", included.join(", "));
            files.push(("mapping.toml".to_owned(), mapping));
        }
        mapping::load_texts(files)
    }
}

/// What is said of a house, but for what a part can't know.
fn complaints(loaded: &Loaded) -> String {
    complaints_in(loaded, None)
}

/// The same of one file alone.
fn complaints_in(loaded: &Loaded, file: Option<&str>) -> String {
    let in_file = |found: &Diagnostic| {
        let place = found.labels.first().map(|label| label.span.file);
        file.is_none() || place.map(|place| &*loaded.sources.file(place).name) == file
    };
    let all = loaded.diagnostics.iter();
    let told: Vec<Diagnostic> = all
        .filter(|found| !OF_PARTS.contains(&found.code) && in_file(found))
        .cloned()
        .collect();
    mapping::render(&loaded.sources, &told, false)
}

/// What fails of the tests of one file.
fn failures(loaded: &Loaded, file: &str) -> Result<String, String> {
    let complaints = complaints(loaded);
    let Some(program) = &loaded.program else {
        return Err(complaints);
    };
    if loaded.has_errors() {
        return Err(complaints);
    }
    let tests = loaded.tests.iter();
    let mut said = String::new();
    let mut ran = false;
    for test in tests.filter(|test| *test.origin.file == *file) {
        ran = true;
        let verdict = rehearsal::run(program, test);
        if !verdict.passed() {
            let _ = write!(said, "{verdict}");
        }
    }
    if ran {
        Ok(said)
    } else {
        Err("it holds no test\n".to_owned())
    }
}

/// A document with its houses put together.
struct Check {
    houses: BTreeMap<String, Parts>,
    wrong: Vec<String>,
    /// Snippets that were looked at.
    checked: usize,
    /// What messages read now, by the lines of their fences.
    says: BTreeMap<usize, String>,
}

impl Check {
    fn of(document: &Document) -> Self {
        let mut check = Self {
            houses: BTreeMap::new(),
            wrong: document.wrong.clone(),
            checked: 0,
            says: BTreeMap::new(),
        };
        for block in document
            .blocks
            .iter()
            .filter(|block| block.language == "toml")
        {
            let Some(house) = block.of("house") else {
                continue;
            };
            let parts = check.houses.entry(house.to_owned()).or_default();
            parts.add(block.of("file").unwrap_or("house.toml"), &block.text);
        }
        for (name, parts) in &check.houses {
            let said = complaints(&parts.load());
            if !said.is_empty() {
                check.wrong.push(format!("house {name}:\n{said}"));
            }
        }
        let mut blocks = document.blocks.iter().peekable();
        while let Some(block) = blocks.next() {
            let says = blocks.next_if(|next| next.language == "text" && next.of("says").is_some());
            check.block(block, says);
        }
        for listed in &document.listed {
            check.listed(listed);
        }
        check
    }

    fn complain(&mut self, line: usize, why: &str) {
        self.wrong.push(format!("{line}: {why}"));
    }

    fn house(&mut self, line: usize, name: &str) -> Option<Parts> {
        let parts = self.houses.get(name).cloned();
        if parts.is_none() {
            self.complain(line, &format!("no snippet is a part of a house {name}"));
        }
        parts
    }

    fn block(&mut self, block: &Block, says: Option<&Block>) {
        let line = block.line;
        if block.of("unchecked").is_some() {
            return;
        }
        self.checked += 1;
        let is_right = block.of("wrong").is_none();
        if let ("toml", true, Err(why)) = (&*block.language, is_right, toml_1_0(&block.text)) {
            self.complain(
                line,
                &format!("this is no TOML 1.0, which is what other programs read: {why}"),
            );
        }
        match block.language.as_str() {
            "toml" if block.of("house").is_some() => {}
            "toml" if block.of("test").is_some() => self.test(block),
            "toml" if block.of("wrong").is_some() => self.wrong(block, says),
            "toml" if block.of("failing").is_some() => self.failing(block, says),
            "toml" if block.of("blocklist").is_some() => self.blocklist(block),
            "toml" if block.of("settings").is_some() => {}
            "cel" if block.of("house").is_some() => self.conditions(block),
            "json" => {
                if let Err(why) = serde_json::from_str::<serde_json::Value>(&block.text) {
                    self.complain(line, &format!("this is no JSON: {why}"));
                }
            }
            _ => self.complain(
                line,
                "nothing says how to check this snippet, or that nobody does",
            ),
        }
        let message = block.of("wrong").is_some() || block.of("failing").is_some();
        if says.is_some() && !message {
            self.complain(
                line,
                "what `text says` stands below a snippet that is wrong or failing",
            );
        }
    }

    fn test(&mut self, block: &Block) {
        let Some(parts) = self.house(block.line, block.of("test").unwrap_or_default()) else {
            return;
        };
        let file = "tests/house.test.toml";
        match failures(&parts.with(file, &block.text).load(), file) {
            Ok(said) if said.is_empty() => {}
            Ok(said) | Err(said) => self.complain(block.line, &format!("this test fails\n{said}")),
        }
    }

    fn wrong(&mut self, block: &Block, says: Option<&Block>) {
        let Some(parts) = self.house(block.line, block.of("wrong").unwrap_or_default()) else {
            return;
        };
        let file = block.of("file").unwrap_or("rules.toml");
        let said = complaints(&parts.with(file, &block.text).load());
        if said.is_empty() {
            self.complain(block.line, "this is not wrong");
        }
        self.message(block, says, &said);
    }

    fn failing(&mut self, block: &Block, says: Option<&Block>) {
        let Some(parts) = self.house(block.line, block.of("failing").unwrap_or_default()) else {
            return;
        };
        let file = block.of("file").unwrap_or("tests/house.test.toml");
        match failures(&parts.with(file, &block.text).load(), file) {
            Ok(said) if said.is_empty() => self.complain(block.line, "this test does not fail"),
            Ok(said) => self.message(block, says, &said),
            Err(said) => self.complain(block.line, &format!("this does not check\n{said}")),
        }
    }

    /// The message below a snippet is the one that comes.
    fn message(&mut self, block: &Block, says: Option<&Block>, said: &str) {
        let Some(says) = says else {
            return self.complain(block.line, "`text says` must stand below this");
        };
        // Lines without an ending blank, as editors save them.
        let plain = |text: &str| -> String {
            let lines = text.trim_end().lines();
            lines.map(|line| format!("{}\n", line.trim_end())).collect()
        };
        let said = plain(said);
        if plain(&says.text) != said {
            self.complain(says.line, &format!("what comes is\n{said}"));
        }
        self.says.insert(says.line, said);
    }

    fn blocklist(&mut self, block: &Block) {
        let loaded = mapping::blocklist::parse("blocklist.toml", &block.text);
        let said = mapping::render(&loaded.sources, &loaded.diagnostics, false);
        if !said.is_empty() {
            self.complain(block.line, &said);
        }
    }

    fn conditions(&mut self, block: &Block) {
        for (condition, number) in block.text.lines().zip(block.line + 1..) {
            let rule = match block.of("on") {
                Some(event) => format!("when = {event:?}\nif = {condition:?}"),
                None => format!("when = {{ holds = {condition:?} }}"),
            };
            let house = block.of("house").unwrap_or_default();
            self.rule(
                number,
                house,
                &format!("{rule}\ndo = {{ notify = \"all\", text = \"\" }}"),
            );
        }
    }

    fn listed(&mut self, listed: &Listed) {
        self.checked += 1;
        let Listed {
            line,
            house,
            event,
            written,
        } = listed;
        let rule = match event {
            None => format!("when = {written}\ndo = {{ notify = \"all\", text = \"\" }}"),
            Some(event) => format!("when = {event:?}\ndo = {written}"),
        };
        self.rule(*line, house, &rule);
    }

    /// A rule of its own in the house.
    fn rule(&mut self, line: usize, house: &str, rule: &str) {
        let Some(parts) = self.house(line, house) else {
            return;
        };
        let text = format!("[rule.snippet]\n{rule}\n");
        let said = complaints_in(
            &parts.with("snippet.toml", &text).load(),
            Some("snippet.toml"),
        );
        if !said.is_empty() {
            self.complain(line, &said);
        }
    }
}

/// Whether others than our own reader, which takes 1.1 as well, can read it.
fn toml_1_0(text: &str) -> Result<toml_1_0::Table, toml_1_0::de::Error> {
    text.parse()
}

/// The document with the messages that come.
fn updated(text: &str, says: &BTreeMap<usize, String>) -> String {
    let mut out = String::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        out.push_str(line);
        out.push('\n');
        if let Some(said) = says.get(&number) {
            out.push_str(said);
            out.push_str("```\n");
            lines.by_ref().find(|(line, _)| *line == "```");
        }
    }
    out
}

fn path_of(document: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(document)
}

#[test]
fn what_only_toml_1_1_has_is_found() {
    assert!(toml_1_0("a = { b = 1 }").is_ok());
    assert!(toml_1_0("a = {\n  b = 1,\n}").is_err());
}

#[test]
fn every_snippet_is_what_its_fence_says() {
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    for &(document, checked_min) in DOCUMENTS {
        let path = path_of(document);
        let text = std::fs::read_to_string(&path).unwrap();
        let check = Check::of(&read(&text));
        if update {
            std::fs::write(&path, updated(&text, &check.says)).unwrap();
            continue;
        }
        assert!(
            check.wrong.is_empty(),
            "{document}:\n{}",
            check.wrong.join("\n")
        );
        assert!(
            check.checked >= checked_min,
            "{document}: {} snippets",
            check.checked
        );
    }
}

#[test]
fn every_document_is_looked_at() {
    let docs = std::fs::read_dir(path_of("docs")).unwrap();
    let names = docs.map(|entry| entry.unwrap().file_name());
    for name in names {
        let document = format!("docs/{}", name.display());
        let known = DOCUMENTS.iter().any(|(known, _)| *known == document);
        assert!(known || !document.ends_with(".md"), "{document}");
    }
}

fn wrong(text: &str) -> Vec<String> {
    Check::of(&read(text)).wrong
}

#[test]
fn a_snippet_that_nobody_checks_is_a_mistake() {
    for text in [
        "```\ndo\n```\n",
        "```toml\n[rule.a]\n```\n",
        "```sh\nls\n```\n",
        "    indented = true\n",
        "```toml house=a\n",
        "```toml test=nobody\n[test.a]\nsteps = []\n```\n",
    ] {
        assert_eq!(wrong(text).len(), 1, "{text}");
    }
    assert_eq!(wrong("```sh unchecked\nls\n```\n"), [""; 0]);
}

#[test]
fn a_snippet_that_is_not_what_it_says_is_a_mistake() {
    let house = "```toml house=a\n[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\nio.key = { kind = \"button\" }\n```\n";
    let rest = |text: &str| wrong(&format!("{house}{text}"));
    for text in [
        "```toml house=a\n[rule.r]\nwhen = \"hall.key.pres\"\ndo = \"hall.lamp.on\"\n```\n",
        "```toml test=a\n[test.t]\nsteps = [{ event = \"hall.key.press\", expect = [\"hall.lamp.on\"] }]\n```\n",
        "```toml test=a\n# none\n```\n",
        "```toml wrong=a\n[rule.r]\nwhen = \"hall.key.press\"\ndo = \"hall.lamp.on\"\n```\n```text says\n```\n",
        "```toml wrong=a\n[rule.r]\nwhen = \"hall.key.pres\"\ndo = \"hall.lamp.on\"\n```\n```text says\nno.\n```\n",
        "```toml failing=a\n[test.t]\nsteps = [{ expect = [] }]\n```\n",
        "```cel house=a\nstate.hall.lmap\n```\n",
        "```json\n{\n```\n",
        "<!-- triggers of a -->\n| `\"hall.key.pres\"` | x |\n",
        "<!-- actions of a on hall.key.press -->\n| `\"hall.lamp.on\"`, `\"hall.lamp.of\"` | x |\n",
    ] {
        assert_eq!(rest(text).len(), 1, "{text}: {:?}", rest(text));
    }
    assert_eq!(
        rest("```cel house=a\nstate.hall.lamp || !hall.online\n```\n"),
        [""; 0]
    );
    assert_eq!(
        rest("<!-- actions of a on hall.key.press -->\n| `\"hall.lamp.on\"` | x |\n"),
        [""; 0]
    );
}
