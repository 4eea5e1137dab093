//! The reference at the end of docs/mapping.md is written from the description of the language, and holds all of it.
//! `UPDATE_DOCS=1` writes it anew.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use mapping::{
    expr::words::{self, Word},
    grammar::{self, Forms, Keys, Names, Need, Others, Takes, Values},
    kinds::{self, Kind, OptionSpec},
    load_texts, type_in_words, vocabulary,
};

/// What stands above it in the docs.
const MARK: &str = "<!-- reference: from here on written by the test `the_reference_is_what_the_language_is` -->\n";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mapping.md")
}

#[test]
fn the_reference_is_what_the_language_is() {
    let text = std::fs::read_to_string(docs()).expect("the docs are there");
    let (above, below) = text.split_once(MARK).expect("the mark of the reference");
    let reference = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let whole = format!("{above}{MARK}{reference}");
        std::fs::write(docs(), whole).expect("the docs can be written");
        return;
    }
    assert!(
        below == reference,
        "the language is another one; UPDATE_DOCS=1 writes:\n{reference}"
    );
}

#[test]
fn every_warning_stands_in_the_docs() {
    let text = std::fs::read_to_string(docs()).expect("the docs are there");
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let program = load_texts([("mapping.toml", "format = 1")]).program;
    let lints = vocabulary::all(&program.expect("it checks"), Names::Lint);
    assert!(!lints.is_empty());
    for lint in lints {
        let told = rows.iter().any(|row| row.contains(&format!("`{lint}`")));
        assert!(told, "{lint}");
    }
}

fn reference() -> String {
    let mut out = String::new();
    let text = &mut out;
    heading(text, "Tables and keys");
    text.push_str("A key in **bold** must be there.\n");
    for (title, keys) in [
        ("A file of the mapping", &grammar::MAPPING),
        ("`[home]`", &grammar::HOME),
        ("`[device.D]`", &grammar::DEVICE),
        ("`mqtt = { .. }` of a device", &grammar::MQTT),
        ("`i2c = { .. }` of a device", &grammar::I2C),
        ("`uart = { .. }` of a device", &grammar::UART),
        ("`io.CH = { .. }` of a device", &grammar::CHANNEL),
        ("`[kind.K]`", &grammar::KIND),
        ("A type of a field of `[kind.K]`", &grammar::FIELD),
        ("The same of an event or a command", &grammar::ARGUMENT),
        ("`commands.C` of `[kind.K]`", &grammar::KIND_COMMAND),
        ("`[var]`, `V = { .. }`", &grammar::VAR),
        ("`[rule.R]`", &grammar::RULE),
        ("`after_downtime = { .. }`", &grammar::LATE),
    ] {
        table(text, title, keys);
    }
    for (title, forms) in [
        ("In `when`", &grammar::TRIGGERS),
        ("A step of a `sequence`", &grammar::STEPS),
        ("In `do`", &grammar::ACTIONS),
    ] {
        alternatives(text, title, forms);
    }
    for (title, keys) in [
        ("A test file", &grammar::TESTS),
        ("`[test.T]`", &grammar::TEST),
        ("`given = { .. }`", &grammar::GIVEN),
        ("A step of a test", &grammar::STEP),
        ("`restart = { .. }`", &grammar::RESTART),
    ] {
        table(text, title, keys);
    }
    alternatives(text, "In `expect`", &grammar::EXPECTED);
    alternatives(text, "In `emitted`", &grammar::EMITTED);
    table(text, "`blocklist.toml`", &grammar::BLOCKLIST);
    table(text, "`[[block]]`", &grammar::BLOCK);
    expressions(text);
    kinds(text);
    options(text);
    out
}

fn heading(out: &mut String, title: &str) {
    let _ = write!(out, "\n### {title}\n\n");
}

fn table(out: &mut String, title: &str, keys: &Keys) {
    let _ = write!(out, "\n**{title}**\n\n| key | takes | |\n|---|---|---|\n");
    rows(out, keys);
}

fn rows(out: &mut String, keys: &Keys) {
    for key in keys.specs {
        let name = match key.need {
            Need::Must => format!("**`{}`**", key.name),
            Need::May => format!("`{}`", key.name),
        };
        let _ = writeln!(
            out,
            "| {name} | {} | {} |",
            takes(&key.takes),
            cell(key.about)
        );
    }
    if let Some(others) = others(keys.others) {
        let _ = writeln!(out, "| others | | {others} |");
    }
}

fn alternatives(out: &mut String, title: &str, forms: &Forms) {
    let text = takes(&forms.text);
    let _ = write!(
        out,
        "\n**{title}**: {text}, or a table that has one of these.\n\n"
    );
    for form in forms.all {
        let _ = write!(out, "`{}`\n\n| key | takes | |\n|---|---|---|\n", form.name);
        rows(out, &form.keys);
        out.push('\n');
    }
    out.pop();
}

fn others(others: Others) -> Option<String> {
    match others {
        Others::Nothing => None,
        Others::FieldsOf(key) => Some(format!("fields of what `{key}` names, with their values")),
        Others::EventFieldsOf(key) => Some(format!("fields of the event that `{key}` names")),
        Others::ArgumentsOf(key) => Some(format!("arguments of the command that `{key}` names")),
        Others::OptionsOf(key) => Some(format!("options of its `{key}`, below")),
    }
}

/// A text that may stand in a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn takes(what: &Takes) -> String {
    match what {
        Takes::Plain(plain) => option_takes(*plain),
        Takes::Between(min, max) => format!("{min} to {max}"),
        Takes::Format => "1".to_owned(),
        Takes::File => "a path, in it `*`".to_owned(),
        Takes::TimeZone => "an IANA name".to_owned(),
        Takes::TimeOfDay => "`\"07:00\"`, `\"07:00:30\"`".to_owned(),
        Takes::Days => "`\"mon-fri\"`, `\"sat,sun\"`".to_owned(),
        Takes::Limit => "`\"1 per 30s\"`".to_owned(),
        Takes::Moment => "`\"2026-03-28 21:00\"`".to_owned(),
        Takes::Date => "a date".to_owned(),
        Takes::Topic => "a topic".to_owned(),
        Takes::Board => "a board's name".to_owned(),
        Takes::Kind => "a kind".to_owned(),
        Takes::Condition => "a condition".to_owned(),
        Takes::Message => "a text with `${}`".to_owned(),
        Takes::Name(names) => named(*names).to_owned(),
        Takes::Start => "a value of that type".to_owned(),
        Takes::Constants => "fields with values".to_owned(),
        Takes::ValueOf(key) => format!("a value for that `{key}`, or `${{}}`"),
        Takes::Word => "a word".to_owned(),
        Takes::Values(Values::State) => "`{ D.CH = value }`".to_owned(),
        Takes::Values(Values::Age | Values::OnFor | Values::Kept) => {
            "`{ D.CH = duration }`".to_owned()
        }
        Takes::Values(Values::Target) => "`{ D.CH = value }`".to_owned(),
        Takes::Values(Values::Scene) => "`D.CH = value`, `G = value`".to_owned(),
        Takes::FieldsOf(key) => format!("fields of that `{key}`"),
        Takes::VarValues => "`{ V = value }`".to_owned(),
        Takes::Firings => "`{ R = number }`".to_owned(),
        Takes::By(Names::Timer, inner) => format!("by timer: {}", takes(inner)),
        Takes::By(_, inner) => format!("by rule: {}", takes(inner)),
        Takes::ByPlace(inner) => format!("by place: {}", takes(inner)),
        Takes::Renames => "`{ \"OLD\" = \"NEW\" }`".to_owned(),
        Takes::Declares(_, Takes::Declares(..)) => "tables of tables by name".to_owned(),
        Takes::Declares(_, Takes::Table(keys)) => format!("{} by name", keys.what),
        Takes::Declares(_, inner) => format!("by name: {}", takes(inner)),
        Takes::Table(keys) => match keys.names {
            [only] => format!("`{{ {only} = .. }}`"),
            _ => "a table".to_owned(),
        },
        Takes::Forms(forms) => forms.what.to_owned(),
        Takes::List(inner) => format!("list of: {}", takes(inner)),
        Takes::OneOrMore(inner) => format!("{}, or a list", takes(inner)),
        Takes::Either(all) => {
            let all: Vec<String> = all.iter().map(takes).collect();
            all.join("; or ")
        }
    }
}

fn named(names: Names) -> &'static str {
    match names {
        Names::Device => "a device",
        Names::Kind => "a kind",
        Names::KindField => "a field",
        Names::KindEvent => "an event",
        Names::KindCommand => "a command",
        Names::Channel => "a channel",
        Names::Member => "a channel, device or group",
        Names::Target => "a channel or group that takes targets",
        Names::Switched => "a channel or group that is on or off",
        Names::Button => "a channel or group with gestures",
        Names::Event => "an event",
        Names::OneEvent => "an event of one channel",
        Names::Command => "a command",
        Names::Group => "a group",
        Names::Var => "a variable",
        Names::Scene => "a scene",
        Names::Timer => "a timer",
        Names::NewTimer => "a timer's name",
        Names::Rule => "a rule",
        Names::Test => "a test",
        Names::Renamed => "a device, a channel, `var.V`, `timer.T`, `rule.R`",
        Names::Lint => "a warning's name",
    }
}

fn option_takes(what: kinds::Takes) -> String {
    match what {
        kinds::Takes::Pin => "a pin: `4`, `\"PC13\"`".to_owned(),
        kinds::Takes::Pins => "a list of pins".to_owned(),
        kinds::Takes::Bool => "`true`, `false`".to_owned(),
        kinds::Takes::Int(min, max) => format!("{min} to {max}"),
        kinds::Takes::Number => "a number".to_owned(),
        kinds::Takes::Word(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            words.join(", ")
        }
        kinds::Takes::Duration => "a duration".to_owned(),
        kinds::Takes::I2c => "an address: `0x23`".to_owned(),
        kinds::Takes::Text => "a text".to_owned(),
        kinds::Takes::EventWords => "`{ its_word = \"ours\" }`".to_owned(),
        kinds::Takes::FieldPlaces => "`{ our_field = \"its place\" }`".to_owned(),
    }
}

fn expressions(out: &mut String) {
    heading(out, "Expressions");
    out.push_str(
        "Loosest first: `?:`, `||`, `&&`, `== != < <= > >= in`, `+ -`, `* / %`, `! -`. Numbers, `'texts'`, `true`, `false`, `[lists]`.\n\n\
         | word | |\n|---|---|\n| `DEVICE.online` | whether the device is there |\n",
    );
    let roots = words::ROOTS
        .iter()
        .filter(|word| !matches!(word.name, "sun" | "now"));
    let others = [
        words::OF_SUN,
        words::OF_NOW,
        words::FUNCTIONS,
        words::OF_GROUPS,
    ];
    for Word { form, about, .. } in roots.chain(others.into_iter().flatten()) {
        let _ = writeln!(out, "| `{form}` | {about} |");
    }
}

fn kinds(out: &mut String) {
    heading(out, "Kinds");
    out.push_str("| kind | state and target | events | commands |\n|---|---|---|---|\n");
    for kind in kinds::ALL.iter() {
        let _ = writeln!(
            out,
            "| `{}`: {} | {} | {} | {} |",
            kind.name,
            kind.about,
            fields(kind),
            events(kind),
            commands(kind),
        );
    }
}

fn fields(kind: &Kind) -> String {
    let fields = kind.fields.iter().map(|field| {
        let only = if kind.consumer && !field.settable {
            ", reported only"
        } else {
            ""
        };
        let ty = type_in_words(&field.shape.to_type((None, None)));
        format!("`{}` {ty}{only}", field.name)
    });
    fields.collect::<Vec<_>>().join("; ")
}

fn events(kind: &Kind) -> String {
    let events = kind.events.iter().map(|event| {
        let fields = event.fields.iter().map(|field| field.name.to_string());
        let fields: Vec<String> = fields.collect();
        if fields.is_empty() {
            format!("`{}`", event.name)
        } else {
            format!("`{}`({})", event.name, fields.join(", "))
        }
    });
    events.collect::<Vec<_>>().join(", ")
}

fn commands(kind: &Kind) -> String {
    let commands = kind.commands.iter().map(|command| {
        let args = command.args.iter().filter_map(|arg| {
            let value = arg.default.as_ref()?;
            Some(format!("{} = {value}", arg.name))
        });
        let args: Vec<String> = args.collect();
        if args.is_empty() {
            format!("`{}`", command.name)
        } else {
            format!("`{}`({})", command.name, args.join(", "))
        }
    });
    commands.collect::<Vec<_>>().join(", ")
}

fn options(out: &mut String) {
    heading(out, "Options of channels");
    out.push_str("| option | takes | | of |\n|---|---|---|---|\n");
    for option in kinds::COMMON {
        let whose = match option.name {
            "note" => "all",
            "at_boot" | "when_lost" | "deliver" | "enforce" => "what takes a target",
            _ => "what reports state",
        };
        row(out, option, whose);
    }
    let mut known: Vec<&str> = Vec::new();
    for option in kinds::ALL.iter().flat_map(|kind| &kind.options) {
        if known.contains(&option.name) {
            continue;
        }
        known.push(option.name);
        let of = kinds::ALL
            .iter()
            .filter(|kind| kind.options.iter().any(|other| other.name == option.name));
        let of: Vec<&str> = of.map(|kind| &*kind.name).collect();
        row(out, option, &of.join(", "));
    }
    for option in kinds::FOREIGN {
        row(out, option, "devices with topics of their own");
    }
}

fn row(out: &mut String, option: &OptionSpec, whose: &str) {
    let _ = writeln!(
        out,
        "| `{}` | {} | {} | {whose} |",
        option.name,
        option_takes(option.takes),
        cell(option.about),
    );
}
