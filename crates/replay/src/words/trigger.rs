//! What a rule waits for, in the mapping's own words.

use dispatcher::explain;
use mapping::{
    Program,
    program::{Days, SequenceStep, Trigger},
};

use super::span;

/// `hall.motion.start`, `the timer hall-off`, `22:30 mon-fri`.
pub(crate) fn trigger(program: &Program, trigger: &Trigger) -> String {
    match trigger {
        Trigger::Event { event, .. } => program.event_path(*event),
        Trigger::Gesture { kind, channel, .. } => {
            format!(
                "{}.{}",
                program.channel_path(*channel),
                explain::gesture(*kind)
            )
        }
        Trigger::Chord {
            event,
            field,
            values,
            within,
        } => {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            let name = program[*event].fields.get(usize::from(*field));
            let name = name.map_or("key", |field| &*field.name);
            format!(
                "{} with {name} {} within {}",
                program.event_path(*event),
                values.join(", "),
                span(*within)
            )
        }
        Trigger::Sequence { steps, within } => {
            format!("{} within {}", in_turn(program, steps), span(*within))
        }
        Trigger::Holds { condition, hold } if hold.is_zero() => condition.text.to_string(),
        Trigger::Holds { condition, hold } => format!("{} for {}", condition.text, span(*hold)),
        Trigger::Timer(timer) => format!("the timer {}", program[*timer].name),
        Trigger::At { second, days } => format!("{}{}", time_of_day(*second), on(*days)),
        Trigger::Cron(cron) => format!("cron \"{}\"", cron.text()),
        Trigger::Sun { event, offset_us } => {
            let offset = span(std::time::Duration::from_micros(offset_us.unsigned_abs()));
            match offset_us {
                0 => event.word().to_owned(),
                1.. => format!("{} +{offset}", event.word()),
                _ => format!("{} -{offset}", event.word()),
            }
        }
    }
}

/// `piano.keys.press key=52, then key=50`: what is the same event again has no name again.
fn in_turn(program: &Program, steps: &[SequenceStep]) -> String {
    let mut before = None;
    let mut said: Vec<String> = Vec::new();
    for one in steps {
        let mut text = step(program, one);
        let only = match &one.events[..] {
            [only] => Some(only.event),
            _ => None,
        };
        if let Some(event) = only.filter(|_| only == before) {
            let fields = text.strip_prefix(&program.event_path(event));
            let fields = fields.map(|fields| fields.trim_start().to_owned());
            text = fields.filter(|fields| !fields.is_empty()).unwrap_or(text);
        }
        before = only;
        said.push(text);
    }
    said.join(", then ")
}

/// One of its events: `piano.keys.press key=60 or door.bell.press`.
pub(crate) fn step(program: &Program, step: &SequenceStep) -> String {
    let events: Vec<String> = step
        .events
        .iter()
        .map(|step| {
            let mut text = program.event_path(step.event);
            for (place, value) in &step.wanted {
                let field = program[step.event].fields.get(usize::from(*place));
                let name = field.map_or("?", |field| &*field.name);
                text.push_str(&format!(" {name}={value}"));
            }
            text
        })
        .collect();
    events.join(" or ")
}

fn time_of_day(second: u32) -> String {
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    match second {
        0 => format!("{hour:02}:{minute:02}"),
        second => format!("{hour:02}:{minute:02}:{second:02}"),
    }
}

fn on(days: Days) -> String {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    if days == Days::ALL {
        return String::new();
    }
    let named: Vec<&str> = (1..=7)
        .filter(|day| days.contains(*day))
        .map(|day| NAMES[usize::from(day) - 1])
        .collect();
    format!(" on {}", named.join(", "))
}
