//! `cargo xtask bench engine`: matching beside the linear scan, loading, memory, and conditions beside other languages. The
//! program of `bench/` measures and knows the floors; here it is built, run and its report kept.

use std::process::Command;

use anyhow::{Result, bail};

use super::{alone, folder, keep, programs};
use crate::shell;

/// Takes the words after `bench engine`.
///
/// # Errors
/// There is no such option.
pub(crate) fn parse(words: &[&str]) -> Result<bool> {
    match words {
        [] => Ok(false),
        ["--quick"] => Ok(true),
        [other, ..] => bail!("bench engine has no option {other}"),
    }
}

/// Runs the tests of what it measures, expressions against CEL's among them; then measures, prints the report and writes it to target/bench/engine.md.
///
/// # Errors
/// A floor is broken, or something can't be measured.
pub(crate) fn run(quick: bool) -> Result<()> {
    programs::test()?;
    let program = programs::build("engine")?;
    let folder = folder()?;
    let _alone = alone(&folder)?;
    let mut command = Command::new(program);
    command.args(quick.then_some("--quick"));
    let text = shell::output(&mut command)?;
    keep(&folder, "engine.md", &text)?;
    match text
        .lines()
        .filter(|line| line.starts_with("- FAIL"))
        .count()
    {
        0 => Ok(()),
        broken => bail!("{broken} floors are broken"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_and_others_refused() {
        assert_eq!(parse(&[]).ok(), Some(false));
        assert_eq!(parse(&["--quick"]).ok(), Some(true));
        assert!(parse(&["--fast"]).is_err());
        assert!(parse(&["--quick", "7"]).is_err());
    }
}
