//! Links in Markdown lead somewhere: to a file of the workspace, to a heading. Called by `tidy`; asks no network.

use std::path::{Component, Path, PathBuf};

use super::{Finding, files::Tree};
use crate::shell;

/// Checks every link of every Markdown file.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    check_with(tree, |path| shell::root().join(path).exists())
}

fn check_with(tree: &Tree, exists: impl Fn(&Path) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.iter().filter(|(path, _)| is_markdown(path)) {
        for (number, line) in prose(text) {
            for link in links(&line) {
                if let Some(why) = broken(path, link, tree, &exists) {
                    findings.push(Finding::new(format!("{}:{number}", path.display()), why));
                }
            }
        }
    }
    findings
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// Lines that are no code, with their numbers, without the code inside them.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    let lines = text.lines().zip(1..).filter(move |(line, _)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence && !line.starts_with("    ")
    });
    lines.map(|(line, number)| (number, line.split('`').step_by(2).collect()))
}

/// What stands in the round brackets of `[text](target)`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
}

/// Why a link leads nowhere.
fn broken(from: &Path, link: &str, tree: &Tree, exists: impl Fn(&Path) -> bool) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => from.to_owned(),
        _ => plain(&from.parent()?.join(file)),
    };
    if !exists(&target) && !tree.contains_key(&target) {
        return Some(format!(
            "`{link}` leads nowhere: there is no {}",
            target.display()
        ));
    }
    let missing = || {
        format!(
            "`{link}` leads nowhere: {} has no such heading",
            target.display()
        )
    };
    let text = tree.get(&target).filter(|_| !heading.is_empty())?;
    let there = text
        .lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| anchor(line) == heading);
    (!there).then(missing)
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// The name that a heading has in links.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let files = [
            ("docs/page.md", text),
            ("docs/other.md", "# Two words, `code`\n"),
            ("README.md", ""),
        ];
        let tree: Tree = files
            .map(|(path, text)| (PathBuf::from(path), text.to_owned()))
            .into();
        let findings = check_with(&tree, |path| path == Path::new("examples/house"));
        let findings: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, expected) in findings.iter().zip(expected) {
            assert!(finding.contains(expected), "{finding}");
        }
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        check(
            "[a](other.md) [b](../README.md \"title\") [c](../examples/house) [d](https://rustup.rs)",
            &[],
        );
        check("# Here\n[a](#here) [b](other.md#two-words-code)", &[]);
    }

    #[test]
    fn a_link_to_nothing_is_found_with_its_line() {
        check(
            "text\n[a](gone.md)",
            &["docs/page.md:2: `gone.md` leads nowhere: there is no docs/gone.md"],
        );
        check(
            "[a](other.md) and [b](../gone.md)",
            &["there is no gone.md"],
        );
    }

    #[test]
    fn a_link_to_no_heading_is_found() {
        check(
            "[a](other.md#three)",
            &["docs/other.md has no such heading"],
        );
        check("[a](#nowhere)", &["has no such heading"]);
    }

    #[test]
    fn code_holds_no_links() {
        check(
            "`[a](gone.md)`\n    [a](gone.md)\n```\n[a](gone.md)\n```\n",
            &[],
        );
    }
}
