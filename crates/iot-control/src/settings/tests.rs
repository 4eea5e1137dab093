//! Settings as people write them, right and wrong.

use std::collections::BTreeMap;

use super::{keys::KEYS, *};

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| (format!("{PREFIX}{key}"), (*value).to_owned()))
        .collect()
}

/// What is said about a file and variables.
fn wrong(text: &str, variables: &[(&str, &str)]) -> String {
    Settings::parse("settings.toml", text, &environment(variables))
        .expect_err("something is wrong")
        .to_string()
}

fn read(text: &str, variables: &[(&str, &str)]) -> Settings {
    Settings::parse("settings.toml", text, &environment(variables))
        .unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// Each key with a value that is not its default, as the file has it and as a variable has it.
const VALUES: &[(&str, &str, &str)] = &[
    ("state", "\"/srv/house\"", "/srv/house"),
    ("stream", "\"off\"", "off"),
    (
        "mqtt.listen",
        "[\"127.0.0.1:1999\", \"[::1]:2000\"]",
        "127.0.0.1:1999, [::1]:2000",
    ),
    ("mqtt.anonymous", "\"loopback\"", "loopback"),
    ("mqtt.connections_max", "7", "7"),
    ("mqtt.address_connections_per_s_max", "8", "8"),
    ("mqtt.packet_bytes_max", "4_096", "4_096"),
    ("mqtt.client_messages_per_s_max", "9", "9"),
    ("engine.fuse", "10", "10"),
    ("journal.sync_s", "11", "11"),
    ("journal.keep_days", "12", "12"),
    ("journal.size_mib_max", "0xD", "13"),
    ("presence.reports_missed_max", "0", "0"),
    ("presence.silence_max.hall_sensor", "\"26h\"", "26h"),
    ("reload.watch", "false", "false"),
];

#[test]
fn every_key_can_be_set_in_the_file_and_by_a_variable() {
    let known: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
    let tested = VALUES
        .iter()
        .map(|(path, ..)| path.replace(".hall_sensor", ".*"));
    assert_eq!(tested.collect::<Vec<_>>(), known);
    for (path, in_file, in_variable) in VALUES {
        let from_file = read(&format!("{path} = {in_file}\n"), &[]);
        let variable = path.to_uppercase().replace('.', "__");
        let from_variable = read("", &[(&variable, in_variable)]);
        assert_eq!(from_file, from_variable, "{path}");
        assert_ne!(from_file, Settings::default(), "{path}");
    }
    let sections: String = VALUES
        .iter()
        .map(|(path, in_file, _)| format!("{path} = {in_file}\n"))
        .collect();
    assert_eq!(read(&sections, &[]).journal.size_mib_max, 13);
}

#[test]
fn the_documentation_has_every_key_and_no_other() {
    let text = include_str!("../../../../docs/settings.md");
    let documented = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let known = KEYS.iter().map(|key| key.path.replace('*', "NAME"));
    assert_eq!(documented.collect::<Vec<_>>(), known.collect::<Vec<_>>());
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "[mqtt]\nlisten = [\"127.0.0.1:1999\"]\n";
    let settings = read(text, &[("MQTT__LISTEN", "127.0.0.1:0, [::1]:0")]);
    assert_eq!(settings.mqtt.listen.len(), 2);
    assert_eq!(settings.mqtt.listen[0].port(), 0);
    assert_eq!(settings.journal.keep_days.get(), 14);
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_was_meant() {
    for (text, expected) in [
        (
            "[mqtt]\nlistn = []\n",
            "settings.toml:2:1: there is no setting `mqtt.listn`; did you mean `listen`?",
        ),
        (
            "[mqtt]\n\nanonymous = \"everybody\"\n",
            "settings.toml:3:13: `mqtt.anonymous` takes 'never' or 'loopback', not 'everybody'",
        ),
        (
            "[jornal]\nsync_s = 1\n",
            "settings.toml:1:2: there is no setting `jornal`; did you mean `journal`?",
        ),
        (
            "keep_days = 3\n",
            "settings.toml:1:1: there is no setting `keep_days`; did you mean `journal.keep_days`?",
        ),
        (
            "journal = 3\n",
            "settings.toml:1:1: `journal` is a section: write [journal], and its keys below",
        ),
        (
            "journal.keep_days = 0\n",
            "settings.toml:1:21: `journal.keep_days` takes a whole number from 1 to 36500, not '0'",
        ),
        (
            "journal.keep_days = -1\n",
            "settings.toml:1:21: `journal.keep_days` takes a whole number from 1 to 36500, not '-1'",
        ),
        (
            "mqtt.listen = \"0.0.0.0:1883\"\n",
            "settings.toml:1:15: `mqtt.listen` takes addresses with a port, as in [\"0.0.0.0:1883\", \"[::]:1883\"], \
             not '0.0.0.0:1883'",
        ),
        (
            "mqtt.listen = [\"localhost\"]\n",
            "settings.toml:1:15: `mqtt.listen` takes addresses with a port, as in [\"0.0.0.0:1883\", \"[::]:1883\"], \
             not 'localhost'",
        ),
        (
            "reload.watch = \"yes\"\n",
            "settings.toml:1:16: `reload.watch` takes true or false, not 'yes'",
        ),
        (
            "[presence.silence_max]\nhall = 3\n",
            "settings.toml:2:8: `presence.silence_max.hall` takes a span of time, such as \"90s\", \"5m\", \"26h\" or \
             \"2d\", not '3'",
        ),
        (
            "presence.silence_max.hall = \"0s\"\n",
            "settings.toml:1:29: `presence.silence_max.hall` takes at least 1 s and at most 31536000 s, not '0s'",
        ),
        (
            "presence.silence_max.Hall = \"1m\"\n",
            "settings.toml:1:22: `presence.silence_max.Hall`: a name has small letters, digits and '_', and begins with \
             a letter",
        ),
        (
            "[reload.watch]\nx = 1\n",
            "settings.toml:1:1: `reload.watch` takes true or false, not a table",
        ),
    ] {
        assert_eq!(wrong(text, &[]), expected, "{text}");
    }
    for (key, value, expected) in [
        (
            "MQTT__LISTN",
            "x",
            "environment variable IOT_CONTROL__MQTT__LISTN: there is no such setting; did you mean \
             IOT_CONTROL__MQTT__LISTEN?",
        ),
        (
            "MQTT__CONNECTIONS_MAX",
            "many",
            "environment variable IOT_CONTROL__MQTT__CONNECTIONS_MAX: takes a whole number from 1 to 1000000, not 'many'",
        ),
        (
            "",
            "x",
            "environment variable IOT_CONTROL__: there is no such setting",
        ),
        (
            "PRESENCE__SILENCE_MAX__9",
            "1m",
            "environment variable IOT_CONTROL__PRESENCE__SILENCE_MAX__9: there is no such setting; did you mean \
             IOT_CONTROL__PRESENCE__SILENCE_MAX__NAME?",
        ),
        (
            "PRESENCE__SILENCE_MAX__HALL__LAMP",
            "1m",
            "environment variable IOT_CONTROL__PRESENCE__SILENCE_MAX__HALL__LAMP: there is no such setting; did you mean \
             IOT_CONTROL__PRESENCE__SILENCE_MAX__NAME?",
        ),
    ] {
        assert_eq!(wrong("", &[(key, value)]), expected, "{key}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = "stream = 1\n[mqtt]\nlistn = []\nanonymous = 2\n[engine\n";
    let said = wrong(text, &[("X", "1")]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 5, "{said}");
    for (line, place) in lines.iter().zip([":1:", ":3:", ":4:", ":5:", "__X:"]) {
        assert!(line.contains(place), "{place} in {said}");
    }
}

#[test]
fn what_people_type_never_panics() {
    let nul = "mqtt.listen = [\"\\u0000\"]\n\u{0}";
    for text in [
        nul,
        "=",
        "[[mqtt]]\nlisten = 1",
        "\u{feff}stream = \"on\"",
        "[mqtt",
        "a.b.c = {}",
    ] {
        let _ = Settings::parse("settings.toml", text, &BTreeMap::new());
    }
    for value in ["", "\0", "99999999999999999999", "-", "ü", "1,,2"] {
        for (path, ..) in VALUES {
            let variable = path.to_uppercase().replace('.', "__");
            let _ = Settings::parse("", "", &environment(&[(&variable, value)]));
        }
    }
}
