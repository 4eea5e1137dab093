//! What happens in the house: sensors report, people walk about and press buttons, doors open. The same at each run.

use std::{f64::consts::TAU, time::Duration};

use super::home::Home;

/// Lets `events` events happen over `span`; gives how many there were.
pub(super) fn live(home: &mut Home, events: u64, span: Duration) -> anyhow::Result<u64> {
    let rooms = home.rooms();
    let each_us = span.as_micros() as u64 / events.max(1);
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    // Who moves, presses or opens is still at it when the next event comes.
    let mut ending: Option<(String, &'static str, String)> = None;
    for n in 0..events {
        home.pass(Duration::from_micros(each_us))?;
        if let Some((room, topic, payload)) = ending.take() {
            home.says(&room, topic, &payload)?;
            continue;
        }
        let room = format!("room{}", dice.below(rooms));
        let day = TAU * n as f64 * each_us as f64 / 86_400e6;
        let said = match dice.below(100) {
            0..=39 => {
                let lux = (200.0 - 200.0 * day.cos()) as u64 + dice.below(20);
                ("lux/state", lux.to_string())
            }
            40..=69 => {
                let temp = 20.5 - 1.5 * day.cos() + dice.below(10) as f64 / 10.0;
                ("temp/state", format!("{temp:.1}"))
            }
            70..=89 => {
                ending = Some((
                    room.clone(),
                    "motion/event",
                    r#"{"event":"stop"}"#.to_owned(),
                ));
                ("motion/event", r#"{"event":"start"}"#.to_owned())
            }
            90..=93 => {
                ending = Some((
                    room.clone(),
                    "button/event",
                    r#"{"event":"release"}"#.to_owned(),
                ));
                ("button/event", r#"{"event":"press"}"#.to_owned())
            }
            94..=95 => {
                ending = Some((
                    room.clone(),
                    "contact/event",
                    r#"{"event":"close"}"#.to_owned(),
                ));
                ("contact/event", r#"{"event":"open"}"#.to_owned())
            }
            _ => {
                let (key, velocity) = (36 + dice.below(61), 1 + dice.below(127));
                let press = format!(r#"{{"event":"press","key":{key},"velocity":{velocity}}}"#);
                ("keys/event", press)
            }
        };
        home.says(&room, said.0, &said.1)?;
    }
    Ok(events)
}

/// Xorshift: good enough for who enters which room.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}
