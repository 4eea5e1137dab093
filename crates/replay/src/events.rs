//! History in the lines of the live stream, with what the stream needs no line for: days, starts, mappings.

use std::sync::Arc;

use dispatcher::{
    Input,
    explain::{self, Explainer, Filter, Told},
};
use jiff::tz::TimeZone;
use mapping::{
    Program,
    program::{Renamed, Succession},
};
use serde_json::{Value as Json, json};
use types::{InputNo, Now, UnixTime};

use crate::{
    changes::Rules,
    history::History,
    lineage::Lineage,
    player::Fed,
    target::Target,
    travel::{Step, Travel},
    trouble::HistoryError,
    words::{clock_of, day_of, roughly},
};

/// Puts steps into lines.
pub struct Teller<'h> {
    zone: TimeZone,
    asked: Vec<Asked<'h>>,
    /// What is wanted, as the mapping in force calls it.
    filters: Vec<Filter>,
    /// The mapping in force.
    program: Arc<Program>,
    json: bool,
    day: String,
    last: Option<Now>,
    /// The house began then; it had no settings before.
    began: Option<Now>,
}

/// What somebody wants to see.
struct Asked<'h> {
    filter: Filter,
    /// `None`: today nothing is called so.
    lineage: Option<Lineage<'h>>,
}

impl<'h> Teller<'h> {
    /// For people, or as JSON, one object a line; of what `travel` meets from now on. Without filters everything is
    /// told. They go by the names of today, and what they name is told under its earlier ones as well. What is nobody's name today
    /// is what had it last: [`History::filters`] gives and says it.
    #[must_use]
    pub fn new(
        history: &'h History,
        travel: &Travel<'_>,
        filters: Vec<Filter>,
        json: bool,
    ) -> Self {
        let asked = filters.into_iter().map(|filter| Asked {
            lineage: Lineage::of_last(history, filter.path()).ok(),
            filter,
        });
        let mut teller = Self {
            zone: history.zone().clone(),
            asked: asked.collect(),
            filters: Vec::new(),
            program: Arc::clone(travel.house().program()),
            json,
            day: String::new(),
            last: None,
            began: None,
        };
        teller.meet(travel.last(), travel.house().program());
        teller
    }

    /// Looks for what is wanted in the mapping in force after input `no`.
    fn meet(&mut self, no: InputNo, program: &Arc<Program>) {
        let asked = self.asked.iter_mut().map(|asked| {
            let lineage = asked.lineage.as_mut();
            match lineage.and_then(|lineage| lineage.then(no, program)) {
                Some(target) => Filter::new(&target.words(program)),
                None => asked.filter.clone(),
            }
        });
        self.filters = asked.collect();
    }

    /// Tells one step; calls `print` for each line.
    pub fn tell(&mut self, step: &mut Step<'_>, mut print: impl FnMut(String)) {
        let (no, now) = (step.record.no, step.record.now);
        let before = self.last.replace(now);
        if self.filters.is_empty() {
            self.mark(step, before, &mut print);
        }
        let program = Arc::clone(step.program());
        if step.fed == Fed::Reloaded {
            self.replace(now, &program, &mut print);
            self.meet(no, &program);
        }
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

    /// That `program` takes over, and what of what is wanted has another name there.
    fn replace(&mut self, now: Now, program: &Arc<Program>, print: &mut impl FnMut(String)) {
        let before = std::mem::replace(&mut self.program, Arc::clone(program));
        let succession = Succession::new(&before, program);
        if self.filters.is_empty() {
            let edited = Edited::by(&succession);
            if self.json {
                print(edited.json(now, &self.zone));
            } else {
                self.begin_day(now.wall, print);
                print(edited.text(now, &self.zone));
            }
        }
        for renamed in [succession.renamed(), succession.renamed_sets()].concat() {
            let mut wanted = self.filters.iter();
            if !self.filters.is_empty() && !wanted.any(|filter| renamed.is_about(filter.path())) {
                continue;
            }
            if self.json {
                print(renamed_json(&renamed, now, &self.zone));
            } else {
                self.begin_day(now.wall, print);
                print(renamed_text(&renamed, now, &self.zone));
            }
        }
    }

    /// A start of the dispatcher, or other settings.
    fn mark(&mut self, step: &Step<'_>, before: Option<Now>, print: &mut impl FnMut(String)) {
        let now = step.record.now;
        let input = step.input();
        let (text, key, value) = if input == Some(Input::Began) {
            self.began = Some(now);
            let text = "the dispatcher started for the first time".to_owned();
            (text, "began", json!(true))
        } else if input == Some(Input::Resumed) {
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
        } else if let Some(Input::Config(conduct)) = input
            && before.is_some_and(|_| self.began != Some(now))
        {
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

impl History {
    /// What the live stream and the past are filtered by to see what is about `text`, in the names of today: what is called so,
    /// else what was called so last. Says with the answer what became of that; what is gone is filtered by its last name.
    ///
    /// # Errors
    /// Nothing is called so, and nothing ever was; with the nearest name.
    pub fn filters(&self, text: &str) -> Result<Vec<Filter>, HistoryError> {
        let lineage = Lineage::of_last(self, text)?;
        Ok(match lineage.gone() {
            Some(gone) => Target::filters(&self.mapping(gone.at), &lineage.words()),
            None => Target::filters(self.program(), &lineage.words()),
        })
    }
}

/// Another mapping came into force.
pub struct Edited {
    /// The beginning of its hash.
    hash: String,
    rules: Rules,
}

impl Edited {
    /// By which things go on as `succession` says.
    #[must_use]
    pub fn by(succession: &Succession<'_>) -> Self {
        let hash = store::MappingHash(succession.programs().1.hash).to_string();
        Self {
            hash: hash.get(..8).unwrap_or_default().to_owned(),
            rules: Rules::of(succession),
        }
    }

    /// As a line of the stream, for people: its hash, and which rules it brought, changed and took.
    #[must_use]
    pub fn text(&self, now: Now, zone: &TimeZone) -> String {
        let time = clock_of(zone, now.wall);
        format!(
            "{time} the mapping {} came into force{}",
            self.hash,
            self.rules.text()
        )
    }

    /// The same for machines, with all rules.
    #[must_use]
    pub fn json(&self, now: Now, zone: &TimeZone) -> String {
        let names = |rules: &[Arc<str>]| rules.iter().map(|name| json!(**name)).collect::<Json>();
        let line = json!({
            "wall_us": now.wall.0,
            "time": clock_of(zone, now.wall),
            "mapping": self.hash,
            "new": names(&self.rules.came),
            "changed": names(&self.rules.changed),
            "gone": names(&self.rules.gone),
        });
        line.to_string()
    }
}

/// A line of the stream, for people: something has another name now.
#[must_use]
pub fn renamed_text(renamed: &Renamed, now: Now, zone: &TimeZone) -> String {
    format!("{} {}", clock_of(zone, now.wall), renamed.text())
}

/// The same for machines.
#[must_use]
pub fn renamed_json(renamed: &Renamed, now: Now, zone: &TimeZone) -> String {
    let line = json!({
        "wall_us": now.wall.0,
        "time": clock_of(zone, now.wall),
        "renamed": renamed.was,
        "is": renamed.is,
    });
    line.to_string()
}

fn told_at(told: &Told<'_>) -> UnixTime {
    told.now().wall
}
