//! How the suite's tests ended: what the agent says of each, what we know of those that fail, and the totals.
//! Called by `conformance`.

use std::fmt;

use anyhow::{Context, Result, bail};

use super::Version;

/// A test that fails with a broker that the specification has nothing against, and why.
struct Known {
    version: Version,
    test: &'static str,
    reason: &'static str,
}

const KNOWN: [Known; 2] = [
    Known {
        version: Version::V5,
        test: "test_subscribe_failure",
        reason: "its client takes 0x80 (unspecified) only; we say 0x87 (not authorized), which section 3.9.3 has too",
    },
    Known {
        version: Version::V5,
        test: "test_server_keep_alive",
        reason: "it wants a broker that turns a keep-alive of 120 s into 60; section 3.2.2.3.14 leaves that to the broker",
    },
];

/// What the agent says of a test.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) test: String,
    /// `None`: it passed.
    pub(super) failure: Option<String>,
}

/// Reads a line of the agent's.
///
/// # Errors
/// It is none.
pub(super) fn parse(line: &str) -> Result<Said> {
    let object: serde_json::Value = serde_json::from_str(line)
        .with_context(|| format!("the agent said what is no JSON: {line}"))?;
    let text = |key: &str| {
        let text = object[key].as_str().map(ToOwned::to_owned);
        text.with_context(|| format!("the agent said nothing of '{key}': {line}"))
    };
    let failure = match text("outcome")?.as_str() {
        "pass" => None,
        "fail" => Some(text("why")?),
        other => bail!("the agent said '{other}', which is no outcome: {line}"),
    };
    Ok(Said {
        test: text("test")?,
        failure,
    })
}

/// What that means for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    Pass,
    /// As [`KNOWN`] has it, with the reason.
    Known(&'static str),
    /// [`KNOWN`] says that it fails.
    Outdated,
    Fail(&'a str),
}

/// Holds what was said against what is known.
pub(super) fn judge(version: Version, said: &Said) -> Verdict<'_> {
    let known = KNOWN
        .iter()
        .find(|known| known.version == version && known.test == said.test);
    match (&said.failure, known) {
        (None, None) => Verdict::Pass,
        (None, Some(_)) => Verdict::Outdated,
        (Some(_), Some(known)) => Verdict::Known(known.reason),
        (Some(why), None) => Verdict::Fail(why),
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Known(reason) => write!(f, "known: {reason}"),
            Self::Outdated => f.write_str("pass; it is in the list of known ones: take it out"),
            Self::Fail(why) => write!(f, "FAIL: {why}"),
        }
    }
}

/// How many tests of a version ended how.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pass: usize,
    known: usize,
    /// Those that nobody expects.
    pub(super) wrong: usize,
}

impl Totals {
    pub(super) fn add(&mut self, verdict: Verdict<'_>) {
        match verdict {
            Verdict::Pass => self.pass += 1,
            Verdict::Known(_) => self.known += 1,
            Verdict::Outdated => {
                self.pass += 1;
                self.wrong += 1;
            }
            Verdict::Fail(_) => self.wrong += 1,
        }
    }

    /// Whether no test ran.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pass, known, wrong } = self;
        write!(f, "{pass} pass, {known} known, {wrong} not as expected")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(test: &str, failure: Option<&str>) -> Said {
        Said {
            test: test.to_owned(),
            failure: failure.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn what_the_agent_says_of_a_test_is_read() {
        let passed = parse(r#"{"test": "testBasic", "outcome": "pass", "why": ""}"#);
        assert_eq!(passed.ok(), Some(said("testBasic", None)));
        let failed =
            parse(r#"{"test": "test_keepalive", "outcome": "fail", "why": "length: \"[]\""}"#);
        assert_eq!(
            failed.ok(),
            Some(said("test_keepalive", Some("length: \"[]\"")))
        );
    }

    #[test]
    fn what_is_no_outcome_is_told_and_not_counted() {
        for (line, why) in [
            ("hostname 127.0.0.1", "no JSON"),
            (r#"{"outcome": "pass"}"#, "nothing of 'test'"),
            (r#"{"test": "testBasic"}"#, "nothing of 'outcome'"),
            (
                r#"{"test": "testBasic", "outcome": "fail"}"#,
                "nothing of 'why'",
            ),
            (
                r#"{"test": "testBasic", "outcome": "skip"}"#,
                "'skip', which is no outcome",
            ),
        ] {
            let error = parse(line).expect_err(line);
            assert!(format!("{error:#}").contains(why), "{line}: {error:#}");
        }
    }

    #[test]
    fn only_what_is_in_the_list_may_fail_and_only_there() {
        let failed = said("test_subscribe_failure", Some("wrong"));
        assert!(matches!(
            judge(Version::V5, &failed),
            Verdict::Known(reason) if reason.contains("0x87")
        ));
        assert_eq!(judge(Version::V3, &failed), Verdict::Fail("wrong"));
        let passed = said("test_subscribe_failure", None);
        assert_eq!(judge(Version::V3, &passed), Verdict::Pass);
        assert_eq!(judge(Version::V5, &passed), Verdict::Outdated);
    }

    #[test]
    fn totals_tell_how_many_were_not_as_expected() {
        let mut totals = Totals::default();
        assert!(totals.is_empty());
        for verdict in [
            Verdict::Pass,
            Verdict::Pass,
            Verdict::Known("it is optional"),
            Verdict::Outdated,
            Verdict::Fail("why"),
        ] {
            totals.add(verdict);
        }
        assert_eq!(totals.wrong, 2);
        assert_eq!(totals.to_string(), "3 pass, 1 known, 2 not as expected");
    }
}
