//! Whether every crate of the build has a licence that deny.toml allows. Called by `tidy`; `cargo deny` itself is not
//! needed for that, and says the same where it is installed.

use std::path::Path;

use super::{Finding, files::Tree};
use crate::metadata::{Package, Workspace};

const AT: &str = "deny.toml";

/// Compares what each crate says of its licence with the allow list.
pub(super) fn check(workspace: &Workspace, tree: &Tree) -> Vec<Finding> {
    // A deny.toml that is missing or no TOML is found by the bans.
    let table: Option<toml::Table> = tree.get(Path::new(AT)).and_then(|text| text.parse().ok());
    let Some(table) = table else {
        return Vec::new();
    };
    let rules = Rules::of(&table);
    let packages = workspace.packages.iter();
    packages
        .filter_map(|package| Some(Finding::new(AT, rules.complaint(package)?)))
        .collect()
}

/// `[licenses]`.
#[derive(Debug, Default)]
struct Rules<'a> {
    allow: Vec<&'a str>,
    /// Crates whose own word is wrong or missing, and what holds instead.
    clarify: Vec<About<'a>>,
    /// Crates that may have more licences than the others.
    exceptions: Vec<About<'a>>,
}

#[derive(Debug)]
struct About<'a> {
    name: &'a str,
    table: &'a toml::Value,
}

impl<'a> Rules<'a> {
    fn of(table: &'a toml::Table) -> Self {
        let Some(licenses) = table.get("licenses") else {
            return Self::default();
        };
        let about = |key: &str| {
            let rows = licenses.get(key).and_then(toml::Value::as_array);
            rows.into_iter().flatten().filter_map(|table| {
                let name = table.get("crate").or_else(|| table.get("name"))?;
                // A version may follow the name.
                let name = name.as_str()?.split(['@', ':']).next()?;
                Some(About { name, table })
            })
        };
        Self {
            allow: texts(licenses.get("allow")).collect(),
            clarify: about("clarify").collect(),
            exceptions: about("exceptions").collect(),
        }
    }

    /// What is wrong with a crate, and what to do.
    fn complaint(&self, package: &Package) -> Option<String> {
        let Package {
            name,
            version,
            license,
        } = package;
        let clarified = self.clarify.iter().find(|about| about.name == name);
        let clarified = clarified.and_then(|about| about.table.get("expression")?.as_str());
        let Some(expression) = clarified.or(license.as_deref()) else {
            return Some(format!(
                "`{name} {version}` does not say its licence: read the files it comes with and write a \
                 [[licenses.clarify]] here, or take another crate"
            ));
        };
        let mut allow = self.allow.clone();
        let exceptions = self.exceptions.iter().filter(|about| about.name == name);
        allow.extend(exceptions.flat_map(|about| texts(about.table.get("allow"))));
        match allows(expression, &allow) {
            Some(true) => None,
            Some(false) => Some(format!(
                "`{name} {version}` is under `{expression}`, which [licenses] does not allow: take another crate, or \
                 allow it; `cargo tree -i {name} --target all` shows who brings it"
            )),
            None => Some(format!(
                "`{name} {version}` says `{expression}`, which is no SPDX expression: write a [[licenses.clarify]] here"
            )),
        }
    }
}

fn texts(list: Option<&toml::Value>) -> impl Iterator<Item = &str> {
    let list = list.and_then(toml::Value::as_array);
    list.into_iter().flatten().filter_map(toml::Value::as_str)
}

/// Whether an SPDX expression can be met with these licences; `None` where it is none. Crates of old write `/`
/// for `OR`.
fn allows(expression: &str, allow: &[&str]) -> Option<bool> {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    let is_met = any(&mut words, allow)?;
    words.is_empty().then_some(is_met)
}

/// Words are taken from the end. `AND` binds before `OR`.
fn any(words: &mut Vec<&str>, allow: &[&str]) -> Option<bool> {
    let mut is_met = all(words, allow)?;
    while words.pop_if(|word| *word == "OR").is_some() {
        is_met |= all(words, allow)?;
    }
    Some(is_met)
}

fn all(words: &mut Vec<&str>, allow: &[&str]) -> Option<bool> {
    let mut is_met = one(words, allow)?;
    while words.pop_if(|word| *word == "AND").is_some() {
        is_met &= one(words, allow)?;
    }
    Some(is_met)
}

fn one(words: &mut Vec<&str>, allow: &[&str]) -> Option<bool> {
    let word = words.pop()?;
    if word == "(" {
        let is_met = any(words, allow)?;
        return (words.pop()? == ")").then_some(is_met);
    }
    if matches!(word, ")" | "AND" | "OR" | "WITH") {
        return None;
    }
    if words.pop_if(|word| *word == "WITH").is_none() {
        return Some(allow.contains(&word));
    }
    let whole = format!("{word} WITH {}", words.pop()?);
    Some(allow.contains(&whole.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const DENY: &str = r#"
[licenses]
allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "ISC"]
exceptions = [{ crate = "roots", allow = ["MPL-2.0"] }]

[[licenses.clarify]]
crate = "shy"
expression = "ISC"

[[licenses.clarify]]
crate = "liar@1.0"
expression = "AGPL-3.0-only"
"#;

    fn check(name: &str, license: Option<&str>, expected: Option<&str>) {
        let workspace = Workspace {
            packages: vec![Package {
                name: name.to_owned(),
                version: "1.2.3".to_owned(),
                license: license.map(str::to_owned),
            }],
            ..Workspace::default()
        };
        let tree = Tree::from([(PathBuf::from(AT), DENY.to_owned())]);
        let findings: Vec<String> = super::check(&workspace, &tree)
            .iter()
            .map(Finding::to_string)
            .collect();
        match expected {
            None => assert_eq!(findings, Vec::<String>::new()),
            Some(what) => {
                assert_eq!(findings.len(), 1, "{findings:?}");
                assert!(findings[0].contains(what), "{findings:?}");
                assert!(
                    findings[0].contains(&format!("`{name} 1.2.3`")),
                    "{findings:?}"
                );
            }
        }
    }

    #[test]
    fn a_licence_that_can_be_met_is_fine() {
        for license in [
            "MIT",
            "GPL-3.0-only OR MIT",
            "MIT/Apache-2.0",
            "MIT AND ISC OR GPL-3.0-only",
            "(MIT OR GPL-3.0-only) AND ISC",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0-only",
        ] {
            check("nice", Some(license), None);
        }
    }

    #[test]
    fn a_licence_that_can_not_be_met_is_found_with_the_crate_and_what_to_do() {
        for license in [
            "AGPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "GPL-3.0-only AND MIT OR MPL-2.0",
            "(MIT OR ISC) AND GPL-3.0-only",
            "MIT WITH Classpath-exception-2.0",
            "mit",
        ] {
            check(
                "greedy",
                Some(license),
                Some("does not allow: take another crate"),
            );
        }
    }

    #[test]
    fn a_crate_that_says_nothing_or_nonsense_is_found() {
        check("silent", None, Some("does not say its licence"));
        for license in ["MIT OR", "(MIT", "MIT ISC", "OR", "", "see LICENSE"] {
            check("odd", Some(license), Some("is no SPDX expression"));
        }
    }

    #[test]
    fn clarifications_and_exceptions_hold_for_their_crate_alone() {
        check("shy", None, None);
        check("liar", Some("MIT"), Some("is under `AGPL-3.0-only`"));
        check("roots", Some("MPL-2.0"), None);
        check("others", Some("MPL-2.0"), Some("does not allow"));
    }
}
