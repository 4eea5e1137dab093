//! Long-term history: what is written down of the journal, and read with what is not written down yet.

use replay::Series;
use store::{Change, Chronicle};
use types::{InputNo, Now, UnixTime, Value};

use crate::home::{Home, evening, piano_house, renamed};

const ALL: (UnixTime, UnixTime) = (UnixTime(i64::MIN), UnixTime(i64::MAX));

fn chronicle(home: &mut Home, after: InputNo) -> Chronicle {
    home.snapshot();
    let found = home.history().chronicle(after).unwrap();
    found.expect("there is something to write")
}

fn rows(chronicle: &Chronicle, channel: &str) -> Vec<String> {
    let changes = chronicle.changes.iter();
    let of_channel = changes.filter(|change| change.thing.path() == channel);
    of_channel
        .map(|change| format!("{}={:?}", change.field, change.value))
        .collect()
}

fn told(series: &[Series]) -> Vec<String> {
    let changes = |series: &Series| {
        let path = series.path.clone();
        let tell = move |(_, value): &(UnixTime, Value)| format!("{path}={value}");
        series.changes.iter().map(tell).collect::<Vec<_>>()
    };
    series.iter().flat_map(changes).collect()
}

#[test]
fn a_number_has_a_row_a_minute_and_anything_else_each_of_its_changes() {
    let mut home = Home::new(&piano_house());
    for temp in ["20", "20.5", "21"] {
        home.says("living", "temp/state", temp);
        home.pass(5);
    }
    home.pass(60);
    home.says("living", "temp/state", "21");
    home.pass(60);
    home.says("living", "temp/state", "22");
    for on in ["true", "false", "true"] {
        home.says("hall", "lamp/state", &format!(r#"{{"on":{on}}}"#));
    }
    let written = chronicle(&mut home, InputNo(0));
    assert_eq!(written.up_to, home.last);
    assert_eq!(
        rows(&written, "living.temp"),
        [
            "temperature=Some(Number(21.0))",
            "temperature=Some(Number(22.0))"
        ]
    );
    assert_eq!(
        rows(&written, "hall.lamp"),
        [
            "on=Some(Bool(true))",
            "on=Some(Bool(false))",
            "on=Some(Bool(true))"
        ]
    );
    assert_eq!(home.history().chronicle(home.last).unwrap(), None);
}

#[test]
fn stretch_after_stretch_comes_to_what_all_at_once_does() {
    let mut home = Home::new(&piano_house());
    let mut pieces: Vec<Change> = Vec::new();
    let mut up_to = InputNo(0);
    for round in 0..6_u32 {
        home.says("living", "temp/state", &(20 + round / 2).to_string());
        home.motion();
        home.pass(120);
        let piece = chronicle(&mut home, up_to);
        up_to = piece.up_to;
        pieces.extend(piece.changes);
    }
    assert_eq!(pieces, chronicle(&mut home, InputNo(0)).changes);
    assert!(pieces.len() > 3, "{pieces:?}");
}

#[test]
fn inputs_that_were_never_kept_do_not_hold_up_what_follows() {
    let mut home = Home::new(&piano_house());
    home.last = InputNo(home.last.0 + 250_000);
    home.snapshot();
    home.says("living", "temp/state", "20");
    home.pass(120);
    home.snapshot();
    let (mut up_to, mut changes) = (InputNo(0), Vec::new());
    while let Some(piece) = home.history().chronicle(up_to).unwrap() {
        assert!(piece.up_to > up_to);
        up_to = piece.up_to;
        changes.extend(piece.changes);
    }
    assert_eq!(up_to, home.last);
    assert!(
        changes
            .iter()
            .any(|change| change.thing.path() == "living.temp")
    );
}

#[test]
fn devices_are_counted_by_what_they_did() {
    let mut home = Home::new(&piano_house());
    home.disconnect("hall");
    home.pass(1);
    home.connect("hall");
    home.says("hall", "lux/state", "dark");
    let written = chronicle(&mut home, InputNo(0));
    let hall = written.devices.iter().find(|device| device.name == "hall");
    let counters = &hall.expect("it was there").counters;
    assert_eq!(counters.get("came"), Some(&2), "{counters:?}");
    assert_eq!(counters.get("refused"), Some(&1), "{counters:?}");
}

#[test]
fn a_virtual_device_without_a_number_takes_no_other_one_s_row() {
    let mut files = piano_house();
    let devices = ["id = 90\n", "", ""]
        .map(|id| format!("{id}virtual = true\nio.on = {{ kind = \"switch\" }}\n"));
    for (name, device) in ["party", "mode", "guests"].iter().zip(devices) {
        let device = format!("\n[device.{name}]\n{device}");
        files.get_mut("devices.toml").unwrap().push_str(&device);
    }
    let mut home = Home::new(&files);
    for name in ["party", "mode", "guests"] {
        home.says(name, "on/state", "on");
    }
    let written = chronicle(&mut home, InputNo(0));
    let names: Vec<&str> = written.devices.iter().map(|device| &*device.name).collect();
    assert!(names.contains(&"party"), "{names:?}");
    assert!(
        written.devices.iter().all(|device| device.id.0 != 0),
        "{names:?}"
    );
}

#[test]
fn a_series_goes_on_where_what_is_written_ends() {
    let mut home = Home::new(&piano_house());
    home.says("living", "temp/state", "20");
    home.pass(120);
    let written = chronicle(&mut home, InputNo(0));
    home.write_history(written);
    home.says("living", "temp/state", "21");
    home.pass(120);
    let before_the_last = home.now.wall;
    home.says("living", "temp/state", "22");
    let history = home.history();
    let series = history.series("living.temp", ALL.0, ALL.1).unwrap();
    let expected = ["living.temp=20", "living.temp=21", "living.temp=22"];
    assert_eq!(told(&series), expected);
    let series = history.series("living.temp.temperature", ALL.0, before_the_last);
    assert_eq!(told(&series.unwrap()), expected[..2]);
    let unknown = history.series("living.tmp", ALL.0, ALL.1).unwrap_err();
    assert!(unknown.to_string().contains("living.temp"), "{unknown}");
}

#[test]
fn the_series_of_a_group_are_those_of_its_members() {
    let mut home = Home::new(&piano_house());
    home.says("hall", "lamp/state", r#"{"on":true}"#);
    home.says("hall", "lux/state", "10");
    home.pass(90);
    let past = home.history();
    for name in ["lights", "group.lights"] {
        let series = past.series(name, ALL.0, ALL.1).unwrap();
        assert!(series.iter().any(|series| series.path == "living.lamp.on"));
        assert_eq!(told(&series), ["hall.lamp.on=true"]);
    }
}

#[test]
fn a_new_channel_has_no_values_of_the_one_that_had_its_first_name() {
    let mut home = Home::new(&piano_house());
    home.says("hall", "lux/state", "10");
    home.pass(90);
    let written = chronicle(&mut home, InputNo(0));
    home.write_history(written);
    // The hall is a floor; what is new in its place is an attic soon.
    let floor = [("[device.hall]", "[device.floor]"), ("hall.", "floor.")];
    home.reload(&renamed(&floor));
    for name in ["hall", "attic"] {
        let mut files = renamed(&floor);
        let device = format!(
            "\n[device.{name}]\nid = 77\nboard = \"esp32-c3\"\ni2c = {{ sda = 6, scl = 7 }}\n\
             io.lux = {{ kind = \"lux\", i2c = 0x23 }}\n"
        );
        files.get_mut("devices.toml").unwrap().push_str(&device);
        home.reload(&files);
        home.connect(name);
        home.says(name, "lux/state", "20");
        home.pass(90);
    }
    let past = home.history();
    let series = |path| told(&past.series(path, ALL.0, ALL.1).unwrap());
    assert_eq!(series("attic.lux"), ["attic.lux=20"]);
    assert_eq!(series("floor.lux"), ["floor.lux=10"]);
}

#[test]
fn what_came_while_nobody_knew_the_time_is_written_down_once_it_is_known() {
    let unsynced = Now {
        synced: false,
        ..evening()
    };
    let mut home = Home::starting(&piano_house(), unsynced);
    home.says("living", "temp/state", "20");
    home.pass(60);
    home.now.synced = true;
    home.lux(10);
    home.pass(60);
    let written = chronicle(&mut home, InputNo(0));
    assert_eq!(
        rows(&written, "living.temp"),
        ["temperature=Some(Number(20.0))"]
    );
    assert_eq!(rows(&written, "hall.lux"), ["lux=Some(Number(10.0))"]);
}
