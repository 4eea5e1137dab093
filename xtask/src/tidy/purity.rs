//! Time, files, threads and the environment stay out of what is told them: the same inputs give the same outputs, in
//! a test, in a replay and in the running house. Called by `tidy`; reads words, not meanings.

use std::path::Path;

use super::{Finding, files::Tree};

/// Sources that must do without.
struct Pure {
    below: &'static str,
    /// Its shell: the part that brings time and bytes.
    except: &'static [&'static str],
    words: &'static [&'static [&'static str]],
}

/// A moment, a number or a name that is another one at the next run.
const SURPRISES: &[&str] = &[
    "Instant::now",
    "SystemTime",
    "getrandom",
    "std::env",
    "std::thread",
    "std::process",
    "thread_local!",
];

/// The disk and the network.
const OUTSIDE: &[&str] = &["std::fs", "std::io", "TcpStream", "UdpSocket", "UnixStream"];

/// Sources that are told everything, and those that read files themselves.
const SEALED: &[&[&str]] = &[SURPRISES, OUTSIDE];
const READING: &[&[&str]] = &[SURPRISES];

const PURE: &[Pure] = &[
    Pure {
        below: "crates/types/src",
        except: &[],
        words: SEALED,
    },
    Pure {
        below: "crates/wire/src",
        except: &[],
        words: SEALED,
    },
    Pure {
        below: "crates/link/src",
        except: &[],
        words: SEALED,
    },
    Pure {
        below: "crates/device/src",
        except: &[],
        words: SEALED,
    },
    Pure {
        below: "crates/engine/src",
        except: &[],
        words: SEALED,
    },
    Pure {
        below: "crates/dispatcher/src",
        except: &[],
        words: SEALED,
    },
    Pure {
        below: "crates/broker/src",
        except: &["crates/broker/src/tcp"],
        words: SEALED,
    },
    Pure {
        below: "crates/mapping/src",
        except: &[],
        words: READING,
    },
    Pure {
        below: "crates/replay/src",
        except: &[],
        words: READING,
    },
    Pure {
        below: "crates/lsp/src",
        except: &["crates/lsp/src/serve.rs"],
        words: READING,
    },
];

/// Checks all sources; a file's tests may use what they like.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree {
        for pure in PURE {
            if path.starts_with(pure.below)
                && !pure.except.iter().any(|part| path.starts_with(part))
            {
                findings.extend(words(path, text, pure.words));
            }
        }
    }
    findings
}

fn words(path: &Path, text: &str, banned: &[&[&str]]) -> Vec<Finding> {
    if path.components().any(|part| part.as_os_str() == "tests") {
        return Vec::new();
    }
    let code = text
        .lines()
        .take_while(|line| line.trim() != "#[cfg(test)]");
    let code = code.map(|line| line.split("//").next().unwrap_or_default());
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(code) {
        for word in banned.concat().iter().filter(|word| line.contains(**word)) {
            findings.push(Finding::new(
                format!("{}:{number}", path.display()),
                format!("`{word}`: time, bytes and randomness are told to this crate (ARCHITECTURE.md, invariant 2)"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        let tree = Tree::from([(PathBuf::from(path), text.to_owned())]);
        let places: Vec<String> = super::check(&tree)
            .into_iter()
            .map(|finding| finding.at)
            .collect();
        assert_eq!(places, expected, "{path}");
    }

    const CLOCK: &str = "//! a\nfn now() -> Instant {\n    Instant::now()\n}\n";

    #[test]
    fn a_hidden_clock_is_found_with_its_line() {
        check(
            "crates/engine/src/clock.rs",
            CLOCK,
            &["crates/engine/src/clock.rs:3"],
        );
        check(
            "crates/broker/src/core/mod.rs",
            CLOCK,
            &["crates/broker/src/core/mod.rs:3"],
        );
    }

    #[test]
    fn shells_may_look_at_the_clock() {
        check("crates/broker/src/tcp/mod.rs", CLOCK, &[]);
        check("crates/store/src/open.rs", CLOCK, &[]);
    }

    #[test]
    fn files_are_for_those_who_read_them() {
        let text = "//! a\nuse std::fs;\n";
        check("crates/mapping/src/disk.rs", text, &[]);
        check(
            "crates/dispatcher/src/a.rs",
            text,
            &["crates/dispatcher/src/a.rs:2"],
        );
    }

    #[test]
    fn comments_and_tests_are_no_code() {
        let text = "//! Unlike std::fs it asks nobody.\n// Instant::now\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        check("crates/engine/src/a.rs", text, &[]);
        check("crates/engine/src/a/tests/b.rs", CLOCK, &[]);
    }
}
