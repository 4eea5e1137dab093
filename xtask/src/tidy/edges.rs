//! Which crate may know which. Called by `tidy`; the table here is ARCHITECTURE.md's, and both are compared.

use std::path::Path;

use super::{Finding, files::Tree};
use crate::metadata::Workspace;

/// What a crate of the workspace may be built with.
struct Rule {
    name: &'static str,
    may_use: &'static [&'static str],
    /// Crates from outside that must not appear anywhere below it.
    must_not_know: &'static [&'static str],
}

const SOCKETS: &[&str] = &["tokio", "mio", "rustix", "socket2"];
const SOCKETS_AND_FILES: &[&str] = &["tokio", "mio", "rustix", "socket2", "rusqlite", "tempfile"];

/// As in ARCHITECTURE.md: each uses rows above its own.
const RULES: &[Rule] = &[
    Rule {
        name: "types",
        may_use: &[],
        must_not_know: SOCKETS_AND_FILES,
    },
    Rule {
        name: "wire",
        may_use: &[],
        must_not_know: SOCKETS_AND_FILES,
    },
    Rule {
        name: "link",
        may_use: &["wire"],
        must_not_know: SOCKETS_AND_FILES,
    },
    Rule {
        name: "device",
        may_use: &["wire", "link"],
        must_not_know: SOCKETS_AND_FILES,
    },
    Rule {
        name: "mapping",
        may_use: &["types"],
        must_not_know: SOCKETS,
    },
    Rule {
        name: "edit",
        may_use: &["types", "mapping"],
        must_not_know: SOCKETS,
    },
    Rule {
        name: "lsp",
        may_use: &["types", "mapping", "edit"],
        must_not_know: SOCKETS,
    },
    Rule {
        name: "engine",
        may_use: &["types", "mapping"],
        must_not_know: SOCKETS_AND_FILES,
    },
    Rule {
        name: "dispatcher",
        // Those of devices in tests alone: what modules say is held against the table of kinds.
        may_use: &["types", "wire", "link", "device", "mapping", "engine"],
        must_not_know: SOCKETS_AND_FILES,
    },
    Rule {
        name: "broker",
        may_use: &["types"],
        must_not_know: &["rusqlite"],
    },
    Rule {
        name: "notify",
        may_use: &[],
        must_not_know: &["tokio", "mio", "rusqlite"],
    },
    Rule {
        name: "store",
        may_use: &["types", "wire"],
        must_not_know: &["tokio", "mio", "socket2"],
    },
    Rule {
        name: "replay",
        may_use: &["types", "mapping", "engine", "dispatcher", "store"],
        must_not_know: &["tokio", "mio", "socket2"],
    },
    Rule {
        name: "web",
        may_use: &[],
        must_not_know: &["rusqlite", "rustix"],
    },
    Rule {
        name: "iot-control",
        may_use: &[
            "types",
            "wire",
            "link",
            "device",
            "mapping",
            "edit",
            "lsp",
            "engine",
            "dispatcher",
            "broker",
            "notify",
            "store",
            "replay",
            "web",
        ],
        must_not_know: &[],
    },
    Rule {
        name: "xtask",
        may_use: &[],
        must_not_know: &["tokio"],
    },
];

/// Compares the workspace with the table, and the table with ARCHITECTURE.md.
pub(super) fn check(workspace: &Workspace, tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, member) in &workspace.members {
        let manifest = format!("{name}/Cargo.toml");
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            findings.push(Finding::new(
                manifest,
                "this crate is not in the table of xtask/src/tidy/edges.rs and ARCHITECTURE.md",
            ));
            continue;
        };
        for edge in &member.edges {
            if !rule.may_use.contains(&edge.as_str()) {
                let what = format!(
                    "`{name}` must not use `{edge}`: a crate uses only rows above its own in the table of ARCHITECTURE.md"
                );
                findings.push(Finding::new(&manifest, what));
            }
        }
        let below = workspace.tree(name);
        for banned in rule
            .must_not_know
            .iter()
            .filter(|banned| below.contains(*banned))
        {
            let what = format!(
                "`{name}` must not know `{banned}`; `cargo tree -p {name} -i {banned} -e normal` shows who brings it"
            );
            findings.push(Finding::new(&manifest, what));
        }
    }
    findings.extend(order());
    findings.extend(architecture(tree));
    findings.extend(no_std(tree));
    findings.extend(banned(workspace, tree));
    findings
}

/// No row uses one below it.
fn order() -> Vec<Finding> {
    let uses_below = RULES.iter().enumerate().flat_map(|(place, rule)| {
        let below = RULES[place..].iter().map(|below| below.name);
        below
            .filter(|below| rule.may_use.contains(below))
            .map(|below| (rule.name, below))
            .collect::<Vec<_>>()
    });
    uses_below
        .map(|(name, below)| {
            let what = format!("`{name}` may use `{below}`, which stands below it");
            Finding::new("xtask/src/tidy/edges.rs", what)
        })
        .collect()
}

/// The rows of ARCHITECTURE.md's table are those of ours, in the same order.
fn architecture(tree: &Tree) -> Vec<Finding> {
    const AT: &str = "ARCHITECTURE.md";
    let Some(text) = tree.get(Path::new(AT)) else {
        return vec![Finding::new(AT, "is missing")];
    };
    let rows: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let rules: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    if rows == rules {
        return Vec::new();
    }
    let what =
        format!("its table of crates is {rows:?}, that of xtask/src/tidy/edges.rs {rules:?}");
    vec![Finding::new(AT, what)]
}

/// Crates that go into firmware.
const IN_FIRMWARE: &[&str] = &["types", "wire", "link", "device"];

fn no_std(tree: &Tree) -> Vec<Finding> {
    let roots = IN_FIRMWARE
        .iter()
        .map(|name| format!("crates/{name}/src/lib.rs"));
    let lacking = roots.filter(|at| {
        let text = tree.get(Path::new(at)).map_or("", String::as_str);
        !text.lines().any(|line| line.trim() == "#![no_std]")
    });
    lacking
        .map(|at| Finding::new(at, "lacks `#![no_std]`: modules' firmware holds this crate"))
        .collect()
}

/// Crates that deny.toml bans, here too: cargo-deny itself is not needed for that.
fn banned(workspace: &Workspace, tree: &Tree) -> Vec<Finding> {
    const AT: &str = "deny.toml";
    let Some(text) = tree.get(Path::new(AT)) else {
        return vec![Finding::new(AT, "is missing")];
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return vec![Finding::new(AT, format!("is not TOML: {error}"))],
    };
    let bans = table
        .get("bans")
        .and_then(|bans| bans.get("deny")?.as_array());
    bans.into_iter()
        .flatten()
        .filter_map(|ban| {
            let name = ban.get("crate").or_else(|| ban.get("name"))?.as_str()?;
            let why = ban
                .get("reason")
                .and_then(toml::Value::as_str)
                .unwrap_or("no reason given");
            let used = workspace.built_with.contains_key(name);
            used.then(|| Finding::new(AT, format!("`{name}` is banned, and in Cargo.lock: {why}")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::PathBuf};

    use super::*;
    use crate::metadata::Member;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let rows: String = RULES
            .iter()
            .map(|rule| format!("| `{}` | | |\n", rule.name))
            .collect();
        let sound = [("ARCHITECTURE.md", rows.as_str()), ("deny.toml", "")];
        let firmware = IN_FIRMWARE
            .iter()
            .map(|name| (format!("crates/{name}/src/lib.rs"), "#![no_std]"));
        let firmware: Vec<_> = firmware.collect();
        let firmware = firmware.iter().map(|(path, text)| (path.as_str(), *text));
        let sound: Vec<_> = sound.into_iter().chain(firmware).collect();
        let all = sound.iter().chain(files);
        all.map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
            .collect()
    }

    fn workspace(name: &str, edges: &[&str], built_with: &[(&str, &str)]) -> Workspace {
        let edges: BTreeSet<String> = edges.iter().map(|edge| (*edge).to_owned()).collect();
        let mut workspace = Workspace::default();
        workspace.members.insert(
            name.to_owned(),
            Member {
                edges,
                ..Member::default()
            },
        );
        for (user, used) in built_with {
            workspace
                .built_with
                .entry((*user).to_owned())
                .or_default()
                .insert((*used).to_owned());
            workspace.built_with.entry((*used).to_owned()).or_default();
        }
        workspace
    }

    fn check(workspace: &Workspace, tree: &Tree, expected: &[&str]) {
        let findings: Vec<String> = super::check(workspace, tree)
            .iter()
            .map(Finding::to_string)
            .collect();
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, expected) in findings.iter().zip(expected) {
            assert!(finding.contains(expected), "{finding}");
        }
    }

    #[test]
    fn an_edge_down_the_table_is_fine() {
        check(
            &workspace("engine", &["types", "mapping"], &[]),
            &tree(&[]),
            &[],
        );
    }

    #[test]
    fn an_edge_up_the_table_is_found() {
        let planted = workspace("broker", &["types", "mapping"], &[]);
        check(&planted, &tree(&[]), &["`broker` must not use `mapping`"]);
    }

    #[test]
    fn a_crate_without_a_row_is_found() {
        check(
            &workspace("utils", &[], &[]),
            &tree(&[]),
            &["not in the table"],
        );
    }

    #[test]
    fn tokio_below_the_engine_is_found_however_deep() {
        let planted = workspace("engine", &[], &[("engine", "nice"), ("nice", "tokio")]);
        check(&planted, &tree(&[]), &["`engine` must not know `tokio`"]);
    }

    #[test]
    fn a_table_that_tells_another_story_is_found() {
        let planted = tree(&[("ARCHITECTURE.md", "| `types` | |\n| `web` | |\n")]);
        check(
            &workspace("types", &[], &[]),
            &planted,
            &["its table of crates is [\"types\", \"web\"]"],
        );
    }

    #[test]
    fn words_that_need_std_are_found() {
        let planted = tree(&[("crates/types/src/lib.rs", "//! words\n")]);
        check(&workspace("types", &[], &[]), &planted, &["no_std"]);
    }

    #[test]
    fn a_banned_crate_is_found_with_the_reason() {
        let planted = tree(&[(
            "deny.toml",
            "[bans]\ndeny = [{ crate = \"openssl\", reason = \"no C\" }]\n",
        )]);
        let workspace = workspace("broker", &[], &[("broker", "openssl")]);
        check(
            &workspace,
            &planted,
            &["`openssl` is banned, and in Cargo.lock: no C"],
        );
    }
}
