//! `cargo xtask tidy`: what no compiler checks. Every finding names the file and what to do.
//!
//! Called by people and `ci`. Changes nothing. Each check is a function from what is there to findings, so that
//! its tests can plant a violation.

mod edges;
mod files;
mod licenses;
mod links;
mod purity;

use std::fmt;

use anyhow::{Result, bail};

use crate::{metadata::Workspace, shell};

/// Something out of order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// A path from the root of the workspace, with a line where there is one.
    at: String,
    what: String,
}

impl Finding {
    fn new(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// Checks the workspace and prints every finding.
///
/// # Errors
/// There are findings, or something can't be read.
pub(crate) fn run() -> Result<()> {
    eprintln!("$ tidy");
    let root = shell::root();
    let tree = files::read(&root)?;
    let workspace = Workspace::read()?;
    let mut findings = edges::check(&workspace, &tree);
    findings.extend(files::check(&workspace, &root, &tree));
    findings.extend(licenses::check(&workspace, &tree));
    findings.extend(links::check(&tree));
    findings.extend(purity::check(&tree));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} files in order", tree.len());
            Ok(())
        }
        found => bail!("tidy: {found} findings"),
    }
}
