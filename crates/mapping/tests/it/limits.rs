//! Houses that are too large, and files that are no files: an error that says why, and an end.

use std::{fmt::Write as _, path::Path, process::Command};

use mapping::{Loaded, Severity, load, load_texts, render};

fn codes(loaded: &Loaded) -> Vec<&'static str> {
    loaded.diagnostics.iter().map(|found| found.code).collect()
}

/// The errors of a house of one file, and all that is said of it.
fn said(mapping: &str) -> (Vec<&'static str>, String) {
    let loaded = load_texts([("mapping.toml", mapping)]);
    let said = render(&loaded.sources, &loaded.diagnostics, false);
    assert!(said.len() < 1_000_000, "{} bytes", said.len());
    assert!(loaded.program.is_none() || !loaded.has_errors());
    let errors = loaded.diagnostics.iter();
    let errors = errors.filter(|found| found.severity == Severity::Error);
    (errors.map(|found| found.code).collect(), said)
}

/// `count` lamps, and a group `all` of all of them.
fn lamps(count: u32) -> String {
    let mut text = String::from("format = 1\n");
    let mut members = Vec::new();
    for at in 1..=count {
        let _ = writeln!(
            text,
            "[device.d{at}]\nid = {at}\nio.lamp = {{ kind = \"dimmer\" }}"
        );
        members.push(format!("\"d{at}\""));
    }
    let _ = writeln!(text, "[group]\nall = [{}]", members.join(", "));
    text
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let large = "# ".repeat(2_000_001);
    let loaded = load_texts([
        ("mapping.toml", "include = [\"large.toml\"]"),
        ("large.toml", &large),
    ]);
    assert_eq!(codes(&loaded), ["file-too-large"]);
    assert_eq!(
        loaded.diagnostics[0].message,
        "`large.toml` is larger than 4 MB"
    );
}

/// Files that are all included.
fn house(files: impl Iterator<Item = String>) -> Loaded {
    let files = files
        .enumerate()
        .map(|(at, text)| (format!("{at}.toml"), text));
    let mapping = (
        "mapping.toml".to_owned(),
        "include = [\"*.toml\"]".to_owned(),
    );
    load_texts(files.chain([mapping]))
}

#[test]
fn a_file_holds_so_much_and_no_more() {
    for (mapping, expected) in [
        ("a = 1\n".repeat(200_000), "1,000,000 words and signs"),
        ("=".repeat(1_000_001), "1,000,000 words and signs"),
        ("\n".repeat(1_000_001), "1,000,000 words and signs"),
        ("a.b = 1\n".repeat(100_001), "100,000 tables"),
        ("a = {}\n".repeat(100_001), "100,000 tables"),
        ("[a]\n".repeat(100_001), "100,000 tables"),
    ] {
        let (codes, said) = said(&mapping);
        assert_eq!(codes, ["file-too-large"], "{said}");
        assert!(said.contains(&format!("more than {expected}")), "{said}");
    }
}

#[test]
fn a_house_holds_so_much_and_no_more() {
    for (count, text, expected) in [
        (11, format!("#{}", "x".repeat(3_000_000)), "32 MB of text"),
        (5, "\n".repeat(900_000), "4,000,000 words and signs"),
        (4, "[a]\n".repeat(90_000), "320,000 tables"),
    ] {
        let loaded = house((0..count).map(|_| text.clone()));
        let mut found = loaded.diagnostics.iter();
        let found = found.find(|found| found.code == "house-too-large");
        let message = found.map(|found| found.message.as_str());
        assert_eq!(
            message,
            Some(format!("a house has at most {expected}").as_str())
        );
    }
    let loaded = house((0..1_001).map(|_| String::new()));
    assert_eq!(codes(&loaded), ["house-too-large"]);
}

#[test]
fn a_million_rules_are_an_error_and_ten_thousand_are_a_house() {
    let rules = |count: u32| {
        let mut text = lamps(1);
        for at in 0..count {
            let _ = writeln!(text, "[rule.r{at}]\nwhen=\"d1.online\"\ndo=\"d1.lamp.on\"");
        }
        text
    };
    let (found, _) = said(&rules(1_000_000));
    assert_eq!(found, ["file-too-large"]);
    // Each of these files is small enough by itself.
    let mapping = (
        "mapping.toml".to_owned(),
        "include = [\"rules/*.toml\"]".to_owned(),
    );
    let files = (0..100).map(|at| (format!("rules/{at}.toml"), rules(10_000)));
    let loaded = load_texts(files.chain([mapping]));
    assert!(codes(&loaded).contains(&"house-too-large"));
    assert!(loaded.program.is_none());
    let loaded = load_texts([("mapping.toml", rules(10_000))]);
    assert_eq!(loaded.program.expect("it checks").rules.len(), 10_000);
}

#[test]
fn a_short_line_that_stands_for_too_much_is_an_error_where_it_gets_too_much() {
    let rules = |when: &str, act: &str| {
        let mut text = lamps(2_000);
        for at in 0..200 {
            let _ = writeln!(text, "[rule.r{at}]\nwhen = \"{when}\"\ndo = \"{act}\"");
        }
        text
    };
    for mapping in [
        rules("*.offline", "d1.lamp.on"),
        rules("d1.online", "all.on"),
        format!(
            "{}{}",
            lamps(2_000),
            (0..200).fold(String::new(), |mut text, at| {
                let _ = writeln!(text, "g{at} = [\"all\"]");
                text
            })
        ),
    ] {
        let (codes, said) = said(&mapping);
        assert_eq!(codes, ["house-too-large"], "{said}");
        assert!(said.contains("more than 300000"), "{said}");
        assert!(said.contains("use smaller groups"), "{said}");
    }
}

#[test]
fn deep_nesting_is_an_error() {
    for mapping in [
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{ a = ".repeat(50_000)),
        format!("{} = 1", vec!["a"; 50_000].join(".")),
        format!("[{}]", vec!["a"; 50_000].join(".")),
        format!("{}a = 1", "[a]\n".repeat(1_000)),
    ] {
        let (codes, _) = said(&mapping);
        assert!(!codes.is_empty());
    }
}

#[test]
fn deep_nesting_of_an_expression_is_an_error_where_it_stands() {
    let deep = |open: &str, close: &str, count: usize| {
        format!("{}true{}", open.repeat(count), close.repeat(count))
    };
    for (count, expected) in [
        (60, None),
        (80, Some("64")),
        (100_000, Some("more than 1000")),
    ] {
        for (open, close) in [("(", ")"), ("!", ""), ("true?true:", ""), ("abs(", ")")] {
            let condition = deep(open, close, count);
            for rule in [
                format!("when = \"d1.online\"\nif = \"{condition}\"\ndo = \"d1.lamp.on\""),
                format!("when = {{ holds = \"{condition}\" }}\ndo = \"d1.lamp.on\""),
                format!(
                    "when = \"d1.online\"\ndo = {{ notify = \"all\", text = \"${{{condition}}}\" }}"
                ),
                format!(
                    "when = \"d1.online\"\ndo = {{ set = \"d1.lamp\", on = \"${{{condition}}}\" }}"
                ),
            ] {
                let (codes, said) = said(&format!("{}[rule.r]\n{rule}\n", lamps(1)));
                if let Some(expected) = expected {
                    assert_eq!(codes.len(), 1, "{count} {open}: {said}");
                    assert!(said.contains(expected), "{count} {open}: {said}");
                }
            }
        }
    }
}

#[test]
fn what_is_wrong_a_thousand_times_is_told_a_thousand_times() {
    let mut text = lamps(1);
    for at in 0..2_000 {
        let _ = writeln!(
            text,
            "[rule.r{at}]\nwhen = \"d1.onlin\"\ndo = \"d1.lamp.onn\""
        );
    }
    // An error that comes after all that is shown still keeps the house out.
    let loaded = load_texts([("mapping.toml", &text)]);
    assert!(loaded.program.is_none());
    assert_eq!(loaded.diagnostics.len(), 1_001);
    let last = loaded.diagnostics.last().expect("there are some");
    assert_eq!(
        (last.code, last.severity),
        ("too-many-problems", Severity::Error)
    );
    assert_eq!(
        last.message,
        "there are more than 1000 problems; the rest is not told"
    );
}

#[test]
fn what_is_wrong_in_a_line_that_nobody_reads_is_told_with_its_place() {
    let line = format!("a = '{}', =\n", "ä".repeat(100_000));
    let (codes, said) = said(&format!("format = 1\n{line}"));
    assert_eq!(codes, ["syntax"], "{said}");
    assert!(said.contains("mapping.toml:2:"), "{said}");
    assert!(said.len() < 2_000, "{} bytes", said.len());
}

#[test]
fn a_long_way_of_includes_is_an_error_and_a_circle_is_another() {
    let chain = (0..500).map(|at| {
        (
            format!("{at}.toml"),
            format!("include = [\"{}.toml\"]", at + 1),
        )
    });
    let mapping = (
        "mapping.toml".to_owned(),
        "include = [\"0.toml\"]".to_owned(),
    );
    assert_eq!(
        codes(&load_texts(chain.chain([mapping]))),
        ["include-too-deep"]
    );
    let circle = load_texts([
        ("mapping.toml", "include = [\"a.toml\"]"),
        ("a.toml", "include = [\"b.toml\"]"),
        (
            "b.toml",
            "include = [\"mapping.toml\", \"a.toml\", \"*.toml\"]",
        ),
    ]);
    assert_eq!(codes(&circle), ["include-cycle", "include-cycle"]);
}

#[test]
fn each_file_that_includes_all_files_lists_them_once() {
    let house = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(house.path().join("mapping.toml"), "include = [\"*.toml\"]")
        .expect("a file for the test");
    for at in 0..600 {
        std::fs::write(
            house.path().join(format!("{at}.toml")),
            "include = [\"*.toml\"]",
        )
        .expect("a file for the test");
    }
    // Listed for each of them, this would come across more entries than may be.
    let loaded = load(house.path());
    assert!(
        loaded
            .diagnostics
            .iter()
            .all(|found| found.code == "include-too-deep")
    );
}

fn house_with(name: &str, make: impl FnOnce(&Path)) -> Loaded {
    let house = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(
        house.path().join("mapping.toml"),
        "include = [\"rules*.toml\"]",
    )
    .expect("a file for the test");
    let path = house.path().join(name);
    std::fs::remove_file(&path).unwrap_or_default();
    make(&path);
    load(house.path())
}

#[test]
fn a_pipe_is_no_file_of_a_house() {
    let mkfifo = |path: &Path| {
        let made = Command::new("mkfifo").arg(path).status();
        assert!(made.expect("mkfifo is everywhere").success());
    };
    for name in ["rules.toml", "mapping.toml", "house.test.toml"] {
        let loaded = house_with(name, mkfifo);
        let found: Vec<&str> = loaded
            .diagnostics
            .iter()
            .map(|found| &*found.message)
            .collect();
        let expected = format!("`{name}` is a named pipe, not a file");
        assert!(found.contains(&&*expected), "{found:?}");
        assert!(loaded.has_errors());
    }
}

#[test]
fn a_change_of_anything_that_was_read_shows() {
    let house = tempfile::tempdir().expect("a folder for the test");
    let path = |name: &str| house.path().join(name);
    let write =
        |name: &str, text: &str| std::fs::write(path(name), text).expect("a file for the test");
    write(
        "mapping.toml",
        "include = [\"rules/*.toml\", \"late.toml\"]",
    );
    std::fs::create_dir(path("one")).expect("a folder for the test");
    std::fs::create_dir(path("two")).expect("a folder for the test");
    write("one/a.toml", "");
    write("two/a.toml", "");
    let link = |to: &str| {
        std::os::unix::fs::symlink(to, path("new")).expect("a link for the test");
        std::fs::rename(path("new"), path("rules")).expect("it can be renamed");
    };
    link("one");
    let mut before = load(house.path()).reads;
    assert_eq!(before, before.now());
    let mut shows = |what: &str| {
        let now = before.now();
        assert_ne!(before, now, "{what}");
        before = now;
    };
    write("one/a.toml", "# longer");
    shows("a file that is written");
    link("two");
    shows("a folder behind a link");
    write("late.toml", "");
    shows("a file that was missing");
    write("two/b.toml", "");
    shows("a file that a pattern stands for now");
    std::fs::rename(path("two/b.toml"), path("two/b")).expect("it can be renamed");
    shows("a file that a pattern no longer stands for");
    write("mine.test.toml", "");
    shows("a test");
    write("late.new", "");
    std::fs::rename(path("late.new"), path("late.toml")).expect("it can be renamed");
    shows("a file that another one took the place of");
    write("note.txt", "");
    assert_eq!(before, before.now(), "what is not read doesn't matter");
}

#[test]
fn a_circle_of_many_old_names_is_told_with_some_of_them() {
    let mut text = String::from("format = 1\n[renamed]\n");
    for at in 0..20_000 {
        let _ = writeln!(text, "\"var.x{at}\" = \"var.x{}\"", (at + 1) % 20_000);
    }
    let (errors, said) = said(&text);
    assert_eq!(errors, ["renamed-in-circle"]);
    assert!(
        said.contains("`var.x7` > 19992 more would be called `var.x0` again"),
        "{said}"
    );
}

#[test]
fn of_many_lines_that_lead_nowhere_as_many_are_told_as_of_other_mistakes() {
    let mut text = String::from("format = 1\n[var]\n");
    for at in 0..2_000 {
        let _ = writeln!(text, "n{at} = {{ kind = \"bool\" }}");
    }
    text += "[renamed]\n";
    for at in 0..20_000 {
        let _ = writeln!(text, "\"var.x{at}\" = \"var.y{at}\"");
    }
    let (errors, _) = said(&text);
    assert_eq!(errors, ["too-many-problems"]);
}
