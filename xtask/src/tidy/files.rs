//! Sizes, module docs and inherited lints. Called by `tidy`, which also takes from here what files there are.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::Finding;
use crate::metadata::Workspace;

/// Every file that people wrote, by its path from the root of the workspace.
pub(super) type Tree = BTreeMap<PathBuf, String>;

/// Past this a file holds a second idea.
const LINES_MAX: usize = 800;

/// What is read: the rest of the workspace is no text.
const EXTENSIONS: &[&str] = &["rs", "toml", "md"];

/// Reads the workspace, without what cargo, npm and git put there.
pub(super) fn read(root: &Path) -> Result<Tree> {
    let mut tree = Tree::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("can't list {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "node_modules" {
                    open.push(path);
                }
            } else if path.is_file()
                && path
                    .extension()
                    .is_some_and(|e| EXTENSIONS.iter().any(|known| e == *known))
            {
                // A fixture may hold bytes that are no text on purpose.
                let text =
                    fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
                let path = path.strip_prefix(root).unwrap_or(&path).to_owned();
                tree.insert(path, String::from_utf8_lossy(&text).into_owned());
            }
        }
    }
    Ok(tree)
}

/// Checks all files.
pub(super) fn check(workspace: &Workspace, root: &Path, tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree {
        if path.extension().is_some_and(|extension| extension == "rs") {
            findings.extend(size(path, text));
            findings.extend(docs(path, text));
        }
    }
    let manifest = |folder: &Path| {
        folder
            .strip_prefix(root)
            .unwrap_or(folder)
            .join("Cargo.toml")
    };
    for member in workspace.members.values() {
        findings.extend(lints(&manifest(&member.folder), tree));
    }
    findings.extend(forbid_unsafe(tree));
    findings
}

fn size(path: &Path, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    let what = || format!("{lines} lines: look for its second idea; {LINES_MAX} at most");
    (lines > LINES_MAX).then(|| Finding::new(path.display().to_string(), what()))
}

/// Each module below `src` opens with `//!`; so does a crate's `build.rs` or test binary.
fn docs(path: &Path, text: &str) -> Option<Finding> {
    if path.components().any(|part| part.as_os_str() == "fixtures") {
        return None;
    }
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let what = "opens without `//!`: say what it is, who calls it and what it must not do";
    (!first.starts_with("//!")).then(|| Finding::new(path.display().to_string(), what))
}

fn lints(manifest: &Path, tree: &Tree) -> Option<Finding> {
    let inherits = table(manifest, tree)
        .and_then(|table| table.get("lints")?.get("workspace")?.as_bool())
        .unwrap_or(false);
    let what =
        "lacks `[lints] workspace = true`: every crate has the same lints, unsafe code forbidden";
    (!inherits).then(|| Finding::new(manifest.display().to_string(), what))
}

fn forbid_unsafe(tree: &Tree) -> Option<Finding> {
    let at = Path::new("Cargo.toml");
    let table = table(at, tree).unwrap_or_default();
    let lint = table
        .get("workspace")
        .and_then(|w| w.get("lints")?.get("rust")?.get("unsafe_code"));
    let forbids = lint.and_then(toml::Value::as_str) == Some("forbid");
    (!forbids).then(|| {
        Finding::new(
            "Cargo.toml",
            "lacks `unsafe_code = \"forbid\"` in [workspace.lints.rust]",
        )
    })
}

fn table(path: &Path, tree: &Tree) -> Option<toml::Table> {
    tree.get(path)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Member;

    const ROOT: &str = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
    const MEMBER: &str = "[lints]\nworkspace = true\n";

    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let sound = [("Cargo.toml", ROOT), ("crates/a/Cargo.toml", MEMBER)];
        let files = sound.iter().chain(files);
        let tree: Tree = files
            .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
            .collect();
        let mut workspace = Workspace::default();
        let member = Member {
            folder: "/w/crates/a".into(),
            ..Member::default()
        };
        workspace.members.insert("a".to_owned(), member);
        let findings = super::check(&workspace, Path::new("/w"), &tree);
        let findings: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, expected) in findings.iter().zip(expected) {
            assert!(finding.contains(expected), "{finding}");
        }
    }

    #[test]
    fn a_sound_workspace_has_no_findings() {
        check(&[("crates/a/src/lib.rs", "\n//! a\n")], &[]);
    }

    #[test]
    fn a_giant_is_found() {
        let giant = format!("//! a\n{}", "\n".repeat(LINES_MAX));
        check(&[("crates/a/src/lib.rs", &giant)], &["801 lines"]);
    }

    #[test]
    fn a_module_without_docs_is_found() {
        check(
            &[("crates/a/src/b.rs", "use a;\n//! late\n")],
            &["b.rs: opens without"],
        );
    }

    #[test]
    fn a_crate_with_its_own_lints_is_found() {
        check(
            &[(
                "crates/a/Cargo.toml",
                "[lints.rust]\nunsafe_code = \"allow\"\n",
            )],
            &["crates/a/Cargo.toml: lacks `[lints]"],
        );
    }

    #[test]
    fn unsafe_code_that_is_not_forbidden_is_found() {
        check(
            &[(
                "Cargo.toml",
                "[workspace.lints.rust]\nunsafe_code = \"warn\"\n",
            )],
            &["unsafe_code"],
        );
    }

    #[test]
    fn what_tools_put_there_is_not_read() {
        let root = tempfile::tempdir().expect("a folder for the test");
        for path in [
            "a.md",
            "b.txt",
            "target/c.md",
            ".git/d.md",
            "x/node_modules/e.md",
            "x/f.rs",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it has a folder")).expect("it can be created");
            fs::write(path, "text").expect("it can be written");
        }
        let tree = read(root.path()).expect("it can be read");
        let paths: Vec<_> = tree.keys().map(|path| path.display().to_string()).collect();
        assert_eq!(paths, ["a.md", "x/f.rs"]);
    }
}
