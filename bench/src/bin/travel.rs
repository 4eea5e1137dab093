//! Writes the state folder of a house that lived until now: `travel FOLDER DAYS EVENTS_A_DAY`. Called by `cargo xtask bench
//! travel`; prints what happened as one line of JSON.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use types::UnixTime;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, days, events] = words.as_slice() else {
        anyhow::bail!("usage: travel FOLDER DAYS EVENTS_A_DAY");
    };
    let days = days.parse().context("DAYS needs a number")?;
    let events = events.parse().context("EVENTS_A_DAY needs a number")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
    let lived = bench::travel::live(Path::new(folder), days, events, UnixTime(now as i64))?;
    println!(
        "{{\"events\":{},\"inputs\":{},\"commands\":{}}}",
        lived.events, lived.inputs, lived.commands
    );
    Ok(())
}
