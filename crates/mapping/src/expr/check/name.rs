//! Names: `event.*`, `var.*`, `sun.*`, `now.*`, `D.online`, and where the others are looked up.

use std::ops::Range;

use super::{Checker, Typed, slot::channel_names};
use crate::{
    expr::{kind::Kind, words},
    index::Symbol,
    program::{DeviceIx, EventIx, Expr, Now, Program, Sun},
    suggest::closest,
};

impl Checker<'_, '_, '_> {
    pub(super) fn path(&mut self, range: &Range<usize>, names: &[Range<usize>]) -> Option<Typed> {
        let (first, rest) = names.split_first()?;
        let word = self.written(first);
        if let Some(member) = self.loop_member(word) {
            return self.member(range, member, rest);
        }
        match word {
            "event" => self.event_field(range, rest),
            "state" | "target" => self.slot_of(range, word == "state", rest),
            "var" => self.var(range, rest),
            "sun" => self.sun(range, rest),
            "now" => self.now(range, rest),
            _ => match self.scope.program.device(word) {
                Some(device) => self.device_path(range, device, rest),
                None => self.unknown_root(first, rest),
            },
        }
    }

    /// Reports a word that is none of `candidates`.
    pub(super) fn unknown<'n>(
        &mut self,
        code: &'static str,
        range: &Range<usize>,
        message: String,
        candidates: impl Iterator<Item = &'n str> + Clone,
    ) {
        let near = closest(self.written(range), candidates.clone());
        self.report.error(code, range, message, |e| match near {
            Some(near) => e.help(format!("did you mean `{near}`?")),
            None => {
                let all: Vec<&str> = candidates.take(12).collect();
                if all.is_empty() {
                    e
                } else {
                    e.help(format!("there are: {}", all.join(", ")))
                }
            }
        });
    }

    fn unknown_root(&mut self, first: &Range<usize>, rest: &[Range<usize>]) -> Option<Typed> {
        let program = self.scope.program;
        let word = self.written(first);
        let names = &program.names;
        let devices = names.devices.keys().map(|name| &**name);
        let loops = self.loops.iter().map(|variable| variable.name);
        let near = closest(word, loops.chain(words::names(words::ROOTS)).chain(devices));
        let alone = rest.is_empty();
        let help = if names.groups.contains_key(word) {
            format!(
                "`{word}` is a group: write {word}.all(x, ..), {word}.exists(x, ..) or {word}.count(x, ..)"
            )
        } else if alone && names.vars.contains_key(word) {
            format!("write `var.{word}`")
        } else if alone
            && self
                .scope
                .events
                .iter()
                .any(|event| field(program, *event, word).is_some())
        {
            format!("write `event.{word}`")
        } else if let Some(help) = said_elsewhere(word, alone) {
            help
        } else if let Some(near) = near {
            format!("did you mean `{near}`?")
        } else if alone && matches!(word, "on" | "off") {
            format!("write {}", word == "on")
        } else if alone {
            format!("texts stand in quotes: '{word}'")
        } else {
            "a name begins with event, state, target, var, sun, now or a device".to_owned()
        };
        self.report.error(
            "unknown-name",
            first,
            format!("nothing is called `{word}`"),
            |e| e.help(help),
        );
        None
    }

    /// Reports a path that stops too early or goes on too long.
    pub(super) fn shape(&mut self, range: &Range<usize>, help: impl Into<String>) -> Option<Typed> {
        let message = format!("`{}` names no value", self.written(range));
        self.report
            .error("incomplete-name", range, message, |e| e.help(help));
        None
    }

    /// `DEVICE..` without a root: only `DEVICE.online` is a value.
    fn device_path(
        &mut self,
        range: &Range<usize>,
        device: DeviceIx,
        rest: &[Range<usize>],
    ) -> Option<Typed> {
        let program = self.scope.program;
        let name = &program[device].name;
        let first = range.start..range.start + name.len();
        self.mention(&first, || Symbol::Device(name.clone()));
        if let [word] = rest
            && self.written(word) == "online"
        {
            return Some(Typed::bool(Expr::Online(device)));
        }
        if rest.last().is_some_and(|word| self.is_presence(word)) {
            return self.presence_of(range, device);
        }
        let known = rest
            .first()
            .is_some_and(|word| program.channel(device, self.written(word)).is_some());
        if known {
            let written = self.written(range);
            return self.shape(
                range,
                format!("write `state.{written}` for what it reported, `target.{written}` for what it should be"),
            );
        }
        match rest {
            [] => self.shape(
                range,
                format!("write `{name}.online`, or `state.{name}.CHANNEL`"),
            ),
            [word, ..] => {
                let channels = channel_names(program, device);
                let message = format!("`{name}` has no `{}`", self.written(word));
                self.unknown(
                    "unknown-channel",
                    word,
                    message,
                    std::iter::once("online").chain(channels),
                );
                None
            }
        }
    }

    /// Whether a word asks for what only devices have.
    pub(super) fn is_presence(&self, word: &Range<usize>) -> bool {
        matches!(self.written(word), "online" | "offline")
    }

    /// `D.CH.online`, `D.offline` and the like: being there is asked of the device.
    pub(super) fn presence_of(&mut self, range: &Range<usize>, device: DeviceIx) -> Option<Typed> {
        let name = &self.scope.program[device].name;
        let written = self.written(range);
        let not = if written.ends_with("offline") {
            "!"
        } else {
            ""
        };
        let whose = if written.split('.').count() > 2 {
            "devices are online, not channels: "
        } else {
            ""
        };
        self.shape(range, format!("{whose}write `{not}{name}.online`"))
    }

    /// `event.F`: a field that each triggering event has, with one type.
    fn event_field(&mut self, range: &Range<usize>, rest: &[Range<usize>]) -> Option<Typed> {
        let program = self.scope.program;
        let events = self.scope.events;
        if events.is_empty() {
            let message = format!("no event is at hand for `{}`", self.written(range));
            self.report.error("no-event", range, message, |e| {
                e.help("only a rule whose `when` is an event can read `event.*`")
            });
            return None;
        }
        let [name] = rest else {
            return self.shape(range, "write `event.FIELD`");
        };
        let word = self.written(name);
        let lacking = events
            .iter()
            .find(|event| field(program, **event, word).is_none());
        if let Some(lacking) = lacking {
            self.lacking_field(name, *lacking);
            return None;
        }
        let mut kinds = events
            .iter()
            .filter_map(|event| Some((*event, field(program, *event, word)?)));
        let (first, mut kind) = kinds.next()?;
        for (event, other) in kinds {
            let Some(joined) = kind.joined(&other) else {
                let message = format!(
                    "`event.{word}` is {} in {}, but {} in {}",
                    kind.described(),
                    program.event_path(first),
                    other.described(),
                    program.event_path(event),
                );
                self.report.error("type-mismatch", range, message, |e| {
                    e.help("make one rule for each event")
                });
                return None;
            };
            kind = joined;
        }
        self.mention(name, || Symbol::event_field(program, first, word));
        let place = self.field_place(word, range)?;
        Some(Typed {
            expr: Expr::EventField(place),
            kind,
        })
    }

    /// The place of a field in the rule's list of event fields.
    fn field_place(&mut self, word: &str, range: &Range<usize>) -> Option<u8> {
        let used = &mut self.scope.used_fields;
        let place = used
            .iter()
            .position(|name| &**name == word)
            .unwrap_or_else(|| {
                used.push(word.into());
                used.len() - 1
            });
        let place = u8::try_from(place).ok();
        if place.is_none() {
            let message = "this rule reads more than 256 event fields";
            self.report
                .error("expression-too-costly", range, message, |e| e);
        }
        place
    }

    fn lacking_field(&mut self, name: &Range<usize>, event: EventIx) {
        let program = self.scope.program;
        let word = self.written(name);
        let path = program.event_path(event);
        let fields = program[event].fields.iter().map(|field| &*field.name);
        let elsewhere = self
            .scope
            .events
            .iter()
            .find(|event| field(program, **event, word).is_some());
        if let Some(elsewhere) = elsewhere {
            let message = format!(
                "`{word}` is a field of {}, but not of {path}",
                program.event_path(*elsewhere)
            );
            self.report.error("unknown-field", name, message, |e| {
                e.help("a rule can only read fields that all its events have; make one rule for each event")
            });
        } else if program[event].fields.is_empty() {
            let message = format!("{path} has no fields");
            self.report.error("unknown-field", name, message, |e| e);
        } else {
            self.unknown(
                "unknown-field",
                name,
                format!("{path} has no field `{word}`"),
                fields,
            );
        }
    }

    fn var(&mut self, range: &Range<usize>, rest: &[Range<usize>]) -> Option<Typed> {
        let program = self.scope.program;
        let [name] = rest else {
            return self.shape(range, "write `var.NAME`");
        };
        let word = self.written(name);
        let Some(var) = program.names.vars.get(word).copied() else {
            let vars = program.names.vars.keys().map(|name| &**name);
            self.unknown(
                "unknown-name",
                name,
                format!("no variable is called `{word}`"),
                vars,
            );
            return None;
        };
        self.mention(name, || Symbol::Var(program[var].name.clone()));
        Some(Typed {
            expr: Expr::Var(var),
            kind: Kind::of(&program[var].ty),
        })
    }

    fn sun(&mut self, range: &Range<usize>, rest: &[Range<usize>]) -> Option<Typed> {
        let [name] = rest else {
            return self.shape(range, "write `sun.is_down`, `sun.is_up` or `sun.elevation`");
        };
        let word = self.written(name);
        let typed = match word {
            "is_up" => Typed::bool(Expr::Sun(Sun::IsUp)),
            "is_down" => Typed::bool(Expr::Sun(Sun::IsDown)),
            "elevation" => Typed {
                expr: Expr::Sun(Sun::Elevation),
                kind: number_in(-90.0, 90.0),
            },
            _ => {
                let words = words::names(words::OF_SUN);
                self.unknown(
                    "unknown-field",
                    name,
                    format!("the sun has no `{word}`"),
                    words,
                );
                return None;
            }
        };
        let home = &self.scope.program.home;
        if home.latitude.is_none() || home.longitude.is_none() {
            let message = "the sun needs to know where the house stands";
            self.report.error("home-missing", range, message, |e| {
                e.help("add `latitude` and `longitude` to [home]")
            });
            return None;
        }
        Some(typed)
    }

    fn now(&mut self, range: &Range<usize>, rest: &[Range<usize>]) -> Option<Typed> {
        let [name] = rest else {
            return self.shape(
                range,
                "write `now.hour`, `now.minute`, `now.weekday` or `now.date`",
            );
        };
        let word = self.written(name);
        let (part, kind) = match word {
            "hour" => (Now::Hour, number_in(0.0, 23.0)),
            "minute" => (Now::Minute, number_in(0.0, 59.0)),
            "weekday" => (Now::Weekday, number_in(1.0, 7.0)),
            "date" => (Now::Date, Kind::Text),
            _ => {
                let words = words::names(words::OF_NOW);
                self.unknown(
                    "unknown-field",
                    name,
                    format!("`now` has no `{word}`"),
                    words,
                );
                return None;
            }
        };
        if self.scope.program.home.timezone.is_none() {
            let message = "the time of day needs the home's time zone";
            self.report.error("home-missing", range, message, |e| {
                e.help("add `timezone = \"Europe/Berlin\"` or yours to [home]")
            });
            return None;
        }
        Some(Typed {
            expr: Expr::Now(part),
            kind,
        })
    }
}

/// What stands under another name here, or can't be asked.
fn said_elsewhere(word: &str, alone: bool) -> Option<String> {
    Some(match word {
        "timer" | "timers" => "timers can't be asked: let a variable say it, set where the timer is started and where it ends".to_owned(),
        "msg" | "payload" | "trigger" | "states" => "what an event says is event.FIELD, what a channel reported state.DEVICE.CHANNEL".to_owned(),
        _ if !alone => return None,
        "null" | "nil" | "none" | "None" | "undefined" | "unknown" | "unavailable" => {
            "what was never reported is unknown: ask !has(state.DEVICE.CHANNEL)".to_owned()
        }
        "time" => "the time of day is now.hour and now.minute".to_owned(),
        "day" | "dow" => "the day of the week is now.weekday: 1 is Monday".to_owned(),
        "sunrise" | "sunset" | "dark" | "night" => "the sun is asked with sun.is_up and sun.is_down; a rule waits for it with when = { sun = \"sunset\" }".to_owned(),
        _ => {
            let of = |root: &str, all| {
                words::names(all)
                    .any(|name| name == word)
                    .then(|| format!("write `{root}.{word}`"))
            };
            of("now", words::OF_NOW).or_else(|| of("sun", words::OF_SUN))?
        }
    })
}

fn number_in(min: f64, max: f64) -> Kind {
    Kind::Number { min, max }
}

fn field(program: &Program, event: EventIx, name: &str) -> Option<Kind> {
    let fields = &program[event].fields;
    let field = fields.iter().find(|field| &*field.name == name)?;
    Some(Kind::of(&field.ty))
}
