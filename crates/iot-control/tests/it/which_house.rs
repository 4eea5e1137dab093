//! Questions about the past without `--state`: of which house they are answered, and that this is said.

use crate::harness::{House, finish, iot_control};

const HOUSE: &str = r#"
format = 1

[device.hall]
id = 1
io.lamp = { kind = "switch" }

[var]
night = { kind = "bool", keep = true }

[rule.lamp]
when = { holds = "var.night" }
do   = "hall.lamp.on"
"#;

/// A house that was there, and is killed.
fn lived() -> House {
    let house = House::new(HOUSE);
    let dispatcher = house.start();
    dispatcher.ask(&["set", "night", "true"]).ok();
    dispatcher.kill_9();
    house
}

#[test]
fn in_the_folder_of_a_house_that_one_is_asked_about_and_elsewhere_it_is_said_which() {
    let (mine, other) = (lived(), lived());
    mine.write("settings.toml", &format!("state = {:?}\n", mine.state()));
    let ask = |folder: &std::path::Path| {
        let mut command = iot_control();
        command.current_dir(folder);
        command.env("STATE_DIRECTORY", other.state());
        command.args(["why", "hall.lamp"]);
        finish(command, "").ok().stderr
    };
    let about = |house: &House| format!("this is about {}", house.folder().display());
    let here = ask(&mine.folder());
    assert!(here.contains(&about(&mine)), "{here}");
    let elsewhere = ask(std::path::Path::new("/"));
    assert!(elsewhere.contains(&about(&other)), "{elsewhere}");
}
