//! Sorts the top tables of all files by what they declare.

use crate::{
    diagnostic::Diagnostic,
    grammar::{MAPPING, MQTT, TESTS},
    lint,
    read::{Document, Key, Node, unknown_key},
    report::Report,
    source::FileIx,
    suggest::closest,
};

/// Everything that all files declare, in file order.
#[derive(Debug, Default)]
pub(crate) struct Tops<'a> {
    /// Lints that files silence.
    pub(crate) allow: Vec<(FileIx, &'static str)>,
    /// `[home]` tables.
    pub(crate) home: Vec<(Key<'a>, Node<'a>)>,
    /// `[kind.K]`.
    pub(crate) kinds: Vec<(Key<'a>, Node<'a>)>,
    /// `[device.D]`.
    pub(crate) devices: Vec<(Key<'a>, Node<'a>)>,
    /// Entries of `[group]`.
    pub(crate) groups: Vec<(Key<'a>, Node<'a>)>,
    /// Entries of `[var]`.
    pub(crate) vars: Vec<(Key<'a>, Node<'a>)>,
    /// `[scene.S]`.
    pub(crate) scenes: Vec<(Key<'a>, Node<'a>)>,
    /// `[rule.R]`.
    pub(crate) rules: Vec<(Key<'a>, Node<'a>)>,
    /// Entries of `[renamed]`.
    pub(crate) renamed: Vec<(Key<'a>, Node<'a>)>,
    /// `[test.T]`.
    pub(crate) tests: Vec<(Key<'a>, Node<'a>)>,
}

impl<'a> Tops<'a> {
    /// Takes the top tables of a mapping file; `main` for mapping.toml itself.
    pub(crate) fn take_mapping(
        &mut self,
        document: &'a Document<'a>,
        main: bool,
        report: &mut Report,
    ) {
        for top in document.tops() {
            for (key, node) in top.entries() {
                if report.is_full() {
                    return;
                }
                match meant(&key, node, report) {
                    "home" => self.home.push((key, node)),
                    "kind" => take(&mut self.kinds, &key, node, report),
                    "device" => take(&mut self.devices, &key, node, report),
                    "group" => take(&mut self.groups, &key, node, report),
                    "var" => take(&mut self.vars, &key, node, report),
                    "scene" => take(&mut self.scenes, &key, node, report),
                    "rule" => take(&mut self.rules, &key, node, report),
                    "renamed" => take(&mut self.renamed, &key, node, report),
                    "format" if main => check_format(node, report),
                    "include" => {}
                    "allow" => {
                        let file = key.span.file;
                        let lints = lint::allowed_by(report, node).into_iter();
                        self.allow.extend(lints.map(|lint| (file, lint)));
                    }
                    "format" => report.push(misplaced(&key, "`format` belongs in mapping.toml")),
                    "test" => report.push(misplaced(
                        &key,
                        "tests belong in files of their own, tests/*.test.toml",
                    )),
                    "block" => report.push(misplaced(&key, "blocks belong in blocklist.toml")),
                    _ => {}
                }
            }
        }
    }

    /// Takes the top tables of a test file.
    pub(crate) fn take_tests(&mut self, document: &'a Document<'a>, report: &mut Report) {
        for top in document.tops() {
            for (key, node) in top.entries() {
                if report.is_full() {
                    return;
                }
                match key.name {
                    "test" => take(&mut self.tests, &key, node, report),
                    name if MAPPING.names.contains(&name) => report.push(misplaced(
                        &key,
                        "a test file holds tests only; this belongs in mapping.toml or a file it includes",
                    )),
                    _ => {
                        report.push(unknown_key(&key, TESTS.what, TESTS.names));
                        if closest(key.name, TESTS.names.iter().copied()).is_some() {
                            take(&mut self.tests, &key, node, report);
                        }
                    }
                }
            }
        }
    }
}

fn take<'a>(
    list: &mut Vec<(Key<'a>, Node<'a>)>,
    key: &Key<'a>,
    node: Node<'a>,
    report: &mut Report,
) {
    if let Some(table) = node.table(report, &format!("`{}`", key.name)) {
        list.extend(table.entries());
    }
}

fn check_format(node: Node<'_>, report: &mut Report) {
    if node.as_number() != Some(1.0) {
        let error = Diagnostic::error("unknown-format", node.span(), "this format is not known")
            .help("this version reads `format = 1`");
        report.push(error);
    }
}

/// The top table that a key means. One that is none is reported, and where it was meant as another it is read as that:
/// what stands in it is there for whoever refers to it.
fn meant<'a>(key: &Key<'a>, node: Node<'_>, report: &mut Report) -> &'a str {
    let known = || MAPPING.names.iter().copied();
    if key.name == "test" || key.name == "block" || known().any(|name| name == key.name) {
        return key.name;
    }
    let error = strange(key, node);
    let is_unknown = error.code == "unknown-key" && node.as_table().is_some();
    report.push(error);
    let near = closest(key.name, known()).filter(|_| is_unknown);
    near.and_then(|near| known().find(|name| *name == near))
        .unwrap_or_default()
}

fn misplaced(key: &Key<'_>, message: &str) -> Diagnostic {
    Diagnostic::error("misplaced", key.span.clone(), message)
}

/// Tables of settings.toml, which this crate does not read.
const SETTINGS: [&str; 11] = [
    "engine",
    "history",
    "home_assistant",
    "journal",
    "notify",
    "presence",
    "reload",
    "state",
    "stream",
    "tls",
    "web",
];

/// Whether a table belongs into settings.toml; `mqtt` stands in both, with other keys.
fn is_setting(name: &str, node: Node<'_>) -> bool {
    let Some(table) = node.as_table() else {
        return false;
    };
    let of_device = || MQTT.names.iter().any(|key| table.field(key).is_some());
    SETTINGS.contains(&name) || (name == "mqtt" && !of_device())
}

/// An unknown top table, or a rule's or device's key that stands outside of any table.
fn strange(key: &Key<'_>, node: Node<'_>) -> Diagnostic {
    if is_setting(key.name, node) {
        let message = format!(
            "`{}` is a setting of this machine, not of the house",
            key.name
        );
        return misplaced(key, &message)
            .help("put it into settings.toml, a file of its own beside mapping.toml");
    }
    let home_of = |keys: &[&str]| keys.contains(&key.name);
    if home_of(&["when", "do", "if", "limit"]) {
        let message = format!("`{}` belongs in a rule: put it below [rule.NAME]", key.name);
        misplaced(key, &message)
    } else if home_of(&["id", "board", "io", "mqtt", "virtual"]) {
        let message = format!(
            "`{}` belongs in a device: put it below [device.NAME]",
            key.name
        );
        misplaced(key, &message)
    } else if home_of(&["timezone", "latitude", "longitude"]) {
        misplaced(key, &format!("`{}` belongs below [home]", key.name))
    } else {
        unknown_key(key, MAPPING.what, MAPPING.names)
    }
}
