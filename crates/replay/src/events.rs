//! History in the lines of the live stream, with what the stream needs no line for: days, starts, mappings.

use dispatcher::{
    Input,
    explain::{self, Explainer, Filter, Told},
};
use jiff::tz::TimeZone;
use serde_json::json;
use types::{Now, UnixTime};

use crate::{
    player::Fed,
    travel::Step,
    words::{clock_of, day_of, roughly},
};

/// Puts steps into lines.
#[derive(Debug)]
pub struct Teller {
    zone: TimeZone,
    filters: Vec<Filter>,
    json: bool,
    day: String,
    last: Option<Now>,
}

impl Teller {
    /// For people, or as JSON, one object a line. Without filters everything is told.
    #[must_use]
    pub fn new(zone: &TimeZone, filters: Vec<Filter>, json: bool) -> Self {
        Self {
            zone: zone.clone(),
            filters,
            json,
            day: String::new(),
            last: None,
        }
    }

    /// Tells one step; calls `print` for each line.
    pub fn tell(&mut self, step: &mut Step<'_>, mut print: impl FnMut(String)) {
        let (no, now) = (step.record.no, step.record.now);
        let before = self.last.replace(now);
        if self.filters.is_empty() {
            self.mark(step, before, &mut print);
        }
        let program = std::sync::Arc::clone(step.program());
        explain::fill_texts(&program, step.effects);
        let explainer = Explainer::new(&program);
        for told in explain::told(step.effects, now) {
            if !explainer.is_wanted(&told, &self.filters) {
                continue;
            }
            if self.json {
                print(explainer.told_json(no, &told));
                continue;
            }
            let text = explainer.told(&told);
            if !text.is_empty() {
                self.begin_day(told_at(&told), &mut print);
                print(text);
            }
        }
    }

    /// A start of the dispatcher, other settings, or another mapping.
    fn mark(&mut self, step: &Step<'_>, before: Option<Now>, print: &mut impl FnMut(String)) {
        let now = step.record.now;
        let hash = || {
            let hash = store::MappingHash(step.program().hash).to_string();
            hash.get(..8).unwrap_or_default().to_owned()
        };
        let (text, key, value) = if step.fed == Fed::Reloaded {
            let hash = hash();
            (
                format!("the mapping {hash} came into force"),
                "mapping",
                json!(hash),
            )
        } else if step.input() == Some(Input::Resumed) {
            let down = before.map(|before| now.at.since(before.at));
            let text = match down {
                Some(down) => format!(
                    "the dispatcher started again, {} after its last input",
                    roughly(down)
                ),
                None => "the dispatcher started again".to_owned(),
            };
            let seconds = down.map(|down| down.as_secs_f64());
            (text, "started_after_s", json!(seconds))
        } else if let (Some(Input::Config(conduct)), Some(_)) = (step.input(), before) {
            let text = format!("other settings are in force: {conduct}");
            (text, "settings", json!(conduct.to_string()))
        } else {
            return;
        };
        if self.json {
            let mut line = json!({
                "no": step.record.no.0,
                "wall_us": now.wall.0,
                "time": clock_of(&self.zone, now.wall),
            });
            line[key] = value;
            print(line.to_string());
        } else {
            self.begin_day(now.wall, print);
            print(format!("{} {text}", clock_of(&self.zone, now.wall)));
        }
    }

    fn begin_day(&mut self, wall: UnixTime, print: &mut impl FnMut(String)) {
        let day = day_of(&self.zone, wall);
        if day != self.day {
            print(format!("--- {day}"));
            self.day = day;
        }
    }
}

fn told_at(told: &Told<'_>) -> UnixTime {
    told.now().wall
}
