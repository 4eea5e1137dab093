//! Announcements as they were recorded or are documented, and hostile ones.
//!
//! Sources of the fixtures, of which only what is read here was kept: Zigbee2MQTT 1.30 and 2.13 as users recorded
//! `bridge/devices`, with the exposes of <https://www.zigbee2mqtt.io/supported-devices/>; Tasmota 11 to 15 as recorded in
//! <https://github.com/arendst/Tasmota/issues/9267> and in tests of programs that read it; Homie: the demo device of node-homie, the
//! kitchen light and the bridge's child of the convention, and its profiles; Home Assistant: the examples of
//! <https://www.home-assistant.io/integrations/mqtt/>, and ESPHome 2023.10 and 2025.2.

use mapping::Program;

use super::*;

/// `topic payload` a line.
fn messages(text: &str) -> Vec<Announcement> {
    let rows = text.lines().filter_map(|line| line.split_once(' '));
    rows.map(|(topic, payload)| announcement(topic, payload.as_bytes()))
        .collect()
}

fn announcement(topic: &str, payload: &[u8]) -> Announcement {
    Announcement {
        topic: topic.to_owned(),
        payload: payload.to_vec(),
    }
}

fn house(text: &str) -> Program {
    let loaded = mapping::load_texts([("mapping.toml", text)]);
    let said = mapping::render(&loaded.sources, &loaded.diagnostics, false);
    let program = loaded.program.unwrap_or_else(|| panic!("{said}"));
    std::sync::Arc::unwrap_or_clone(program)
}

fn of(source: Source, program: &Program, messages: &[Announcement]) -> Discovered {
    discover(program, &BTreeSet::new(), &[source], messages)
}

/// All that a person would see.
fn shown(found: &Discovered) -> String {
    let devices = found.devices.iter().map(NewDevice::text);
    let mut text = devices.collect::<Vec<_>>().join("\n");
    for note in &found.notes {
        text.push_str(&format!("\n-- {note}"));
    }
    text.push('\n');
    text
}

fn check(source: Source, fixture: &str, file: &str) {
    let found = of(source, &Program::default(), &messages(fixture));
    let came = shown(&found);
    let path = format!(
        "{}/src/discover/fixtures/{file}.out",
        env!("CARGO_MANIFEST_DIR")
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &came).expect("the fixture is there");
    }
    let approved = std::fs::read_to_string(&path).expect("the fixture is there");
    assert_eq!(
        came, approved,
        "{file}: UPDATE_GOLDEN=1 writes what is said now"
    );
    let whole: Vec<String> = found.devices.iter().map(NewDevice::text).collect();
    let program = house(&format!("allow = [\"device-unused\"]\n{}", whole.concat()));
    assert_eq!(program.devices.len(), found.devices.len());
    // A second time there is nothing new.
    let again = of(source, &program, &messages(fixture));
    assert_eq!(again.devices, [], "{file}");
    assert_eq!(again.known.len(), found.devices.len(), "{file}");
}

#[test]
fn zigbee_devices_get_the_kinds_that_they_expose() {
    check(
        Source::Zigbee2mqtt,
        include_str!("fixtures/zigbee2mqtt.txt"),
        "zigbee2mqtt",
    );
}

#[test]
fn tasmota_devices_get_their_relays_buttons_and_sensors() {
    check(
        Source::Tasmota,
        include_str!("fixtures/tasmota.txt"),
        "tasmota",
    );
}

#[test]
fn homie_devices_get_the_channels_that_they_describe() {
    check(Source::Homie, include_str!("fixtures/homie.txt"), "homie");
}

#[test]
fn what_tells_home_assistant_of_itself_tells_us_too() {
    check(
        Source::Homeassistant,
        include_str!("fixtures/homeassistant.txt"),
        "homeassistant",
    );
}

#[test]
fn a_device_that_the_house_has_is_known_by_its_topics_too() {
    let program = house(
        "[device.bath]\nid = 7\nmqtt = { state = \"zigbee2mqtt/klima_bad\" }\nio.temp = { kind = \"temperature\", from = \"temperature\" }\n",
    );
    let found = of(
        Source::Zigbee2mqtt,
        &program,
        &messages(include_str!("fixtures/zigbee2mqtt.txt")),
    );
    assert_eq!(found.known, BTreeSet::from(["bath".to_owned()]));
    assert!(
        found
            .devices
            .iter()
            .all(|device| device.name != "klima_bad")
    );
    let ids: Vec<_> = found
        .devices
        .iter()
        .filter_map(|device| device.table.field("id").cloned())
        .collect();
    assert_eq!(ids[..2], [Model::Int(8), Model::Int(9)]);
}

/// What came of a hostile list of Zigbee2MQTT: devices, and the note of which a part is this.
fn hostile(payload: &str) -> Discovered {
    of(
        Source::Zigbee2mqtt,
        &Program::default(),
        &[announcement(
            "zigbee2mqtt/bridge/devices",
            payload.as_bytes(),
        )],
    )
}

fn check_note(payload: &str, expected: &str) {
    let found = hostile(payload);
    let short: String = payload.chars().take(60).collect();
    assert_eq!(found.devices, [], "{short}");
    assert!(
        found.notes.iter().any(|note| note.contains(expected)),
        "{short}: {:?}",
        found.notes
    );
}

fn plug(name: &str) -> String {
    let name = serde_json::Value::from(name);
    format!(
        r#"{{"type":"Router","friendly_name":{name},"definition":{{"model":"m","vendor":"v","exposes":[{{"type":"switch","features":[{{"name":"state","property":"state"}}]}}]}}}}"#
    )
}

#[test]
fn what_is_too_large_too_deep_or_no_list_is_said_and_left_out() {
    check_note(
        &format!("[\"{}\"]", "x".repeat(10 << 20)),
        "10 MB are more than an announcement may have",
    );
    check_note(&"[".repeat(100_000), "is no JSON that can be read");
    check_note("{\"devices\":[]}", "is no list of devices");
    check_note("[1, null, [], {}]", "without `friendly_name`");
    check_note("not at all", "is no JSON that can be read");
    check_note(
        &format!("[{}]", plug("a/+/#")),
        "left out, a device's topic can't hold the wildcards",
    );
    check_note(
        &format!("[{}]", plug("a\nuser piano\ntopic readwrite iot")),
        "left out, a device's topic can't hold control characters",
    );
    check_note(
        r#"[{"friendly_name":"x","definition":{"exposes":{"a":1}}}]"#,
        "nothing of it can be imported",
    );
    let deep = format!(
        "[{{\"friendly_name\":\"x\",\"definition\":{{\"exposes\":{}{}}}}}]",
        "[".repeat(120),
        "]".repeat(120)
    );
    check_note(&deep, "nothing of it can be imported");
}

#[test]
fn odd_names_make_no_broken_file() {
    let names = [
        "a\nb = 1",
        "\u{1b}[31mred",
        "x\"] [device.y]",
        "'''",
        "\u{202e}right",
        "\u{0}",
        "# no",
        "",
        "a",
        "a",
        "A",
    ];
    let list: Vec<String> = names.iter().map(|name| plug(name)).collect();
    let found = hostile(&format!("[{}]", list.join(",")));
    let text: Vec<String> = found.devices.iter().map(NewDevice::text).collect();
    let text = text.concat();
    let controls = |c: char| c.is_control() && c != '\n';
    assert!(
        !text.contains(controls) && !text.contains('\u{202e}'),
        "{text:?}"
    );
    let program = house(&format!("allow = [\"device-unused\"]\n{text}"));
    assert_eq!(program.devices.len(), found.devices.len());
    let twice = found
        .notes
        .iter()
        .filter(|note| note.contains("announced twice"));
    assert_eq!(twice.count(), 1, "{:?}", found.notes);
    assert!(
        program.device("a").is_some() && program.device("a_2").is_some(),
        "{text}"
    );
}

#[test]
fn a_flood_of_devices_and_channels_is_cut() {
    let list: Vec<String> = (0..1_500)
        .map(|number| plug(&format!("d{number}")))
        .collect();
    let found = hostile(&format!("[{}]", list.join(",")));
    assert_eq!(found.devices.len(), DEVICES_MAX);
    assert_eq!(
        found.notes,
        ["more than 1000 devices announce themselves; the rest is left out"]
    );
    let words: Vec<String> = (0..500).map(|number| format!("\"w{number}\"")).collect();
    let remote = format!(
        r#"[{{"friendly_name":"r","definition":{{"exposes":[{{"type":"enum","name":"action","values":[{}]}}]}}}}]"#,
        words.join(",")
    );
    let found = hostile(&remote);
    assert!(
        found.devices[0]
            .text()
            .contains("# 452 more channels are left out")
    );
}

#[test]
fn the_words_of_a_remote_are_gestures_of_its_keys() {
    for (word, expected) in [
        ("single", Some(("click", ""))),
        ("1_double", Some(("double", "1"))),
        ("single_left", Some(("click", "left"))),
        ("arrow_left_hold", Some(("long", "arrow_left"))),
        ("long-press", Some(("long", ""))),
        ("double-press", Some(("double", ""))),
        ("double_click", Some(("double", ""))),
        ("on", None),
        ("brightness_move_up", None),
        ("pressure", None),
    ] {
        assert_eq!(gesture(word), expected, "{word}");
    }
}
