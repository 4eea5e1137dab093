//! Random houses that check, written in the ways in which people write TOML: with headers, dotted keys or
//! inline tables, either kind of quotes, comments in all places. Each name that stands somewhere goes through
//! one function, so that the same house with another name is the same text but for that name.

use std::collections::BTreeMap;

use mapping::Program;
use proptest::prelude::*;

/// Numbers that decide everything; zeros give the smallest house.
#[derive(Clone, Debug)]
pub(crate) struct Choices(pub(crate) Vec<u8>);

/// Any choices.
pub(crate) fn choices() -> impl Strategy<Value = Choices> {
    prop::collection::vec(any::<u8>(), 0..400).prop_map(Choices)
}

/// A name of the house, with what it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    Device(&'static str),
    Channel(&'static str, &'static str),
    Group(&'static str),
    Scene(&'static str),
    Var(&'static str),
    Timer(&'static str),
    Rule(&'static str),
    Test(&'static str),
    Kind(&'static str),
}

impl Name {
    /// As `House::symbol` takes it.
    pub(crate) fn qualified(&self) -> String {
        match self {
            Self::Device(name) => format!("device.{name}"),
            Self::Channel(device, name) => format!("{device}.{name}"),
            Self::Group(name) => format!("group.{name}"),
            Self::Scene(name) => format!("scene.{name}"),
            Self::Var(name) => format!("var.{name}"),
            Self::Timer(name) => format!("timer.{name}"),
            Self::Rule(name) => format!("rule.{name}"),
            Self::Test(name) => format!("test.{name}"),
            Self::Kind(name) => format!("kind.{name}"),
        }
    }
}

/// A house: its files, and every name in it.
#[derive(Clone, Debug)]
pub(crate) struct House {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) names: Vec<Name>,
}

/// Device, its channels with their kinds.
type Device = (&'static str, Vec<(&'static str, &'static str)>);

const DEVICES: [&str; 5] = ["lamp", "hall", "key", "a", "on"];
/// A kind of the house's own, also the name of a channel.
const SIREN: &str = "siren";
/// A button of a virtual device: rules press it and don't wait for it, so that none sets itself off.
const EMITTED: &str = "emitted";

const CHANNELS: [(&str, &str); 9] = [
    ("lamp", "switch"),
    ("hall", "dimmer"),
    ("key", "button"),
    ("keys", "keyboard"),
    ("on", "motion"),
    ("lux", "lux"),
    ("a", "cover"),
    ("anna", "presence"),
    (SIREN, SIREN),
];

struct Writer<'c> {
    choices: &'c [u8],
    at: usize,
    renamed: Option<(&'c Name, &'c str)>,
    names: Vec<Name>,
    devices: Vec<Device>,
}

/// The house of these choices, one of its names replaced.
pub(crate) fn house(choices: &Choices, renamed: Option<(&Name, &str)>) -> House {
    let mut writer = Writer {
        choices: &choices.0,
        at: 0,
        renamed,
        names: Vec::new(),
        devices: Vec::new(),
    };
    let files = writer.files();
    let mut names = writer.names;
    names.sort();
    names.dedup();
    House { files, names }
}

impl Writer<'_> {
    fn pick(&mut self, below: usize) -> usize {
        let choice = self.choices.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(choice) % below
    }

    fn maybe(&mut self) -> bool {
        self.pick(2) == 1
    }

    /// A name as it is written.
    fn name(&mut self, name: Name) -> String {
        let word = match &name {
            Name::Device(word)
            | Name::Channel(_, word)
            | Name::Group(word)
            | Name::Scene(word)
            | Name::Var(word)
            | Name::Timer(word)
            | Name::Rule(word)
            | Name::Test(word)
            | Name::Kind(word) => *word,
        };
        let written = match self.renamed {
            Some((renamed, to)) if *renamed == name => to.to_owned(),
            _ => word.to_owned(),
        };
        self.names.push(name);
        written
    }

    fn device(&mut self, device: &'static str) -> String {
        self.name(Name::Device(device))
    }

    fn path(&mut self, (device, channel): (&'static str, &'static str)) -> String {
        let (first, second) = (
            self.device(device),
            self.name(Name::Channel(device, channel)),
        );
        format!("{first}.{second}")
    }

    /// Channels of one of these kinds.
    fn of_kind(&self, kinds: &[&str]) -> Vec<(&'static str, &'static str)> {
        let devices = self.devices.iter();
        let all = devices
            .flat_map(|(device, channels)| channels.iter().map(move |channel| (*device, *channel)));
        all.filter(|(_, (_, kind))| kinds.contains(kind))
            .map(|(device, (channel, _))| (device, channel))
            .collect()
    }

    fn one_of_kind(&mut self, kinds: &[&str]) -> Option<String> {
        let all = self.of_kind(kinds);
        let chosen = self.pick(all.len().max(1));
        all.get(chosen).map(|channel| self.path(*channel))
    }

    fn quoted(&mut self, text: &str) -> String {
        if self.pick(4) == 3 && !text.contains('\'') {
            format!("'{text}'")
        } else {
            format!("\"{}\"", text.replace('"', "\\\""))
        }
    }

    fn comment(&mut self) -> &'static str {
        [
            "",
            "  # lamp hall key a on, [rule.lamp] = { not = \"code\" }",
            "",
            "   # ä",
        ][self.pick(4)]
    }

    fn files(&mut self) -> BTreeMap<String, String> {
        let mut devices = self.house_tables();
        let groups = self.groups(&mut devices);
        let vars = self.vars(&mut devices);
        let scenes = self.scenes(&mut devices, &groups);
        let mut rules = String::new();
        self.rules(&mut rules, &groups, &vars, &scenes);
        let tests = self.tests(&vars);
        let mut files = BTreeMap::new();
        let crlf = self.pick(8) == 7;
        let mut add = |name: &str, text: String| {
            let text = if crlf {
                text.replace('\n', "\r\n")
            } else {
                text
            };
            files.insert(name.to_owned(), text);
        };
        if self.maybe() {
            add(
                "mapping.toml",
                "include = [\"r/*.toml\"]\nformat = 1 # one\n".to_owned() + &devices,
            );
            add("r/rules.toml", rules);
        } else {
            add(
                "mapping.toml",
                format!("# all in one\nformat = 1\n{devices}\n# rules\n\n{rules}"),
            );
        }
        if !tests.is_empty() {
            add("tests/all.test.toml", tests);
        }
        files
    }

    fn house_tables(&mut self) -> String {
        let mut out =
            "[home]\ntimezone = \"Europe/Berlin\"\nlatitude = 52.5\nlongitude = 13\n\n".to_owned();
        let count = self.pick(DEVICES.len()) + 1;
        for (number, device) in DEVICES.into_iter().enumerate().take(count) {
            let mut channels = Vec::new();
            for _ in 0..=self.pick(4) {
                let channel = CHANNELS[self.pick(CHANNELS.len())];
                if !channels.contains(&channel) {
                    channels.push(channel);
                }
            }
            self.devices.push((device, channels.clone()));
            let written = self.device(device);
            let comment = self.comment();
            if self.maybe() {
                out.push_str("# about lamp\n");
            }
            out.push_str(&format!(
                "[device.{written}]{comment}\nid = {}\n",
                number + 1
            ));
            let style = self.pick(3);
            for (channel, kind) in channels {
                let channel = self.name(Name::Channel(device, channel));
                let kind = match kind {
                    SIREN => self.name(Name::Kind(SIREN)),
                    kind => kind.to_owned(),
                };
                let kind = self.quoted(&kind);
                let comment = self.comment();
                let line = match style {
                    0 => format!("io.{channel} = {{ kind = {kind} }}{comment}\n"),
                    1 => format!("\n[device.{written}.io.{channel}]{comment}\nkind = {kind}\n"),
                    _ => format!("io . \"{channel}\".kind = {kind}{comment}\nio.{channel}.note = \"{channel}\"\n")
                        .replace(&format!("note = \"{channel}\""), "note = \"lamp\""),
                };
                out.push_str(&line);
            }
            out.push('\n');
        }
        if !self.of_kind(&[SIREN]).is_empty() {
            let kind = self.name(Name::Kind(SIREN));
            out.push_str(&format!(
                "[kind.{kind}]{}\nnote = \"siren\"\n",
                self.comment()
            ));
            out.push_str("target.on = \"bool\"\nevents.siren = { by = [\"hand\", \"wind\"] }\n");
            out.push_str("commands.mute = { toggle = \"on\" }\n\n");
        }
        if self.maybe() {
            self.devices.push(("mode", vec![("evening", EMITTED)]));
            let device = self.device("mode");
            let channel = self.name(Name::Channel("mode", "evening"));
            out.push_str(&format!(
                "[device.{device}]\nvirtual = true\nio.{channel} = {{ kind = \"button\" }}\n\n"
            ));
        }
        out
    }

    /// Groups of lamps, and of buttons.
    fn groups(&mut self, out: &mut String) -> Vec<(&'static str, bool)> {
        let mut groups = Vec::new();
        let mut lines = String::new();
        for (name, kinds) in [
            ("lights", &["switch", "dimmer"][..]),
            ("buttons", &["button"]),
        ] {
            let members = self.of_kind(kinds);
            if members.is_empty() || !self.maybe() {
                continue;
            }
            let members: Vec<String> = members
                .into_iter()
                .map(|channel| {
                    let path = self.path(channel);
                    self.quoted(&path)
                })
                .collect();
            let group = self.name(Name::Group(name));
            let separator = if self.maybe() { ",\n  " } else { ", " };
            lines.push_str(&format!(
                "{group} = [{}]{}\n",
                members.join(separator),
                self.comment()
            ));
            groups.push((name, kinds.contains(&"button")));
        }
        if !lines.is_empty() {
            out.push_str(&format!("[group]\n{lines}\n"));
        }
        groups
    }

    fn vars(&mut self, out: &mut String) -> Vec<&'static str> {
        let mut vars = Vec::new();
        for (name, rest) in [
            ("lamp", "kind = \"bool\", keep = true"),
            ("level", "kind = \"number\", min = 1, max = 9.5"),
            ("hall", "kind = \"text\", values = [\"a\", \"b\"]"),
        ] {
            if !self.maybe() {
                continue;
            }
            if vars.is_empty() {
                out.push_str("[var]\n");
            }
            let var = self.name(Name::Var(name));
            out.push_str(&format!("{var} = {{ {rest} }}{}\n", self.comment()));
            vars.push(name);
        }
        out.push('\n');
        vars
    }

    fn scenes(&mut self, out: &mut String, groups: &[(&'static str, bool)]) -> Vec<&'static str> {
        let mut scenes = Vec::new();
        for scene in ["movie", "all-off"] {
            let lamps = self.of_kind(&["switch", "dimmer"]);
            if lamps.is_empty() || !self.maybe() {
                continue;
            }
            let written = self.name(Name::Scene(scene));
            let style = self.pick(3);
            if style == 2 {
                // One inline table for each device.
                let mut by_device: BTreeMap<&'static str, Vec<&'static str>> = BTreeMap::new();
                for (device, channel) in lamps {
                    by_device.entry(device).or_default().push(channel);
                }
                out.push_str(&format!("[scene.{written}]\n"));
                for (device, channels) in by_device {
                    let each: Vec<String> = channels
                        .into_iter()
                        .map(|channel| {
                            let channel = self.name(Name::Channel(device, channel));
                            format!("{channel}.on = true")
                        })
                        .collect();
                    let device = self.device(device);
                    out.push_str(&format!("{device} = {{ {} }}\n", each.join(", ")));
                }
            } else {
                out.push_str(&format!("[scene.{written}]{}\n", self.comment()));
                for lamp in lamps {
                    let path = self.path(lamp);
                    let line = if style == 0 {
                        format!("{path} = {{ on = false }}")
                    } else {
                        format!("{path}.on = true")
                    };
                    out.push_str(&format!("{line}{}\n", self.comment()));
                }
                if let (Some((group, _)), true) =
                    (groups.iter().find(|(_, buttons)| !buttons), self.maybe())
                {
                    let group = self.name(Name::Group(group));
                    out.push_str(&format!("{group} = {{ on = false }}\n"));
                }
            }
            out.push('\n');
            scenes.push(scene);
        }
        scenes
    }

    fn rules(
        &mut self,
        out: &mut String,
        groups: &[(&'static str, bool)],
        vars: &[&'static str],
        scenes: &[&'static str],
    ) {
        let mut started = Vec::new();
        for rule in ["lamp", "hall-motion", "key", "r1", "r2", "r3"] {
            if !self.maybe() {
                continue;
            }
            let (when, has_key) = self.trigger(groups, &started);
            let mut actions = Vec::new();
            for _ in 0..=self.pick(3) {
                actions.push(self.action(groups, vars, scenes, &mut started));
            }
            let written = self.name(Name::Rule(rule));
            if self.maybe() {
                out.push_str("# a rule\n");
            }
            out.push_str(&format!(
                "[rule.{written}]{}\nwhen = {when}{}\n",
                self.comment(),
                self.comment()
            ));
            if self.maybe() {
                let condition = self.condition(groups, vars, has_key);
                let condition = self.quoted(&condition);
                out.push_str(&format!("if   = {condition}{}\n", self.comment()));
            }
            let doing = match actions.len() {
                1 if self.maybe() => actions.remove(0),
                _ => format!(
                    "[{}]",
                    actions.join(if self.maybe() {
                        ",\n  # lamp\n  "
                    } else {
                        ", "
                    })
                ),
            };
            out.push_str(&format!("do   = {doing}\n"));
            for (key, value) in [
                ("limit", "\"2 per 1h\""),
                ("enabled", "false"),
                ("note", "\"lamp\""),
            ] {
                if self.pick(3) == 2 {
                    out.push_str(&format!("{key} = {value}{}\n", self.comment()));
                }
            }
            out.push_str(["\n", "\n\n", "\n# --- hall ---\n\n", ""][self.pick(4)]);
        }
    }

    /// What stands in `when`, and whether its event has a key.
    fn trigger(
        &mut self,
        groups: &[(&'static str, bool)],
        started: &[&'static str],
    ) -> (String, bool) {
        let fallback = self.devices[0].0;
        match self.pick(13) {
            8 => return ("{ cron = \"0 7 * * mon-fri\" }".to_owned(), false),
            9 => return ("{ sun = \"sunset\", offset = \"-30m\" }".to_owned(), false),
            10 => {
                if let Some(path) = self.one_of_kind(&["keyboard"]) {
                    let keys = format!(
                        "{{ sequence = \"{path}.press\", key = [60, 64], within = \"2s\" }}"
                    );
                    return (keys, false);
                }
            }
            11 => {
                let both = (
                    self.one_of_kind(&["button"]),
                    self.one_of_kind(&["keyboard"]),
                );
                if let (Some(button), Some(keys)) = both {
                    let device = self.device(fallback);
                    let step = format!(
                        "{{ event = \"{keys}.press\", if = \"event.key > 60 && {device}.online\" }}"
                    );
                    return (
                        format!("{{ sequence = [\"{button}.press\", {step}], within = \"20s\" }}"),
                        false,
                    );
                }
            }
            12 => {
                if let Some(path) = self.one_of_kind(&[SIREN]) {
                    return (self.quoted(&format!("{path}.siren")), false);
                }
            }
            1 => {
                if let Some(path) = self.one_of_kind(&["keyboard"]) {
                    return (self.quoted(&format!("{path}.press")), true);
                }
            }
            2 => {
                if let Some(path) = self.one_of_kind(&["button"]) {
                    let path = self.quoted(&path);
                    return (
                        format!("{{ gesture = \"long\", on = {path}, hold = \"2s\" }}"),
                        false,
                    );
                }
            }
            3 => {
                if let Some(path) = self.one_of_kind(&["motion"]) {
                    let (start, stop) = (format!("{path}.start"), format!("{path}.stop"));
                    return (
                        format!("[{}, {}]", self.quoted(&start), self.quoted(&stop)),
                        false,
                    );
                }
            }
            4 => {
                if let Some(path) = self.one_of_kind(&["lux"]) {
                    return (
                        format!("{{ holds = \"state.{path} > 5\", for = \"10m\" }}"),
                        false,
                    );
                }
            }
            5 => {
                if let Some(timer) = started.first() {
                    let timer = self.name(Name::Timer(timer));
                    return (format!("{{ timer = \"{timer}\" }}"), false);
                }
            }
            6 => {
                if let Some((group, _)) = groups.iter().find(|(_, buttons)| *buttons) {
                    let group = self.name(Name::Group(group));
                    return (format!("\"{group}.press\""), false);
                }
            }
            7 => return ("{ at = \"07:00\", days = \"mon-fri\" }".to_owned(), false),
            _ => {}
        }
        let device = self.device(fallback);
        (self.quoted(&format!("{device}.offline")), false)
    }

    fn condition(
        &mut self,
        groups: &[(&'static str, bool)],
        vars: &[&'static str],
        has_key: bool,
    ) -> String {
        let mut parts = Vec::new();
        if has_key {
            parts.push("event.key == 60".to_owned());
        }
        if let Some(path) = self.one_of_kind(&["dimmer"]) {
            parts.push(format!(
                "state.{path}.brightness < 50 || !has(state.{path}.on)"
            ));
        }
        if let Some(path) = self.one_of_kind(&["presence"]) {
            parts.push(format!("state.{path} == 'home'"));
        }
        if vars.contains(&"lamp") {
            let var = self.name(Name::Var("lamp"));
            parts.push(format!("!var.{var}"));
        }
        if vars.contains(&"hall") {
            let var = self.name(Name::Var("hall"));
            parts.push(format!("var.{var} in ['a', 'b']"));
        }
        if let Some((group, _)) = groups.iter().find(|(_, buttons)| !buttons) {
            let group = self.name(Name::Group(group));
            parts.push(format!(
                "{group}.exists(x, x.on) == {group}.all(y, y.on && sun.is_down)"
            ));
        }
        let device = self.devices[0].0;
        let device = self.device(device);
        parts.push(format!("{device} . online"));
        let from = self.pick(parts.len());
        parts[from..].join(" && ")
    }

    fn action(
        &mut self,
        groups: &[(&'static str, bool)],
        vars: &[&'static str],
        scenes: &[&'static str],
        started: &mut Vec<&'static str>,
    ) -> String {
        match self.pick(16) {
            9 => return "{ wait = \"2s\" }".to_owned(),
            10 => {
                if let Some(path) = self.one_of_kind(&["switch", "dimmer", SIREN]) {
                    return format!("{{ hold = \"{path}\", for = \"1h\" }}");
                }
            }
            11 => {
                if let Some(path) = self.one_of_kind(&["switch"]) {
                    return format!("{{ on = \"{path}\", for = \"10m\" }}");
                }
            }
            12 => {
                if let Some(path) = self.one_of_kind(&[EMITTED]) {
                    return format!("{{ emit = \"{path}.press\" }}");
                }
            }
            13 => {
                if let Some(path) = self.one_of_kind(&[SIREN]) {
                    return self.quoted(&format!("{path}.mute"));
                }
            }
            14 => {
                if let Some(path) = self.one_of_kind(&["dimmer"]) {
                    let step = self.computed(vars, &path);
                    return format!("{{ command = \"{path}.brighter\", step = {step} }}");
                }
            }
            15 => {
                if let Some((group, _)) = groups.iter().find(|(_, buttons)| !buttons) {
                    let group = self.name(Name::Group(group));
                    return format!("{{ command = \"{group}.off\" }}");
                }
            }
            1 => {
                if let Some(path) = self.one_of_kind(&["switch", "dimmer"]) {
                    return self.quoted(&format!("{path}.toggle"));
                }
            }
            2 => {
                if let Some(path) = self.one_of_kind(&["dimmer"]) {
                    let value = self.computed(vars, &path);
                    return format!("{{ set = \"{path}\", brightness = {value}, fade = \"2s\" }}");
                }
            }
            3 => {
                if let Some((group, _)) = groups.iter().find(|(_, buttons)| !buttons) {
                    let group = self.name(Name::Group(group));
                    return self.quoted(&format!("{group}.off"));
                }
            }
            4 => {
                if let Some(scene) = scenes.first() {
                    let scene = self.name(Name::Scene(scene));
                    return format!("{{ scene = \"{scene}\" }}");
                }
            }
            5 => {
                let timer = ["lamp", "hall-off"][self.pick(2)];
                started.push(timer);
                let timer = self.name(Name::Timer(timer));
                return format!("{{ start = \"{timer}\", for = \"5m\" }}");
            }
            6 => {
                if let Some(timer) = started.first() {
                    let timer = self.name(Name::Timer(timer));
                    return format!("{{ stop = \"{timer}\" }}");
                }
            }
            7 => {
                if let Some(var) = vars.first() {
                    let to = match *var {
                        "lamp" => "true",
                        "level" => "4.5",
                        _ => "\"b\"",
                    };
                    let var = self.name(Name::Var(var));
                    return format!("{{ var = \"{var}\", to = {to} }}");
                }
            }
            8 => {
                if let Some(path) = self.one_of_kind(&["switch"]) {
                    return format!(
                        "{{ notify = \"all\", text = \"lamp is ${{state.{path}}}, hall $${{x}}\" }}"
                    );
                }
            }
            _ => {}
        }
        "{ notify = \"all\", text = \"lamp\" }".to_owned()
    }

    fn computed(&mut self, vars: &[&'static str], path: &str) -> String {
        match vars.contains(&"level") {
            true => {
                let var = self.name(Name::Var("level"));
                format!("\"${{var.{var} * 10 + target.{path}.brightness}}\"")
            }
            false => "50".to_owned(),
        }
    }

    fn tests(&mut self, vars: &[&'static str]) -> String {
        let mut out = String::new();
        let rules: Vec<&'static str> = self
            .names
            .iter()
            .filter_map(|name| match name {
                Name::Rule(rule) => Some(*rule),
                _ => None,
            })
            .collect();
        for test in ["lamp-is-on", "hall"] {
            if !self.maybe() {
                continue;
            }
            let written = self.name(Name::Test(test));
            out.push_str(&format!("[test.{written}]{}\n", self.comment()));
            let device = self.devices[0].0;
            let mut given = Vec::new();
            if let Some(path) = self.one_of_kind(&["dimmer"]) {
                given.push(format!(
                    "state = {{ {path}.on = true, {path}.brightness = 3 }}"
                ));
            }
            if vars.contains(&"level") {
                let var = self.name(Name::Var("level"));
                given.push(format!("var = {{ {var} = 2 }}"));
            }
            let device = self.device(device);
            given.push(format!("offline = [\"{device}\"]"));
            out.push_str(&format!("given = {{ {} }}\n", given.join(", ")));
            let mut steps = vec![format!("{{ event = \"{device}.online\" }}")];
            if let Some(path) = self.one_of_kind(&["keyboard"]) {
                steps.push(format!(
                    "{{ at = \"5s\", event = \"{path}.press\", with = {{ key = 60 }} }}"
                ));
            }
            if let Some(path) = self.one_of_kind(&["switch"]) {
                steps.push(format!(
                    "{{ at = \"6s\", expect = [\"{path}.on\"], target.{path}.on = true }}"
                ));
            }
            if let Some(rule) = rules.first() {
                let rule = self.name(Name::Rule(rule));
                steps.push(format!(
                    "{{ at = \"7s\", fired = {{ {rule} = 0 }}, by = \"{rule}\" }}"
                ));
            }
            out.push_str(&format!(
                "steps = [\n  {},\n]\n\n",
                steps.join(",\n  # hall\n  ")
            ));
        }
        out
    }
}

/// All that a program does, without where it is written.
pub(crate) fn meaning(program: &Program) -> String {
    let mut program = program.clone();
    program.hash = [0; 32];
    for device in &mut program.devices {
        device.origin = Default::default();
    }
    for rule in &mut program.rules {
        rule.origin = Default::default();
        // Says whether the text changed.
        rule.fingerprint = 0;
    }
    format!("{program:#?}")
}

/// All that tests say, without where they are written.
pub(crate) fn meaning_of_tests(tests: &[mapping::house_test::HouseTest]) -> String {
    let mut tests = tests.to_vec();
    for test in &mut tests {
        test.origin = Default::default();
        for step in &mut test.steps {
            step.origin = Default::default();
        }
    }
    format!("{tests:#?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_houses_check(choices in choices()) {
        let house = house(&choices, None);
        let loaded = mapping::load_texts(house.files);
        let said = mapping::render(&loaded.sources, &loaded.diagnostics, false);
        prop_assert!(!loaded.has_errors(), "{said}");
    }
}
