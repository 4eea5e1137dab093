//! One folder for each message: `tests/golden/CODE` or `CODE--VARIANT` holds a house and what is said of it.
//! `UPDATE_GOLDEN=1` writes what is said now; read it before it is committed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use mapping::{Loaded, load, render};

/// Fewer folders than this were lost by accident.
const CASES_MIN: usize = 330;

/// Fewer codes than this were overlooked.
const CODES_MIN: usize = 100;

/// Messages about what is too large for a folder, or is no part of a mapping: each is asserted where it is made up.
const MADE_UP: [(&str, &str); 5] = [
    ("blocks-nobody", "src/blocklist.rs"),
    ("file-too-large", "tests/it/limits.rs"),
    ("house-too-large", "tests/it/limits.rs"),
    ("number-of-nobody", "src/blocklist.rs"),
    ("too-many-problems", "tests/it/limits.rs"),
];

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = std::fs::read_dir(folder).expect("the fixture is there");
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the fixture is there").path())
        .collect();
    cases.sort();
    cases
}

fn code(case: &Path) -> String {
    let name = case
        .file_name()
        .expect("the fixture is there")
        .to_string_lossy()
        .into_owned();
    name.split("--")
        .next()
        .expect("the fixture is there")
        .to_owned()
}

fn codes(loaded: &Loaded) -> Vec<&'static str> {
    loaded.diagnostics.iter().map(|found| found.code).collect()
}

#[test]
fn each_message_reads_as_it_was_approved() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() >= CASES_MIN, "{} cases", cases.len());
    for case in cases {
        let loaded = load(&case);
        let code = code(&case);
        assert!(
            codes(&loaded).iter().any(|found| *found == code),
            "{}: {:?}",
            case.display(),
            codes(&loaded)
        );
        let said = render(&loaded.sources, &loaded.diagnostics, false);
        let file = case.join("expected.txt");
        if update {
            std::fs::write(&file, &said).expect("the fixture is there");
        } else if std::fs::read_to_string(&file).ok().as_ref() != Some(&said) {
            wrong.push(format!("--- {}\n{said}", case.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "these read differently now:\n{}",
        wrong.concat()
    );
}

#[test]
fn a_message_says_nothing_but_its_own_mistake() {
    for case in cases() {
        let loaded = load(&case);
        let code = code(&case);
        let others: Vec<_> = codes(&loaded)
            .into_iter()
            .filter(|found| *found != code)
            .collect();
        // Cases that show several messages at once say so by a variant's name.
        let several = case.to_string_lossy().ends_with("--with-others");
        assert!(
            several || others.is_empty(),
            "{}: {others:?}",
            case.display()
        );
    }
}

#[test]
fn each_warning_can_be_silenced_by_its_name() {
    for case in cases() {
        for found in load(&case).diagnostics {
            let mapping = format!("allow = [\"{}\"]\n", found.code);
            let allowed = mapping::load_texts([("mapping.toml", mapping)]);
            let warns = found.severity == mapping::Severity::Warning;
            assert_eq!(codes(&allowed).is_empty(), warns, "{}", found.code);
        }
    }
}

/// The codes that the sources of this crate name, each with a file that does.
fn codes_of_the_sources() -> BTreeMap<String, PathBuf> {
    let mut codes = BTreeMap::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("the sources are there").path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("the sources are there");
                codes.extend(codes_of(&text).map(|code| (code, path.clone())));
            }
        }
    }
    codes
}

/// The literals that stand where a code is expected.
fn codes_of(source: &str) -> impl Iterator<Item = String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let calls = ["error(", "warning(", "unknown(", "LINT: &str ="];
    let behind = calls.into_iter().flat_map(|call| code.split(call).skip(1));
    behind.filter_map(|rest| {
        let (code, _) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
        Some(code.to_owned())
    })
}

#[test]
fn each_code_of_the_sources_has_a_case() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shown: BTreeSet<String> = cases().iter().map(|case| code(case)).collect();
    let mut named = codes_of_the_sources();
    assert!(named.len() >= CODES_MIN, "{} codes", named.len());
    for (code, file) in MADE_UP {
        assert!(named.remove(code).is_some(), "nothing says `{code}`");
        let test = std::fs::read_to_string(crate_folder.join(file)).expect("the test is there");
        assert!(
            test.contains(&format!("\"{code}\"")),
            "{file} has no `{code}`"
        );
    }
    named.retain(|code, _| !shown.contains(code));
    assert!(named.is_empty(), "no folder shows {named:#?}");
}

#[test]
fn a_link_that_leads_out_of_the_folder_is_not_followed() {
    let outside = tempfile::tempdir().expect("the fixture is there");
    let house = tempfile::tempdir().expect("the fixture is there");
    let secret = outside.path().join("secret.toml");
    std::fs::write(&secret, "[rule.x]").expect("the fixture is there");
    std::fs::write(house.path().join("mapping.toml"), "include = [\"a.toml\"]")
        .expect("the fixture is there");
    std::os::unix::fs::symlink(&secret, house.path().join("a.toml")).expect("the fixture is there");
    assert_eq!(codes(&load(house.path())), ["outside-folder"]);
}

#[test]
fn a_folder_without_a_mapping_is_reported() {
    let house = tempfile::tempdir().expect("the fixture is there");
    let loaded = load(house.path());
    assert_eq!(codes(&loaded), ["missing-file"]);
    assert!(loaded.program.is_none());
}
