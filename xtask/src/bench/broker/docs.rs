//! docs/performance.md: people write its text, a whole run writes what stands between its marks. Called by the bench.

use std::fs;

use anyhow::{Context, Result};

use crate::shell;

const PAGE: &str = "docs/performance.md";
const PICTURE: &str = "docs/performance.svg";
const END: &str = "<!-- end -->";

/// What a run writes, by the names of the marks.
pub(crate) type Parts = [(&'static str, String)];

/// Writes numbers and picture of a run.
///
/// # Errors
/// The page lacks a mark, or the disk.
pub(crate) fn update(parts: &Parts, picture: &str) -> Result<()> {
    let page = shell::root().join(PAGE);
    let text = fs::read_to_string(&page).with_context(|| format!("can't read {PAGE}"))?;
    fs::write(&page, fill(&text, parts)?).with_context(|| format!("can't write {PAGE}"))?;
    fs::write(shell::root().join(PICTURE), picture)
        .with_context(|| format!("can't write {PICTURE}"))?;
    println!("written to {PAGE} and {PICTURE}");
    Ok(())
}

/// The page with other numbers.
fn fill(page: &str, parts: &Parts) -> Result<String> {
    let mut text = page.to_owned();
    for (name, numbers) in parts {
        let mark = format!("<!-- bench: {name} -->\n");
        let start = text.find(&mark).map(|start| start + mark.len());
        let start = start.with_context(|| format!("{PAGE} has no {}", mark.trim()))?;
        let length = text[start..].find(END);
        let length = length.with_context(|| format!("{PAGE}: {} has no end", mark.trim()))?;
        text.replace_range(start..start + length, &format!("{}\n", numbers.trim()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::broker::{promises, report::Report, tables};

    #[test]
    fn only_what_stands_between_marks_changes() {
        let page =
            "a\n<!-- bench: one -->\nold\n<!-- end -->\nb\n<!-- bench: two -->\n<!-- end -->\nc\n";
        let parts = [("one", "1\n2\n".to_owned()), ("two", "3".to_owned())];
        let filled = fill(page, &parts).expect("both marks are there");
        let expected = "a\n<!-- bench: one -->\n1\n2\n<!-- end -->\nb\n<!-- bench: two -->\n3\n<!-- end -->\nc\n";
        assert_eq!(filled, expected);
        assert_eq!(fill(&filled, &parts).ok().as_deref(), Some(expected));
    }

    #[test]
    fn a_mark_that_is_missing_is_named() {
        let part = [("one", String::new())];
        let why = |page: &str| {
            fill(page, &part)
                .expect_err("it lacks something")
                .to_string()
        };
        assert!(why("a\n").contains("no <!-- bench: one -->"));
        assert!(why("<!-- bench: one -->\n").contains("has no end"));
    }

    #[test]
    fn the_page_has_a_place_for_all_that_a_run_writes() {
        let page = fs::read_to_string(shell::root().join(PAGE)).expect("it is there");
        let report = Report::default();
        let parts = tables::parts(&report, &promises::verdicts(&report), String::new());
        fill(&page, &parts).expect("each mark is there");
        assert!(shell::root().join(PICTURE).is_file());
    }
}
