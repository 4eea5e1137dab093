//! What was taken out of the mapping and came back is the same; what only has its name is not.

use proptest::prelude::*;
use replay::{Until, trial::Summary, trial::Trial};
use types::UnixTime;

use crate::home::{Files, Home, load, piano_house};

/// The house with a bath; its variables have these names, of which the first one lets the bath's key work.
fn with_bath(vars: [&str; 2]) -> Files {
    let mut files = piano_house();
    let devices = files.get_mut("devices.toml").expect("it has one");
    let [key, other] = vars;
    *devices = devices.replace(
        "comfort = {",
        &format!(
            "{key} = {{ kind = \"bool\", start = false }}\n\
             {other} = {{ kind = \"bool\", start = false }}\ncomfort = {{"
        ),
    );
    devices.push_str(
        "\n[device.spa]\nid = 31\nio.key = { kind = \"button\" }\nio.jets = { kind = \"switch\" }\n",
    );
    let rules = files.get_mut("rules.toml").expect("it has one");
    rules.push_str(&format!(
        "\n[rule.spa]\nwhen = \"spa.key.press\"\nif = \"var.{key}\"\ndo = \"spa.jets.on\"\n\
         \n[rule.spa-off]\nwhen = \"spa.key.release\"\nif = \"var.{other}\"\ndo = \"spa.jets.off\"\n"
    ));
    files
}

fn tried(home: &mut Home, files: &Files) -> (Vec<String>, Summary) {
    tried_since(home, files, UnixTime(0))
}

fn tried_since(home: &mut Home, files: &Files, since: UnixTime) -> (Vec<String>, Summary) {
    let past = home.history();
    let mut trial = Trial::new(&past, load(files), since, Until::End).expect("it is read");
    let mut lines = Vec::new();
    while let Some(difference) = trial.next().expect("it is read") {
        lines.extend(
            difference
                .gone
                .iter()
                .map(|line| format!("- {}", line.text)),
        );
        lines.extend(difference.new.iter().map(|line| format!("+ {}", line.text)));
    }
    (lines, trial.summary().clone())
}

fn key(home: &mut Home, device: &str, event: &str) {
    home.says(device, "key/event", &format!(r#"{{"event":"{event}"}}"#));
    home.pass(2);
}

/// Other words for the same in the rules that speak of the bath's variables, so that nothing shows who these were.
fn in_other_words(mut files: Files) -> Files {
    let rules = files.get_mut("rules.toml").expect("it has one");
    for var in ["soak", "calm"] {
        let other = format!("if = \"var.{var} && (var.night || !var.night)\"");
        *rules = rules.replace(&format!("if = \"var.{var}\""), &other);
    }
    files
}

fn set(home: &mut Home, name: &str, to: bool) {
    let var = home.program.names.vars[name];
    let to = types::Value::Bool(to);
    home.take(dispatcher::Input::Var { var, to });
    home.pass(1);
}

#[test]
fn a_device_that_was_taken_out_for_a_moment_is_tried_as_the_same() {
    // Variables that the direct comparison loses, more than the device has parts.
    let house = |has_spa: bool, vars: &str, more: &str| {
        let mut files = match has_spa {
            true => with_bath(["soak", "calm"]),
            false => piano_house(),
        };
        let devices = files.get_mut("devices.toml").expect("it has one");
        let all: String = (0..8)
            .map(|at| format!("{vars}{at} = {{ kind = \"bool\", start = true }}\n"))
            .collect();
        *devices = devices.replace("comfort = {", &format!("{all}comfort = {{"));
        let rules = files.get_mut("rules.toml").expect("it has one");
        for at in 0..8 {
            rules.push_str(&format!(
                "\n[rule.more{at}]\nwhen = \"door.bell.press\"\nif = \"var.{vars}{at}{more}\"\ndo = \"desk.lamp.on\"\n"
            ));
        }
        files
    };
    let mut home = Home::new(&house(true, "is", ""));
    home.asks("anna", "iot/spa/jets/set", r#"{"on":true}"#);
    home.pass(10);
    home.reload(&house(false, "was", ""));
    home.pass(5);
    // It is back under another name.
    let mut last = house(true, "was", " && (var.night || !var.night)");
    for text in last.values_mut() {
        *text = text
            .replace("device.spa", "device.tub")
            .replace("spa.", "tub.");
    }
    home.reload(&last);
    home.connect("tub");
    home.says("door", "bell/event", r#"{"event":"press"}"#);
    home.pass(10);
    let (lines, summary) = tried(&mut home, &last);
    assert_eq!(lines, [""; 0]);
    assert!(summary.untaken.is_empty(), "{summary:?}");
    assert!(summary.same >= 2, "{summary:?}");
}

#[test]
fn names_that_were_exchanged_in_an_edit_before_another_one_are_tried_as_what_they_were() {
    let mut home = Home::new(&with_bath(["soak", "calm"]));
    set(&mut home, "soak", true);
    key(&mut home, "spa", "press");
    home.reload(&with_bath(["calm", "soak"]));
    key(&mut home, "spa", "press");
    let last = in_other_words(with_bath(["calm", "soak"]));
    home.reload(&last);
    set(&mut home, "calm", false);
    key(&mut home, "spa", "press");
    let (lines, summary) = tried(&mut home, &last);
    assert_eq!(lines, [""; 0]);
    assert!(summary.same >= 1, "{summary:?}");
}

#[test]
fn inputs_of_what_is_gone_are_not_those_of_what_bears_its_name_now() {
    let mut home = Home::new(&with_bath(["soak", "calm"]));
    set(&mut home, "soak", true);
    key(&mut home, "spa", "press");
    // Another module, and it has the name.
    let mut files = with_bath(["soak", "calm"]);
    let devices = files.get_mut("devices.toml").expect("it has one");
    *devices = devices.replace("id = 31", "id = 32");
    home.reload(&piano_house());
    home.pass(5);
    home.reload(&files);
    let (lines, summary) = tried(&mut home, &files);
    assert_eq!(lines, ["- spa.jets on=true"]);
    assert!(
        summary.untaken.contains_key("event spa.key.press"),
        "{summary:?}"
    );
}

#[test]
fn an_older_mapping_is_tried_by_way_of_the_edits_since() {
    let first = with_bath(["soak", "calm"]);
    let mut home = Home::new(&first);
    home.pass(10);
    home.reload(&with_bath(["calm", "soak"]));
    home.pass(10);
    home.reload(&in_other_words(with_bath(["calm", "soak"])));
    set(&mut home, "calm", true);
    key(&mut home, "spa", "press");
    let (lines, summary) = tried(&mut home, &first);
    assert_eq!(lines, [""; 0]);
    assert!(
        summary.untaken.is_empty() && summary.same >= 1,
        "{summary:?}"
    );
}

#[test]
fn who_is_there_is_so_in_a_trial_under_another_name_too() {
    let house = |hall: &str| {
        let mut files = piano_house();
        files.get_mut("rules.toml").expect("it has one").push_str(
            "\n[rule.ring]\nwhen = \"door.bell.press\"\nif = \"hall.online\"\ndo = \"desk.lamp.on\"\n",
        );
        for text in files.values_mut() {
            *text = text
                .replace("device.hall", &format!("device.{hall}"))
                .replace("hall.", &format!("{hall}."));
        }
        files
    };
    let mut home = Home::new(&house("hall"));
    home.snapshot();
    let since = home.now.wall;
    home.pass(10);
    home.says("door", "bell/event", r#"{"event":"press"}"#);
    home.pass(10);
    home.reload(&house("floor"));
    home.connect("floor");
    home.pass(10);
    let (lines, summary) = tried_since(&mut home, &house("floor"), since);
    assert_eq!(lines, [""; 0]);
    assert!(summary.same == 2, "{summary:?}");
}

/// What edits of a house change: each one of these at once, and its rules go along with it.
#[derive(Clone, Copy, Debug)]
struct Edition {
    has_spa: bool,
    is_tub: bool,
    is_floor: bool,
    is_exchanged: bool,
    is_in_other_words: bool,
}

impl Edition {
    const FIRST: Self = Self {
        has_spa: true,
        is_tub: false,
        is_floor: false,
        is_exchanged: false,
        is_in_other_words: false,
    };

    fn edited(mut self, edit: u8) -> Self {
        match edit {
            0 => self.has_spa = !self.has_spa,
            1 => self.is_tub = !self.is_tub,
            2 => self.is_floor = !self.is_floor,
            3 => self.is_exchanged = !self.is_exchanged,
            _ => self.is_in_other_words = !self.is_in_other_words,
        }
        self
    }

    fn spa(self) -> &'static str {
        if self.is_tub { "tub" } else { "spa" }
    }

    fn hall(self) -> &'static str {
        if self.is_floor { "floor" } else { "hall" }
    }

    /// What the variables are called that were `soak` and `calm` at first.
    fn vars(self) -> [&'static str; 2] {
        match self.is_exchanged {
            true => ["calm", "soak"],
            false => ["soak", "calm"],
        }
    }

    fn files(self) -> Files {
        let mut files = with_bath(self.vars());
        let rules = files.get_mut("rules.toml").expect("it has one");
        let [first, second] = self.vars();
        rules.push_str(&format!(
            "\n[rule.ring]\nwhen = \"door.bell.press\"\nif = \"var.{first}\"\ndo = \"desk.lamp.on\"\n\
             \n[rule.rung]\nwhen = \"door.bell.release\"\nif = \"var.{second}\"\ndo = \"desk.lamp.off\"\n"
        ));
        if self.is_in_other_words {
            files = in_other_words(files);
        }
        if !self.has_spa {
            for text in files.values_mut() {
                let parts = text.split_inclusive("\n\n");
                let is_spas = |part: &&str| part.contains("device.spa") || part.contains("spa.key");
                *text = parts.filter(|part| !is_spas(part)).collect();
            }
        }
        let names = [
            ("device.spa", format!("device.{}", self.spa())),
            ("spa.", format!("{}.", self.spa())),
            ("device.hall", format!("device.{}", self.hall())),
            ("hall.", format!("{}.", self.hall())),
        ];
        for text in files.values_mut() {
            for (old, new) in &names {
                *text = text.replace(old, new);
            }
        }
        files
    }
}

#[derive(Clone, Debug)]
enum Does {
    Piano(u32),
    Motion,
    Bell(&'static str),
    Key(&'static str),
    Var(usize, bool),
    Pass(u64),
    Edit(u8),
}

fn does() -> impl Strategy<Value = Does> {
    let event = || prop::sample::select(vec!["press", "release"]);
    prop_oneof![
        2 => prop::sample::select(vec![36_u32, 60, 80]).prop_map(Does::Piano),
        2 => Just(Does::Motion),
        2 => event().prop_map(Does::Bell),
        4 => event().prop_map(Does::Key),
        3 => (0_usize..2, any::<bool>()).prop_map(|(at, to)| Does::Var(at, to)),
        2 => (1_u64..400).prop_map(Does::Pass),
        4 => (0_u8..5).prop_map(Does::Edit),
    ]
}

/// A house through these edits, and what it was edited to last; `moments` gets when each edit was made.
fn lived(history: &[Does], moments: &mut Vec<UnixTime>) -> (Home, Edition) {
    let mut edition = Edition::FIRST;
    let mut home = Home::new(&edition.files());
    home.lux(12);
    let mut jets = false;
    home.says("spa", "jets/state", r#"{"on":false}"#);
    for step in history {
        match step {
            Does::Piano(key) => home.press(*key),
            Does::Motion => home.says(edition.hall(), "motion/event", r#"{"event":"start"}"#),
            Does::Bell(event) => {
                home.says("door", "bell/event", &format!(r#"{{"event":"{event}"}}"#));
            }
            Does::Key(event) if edition.has_spa => key(&mut home, edition.spa(), event),
            Does::Key(_) => {}
            Does::Var(at, to) => {
                let var = home.program.names.vars[edition.vars()[*at]];
                home.take(dispatcher::Input::Var {
                    var,
                    to: types::Value::Bool(*to),
                });
            }
            Does::Pass(seconds) => home.pass(*seconds),
            Does::Edit(edit) => {
                home.pass(2);
                let was = edition;
                if let Some(jets_channel) =
                    home.program.channel_by_path(&format!("{}.jets", was.spa()))
                {
                    let slot = home.program[jets_channel].slots[0];
                    let is = home.dispatcher.engine().reported(slot);
                    jets = is == Some(&types::Value::Bool(true));
                }
                edition = edition.edited(*edit);
                home.reload(&edition.files());
                moments.push(home.now.wall);
                if edition.has_spa && (!was.has_spa || was.is_tub != edition.is_tub) {
                    home.connect(edition.spa());
                    let state = format!(r#"{{"on":{jets}}}"#);
                    home.says(edition.spa(), "jets/state", &state);
                }
                if was.is_floor != edition.is_floor {
                    home.connect(edition.hall());
                }
            }
        }
        home.pass(1);
    }
    (home, edition)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_mapping_in_force_last_would_have_sent_the_same_under_all_names_before(
        history in prop::collection::vec(does(), 1..40)
    ) {
        let mut moments = Vec::new();
        let (mut home, edition) = lived(&history, &mut moments);
        let files = if edition.has_spa {
            edition.files()
        } else {
            let back = edition.edited(0).files();
            home.reload(&back);
            back
        };
        let (lines, summary) = tried(&mut home, &files);
        prop_assert!(lines.is_empty(), "{:?}", lines);
        prop_assert_eq!(summary.untaken.len(), 0, "{:?}", summary);
        if let Some(since) = moments.get(moments.len() / 2) {
            let (lines, _) = tried_since(&mut home, &files, *since);
            prop_assert!(lines.is_empty(), "since {:?}: {:?}", since, lines);
        }
    }
}
