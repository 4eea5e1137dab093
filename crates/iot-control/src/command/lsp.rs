//! `iot-control lsp`: a house in an editor, with what a running dispatcher knows of it.

use std::{
    io::{self, BufReader},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use lsp::Values;
use mapping::index::Symbol;
use serde_json::Value as Json;

use crate::{
    cli::Lsp,
    control::{
        Request,
        client::{self, Unanswered},
    },
};

/// An editor that waits longer for a hover seems to hang.
const PATIENCE: Duration = Duration::from_millis(500);

/// Serves until the editor is done.
pub(crate) fn lsp(options: Lsp) -> anyhow::Result<ExitCode> {
    let values = Box::new(Running {
        state: options.state.folder,
    });
    let input = BufReader::new(io::stdin());
    let done = lsp::serve(input, &mut io::stdout().lock(), values);
    let in_order = done.context("talking with the editor")?;
    Ok(if in_order {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The dispatcher that runs on this machine, if any.
struct Running {
    state: Option<PathBuf>,
}

impl Values for Running {
    fn value(&mut self, folder: &Path, symbol: &Symbol) -> Option<String> {
        // A dispatcher that is not there, or runs another house, has nothing to say.
        self.ask(folder, symbol).ok().flatten()
    }
}

impl Running {
    fn ask(&self, folder: &Path, symbol: &Symbol) -> Result<Option<String>, Unanswered> {
        let device = match symbol {
            Symbol::Device(device) | Symbol::Channel(device, _) | Symbol::Field(device, _, _) => {
                Some(device)
            }
            Symbol::Var(_) => None,
            _ => return Ok(None),
        };
        let mut connection = client::connect(self.state.as_deref())?;
        connection.set_patience(PATIENCE)?;
        let house = connection.ask(&Request::House)?;
        let real = folder.canonicalize();
        let same = real.is_ok_and(|real| house["folder"] == real.display().to_string());
        if !same {
            return Ok(None);
        }
        let Some(device) = device else {
            return Ok(plain(&house["vars"][&**symbol.word()]));
        };
        let name = device.to_string();
        let shown = connection.ask(&Request::Device { name })?;
        Ok(match symbol {
            Symbol::Device(_) => {
                let online = shown["online"] == true;
                Some(if online { "online" } else { "offline" }.to_owned())
            }
            Symbol::Channel(_, channel) => channel_value(&shown["channels"][&**channel]),
            Symbol::Field(_, channel, field) => {
                let channel = &shown["channels"][&**channel];
                let reported = plain(&channel["reported"][&**field]);
                let target = plain(&channel["target"][&**field]);
                told(reported, target)
            }
            _ => None,
        })
    }
}

/// What a channel reported, and what it should be where that is something else.
fn channel_value(channel: &Json) -> Option<String> {
    told(fields(&channel["reported"]), fields(&channel["target"]))
}

fn told(reported: Option<String>, target: Option<String>) -> Option<String> {
    match (reported, target) {
        (Some(reported), Some(target)) if reported != target => {
            Some(format!("{reported}, should be {target}"))
        }
        (Some(reported), _) => Some(reported),
        (None, Some(target)) => Some(format!("not reported yet, should be {target}")),
        (None, None) => None,
    }
}

fn fields(values: &Json) -> Option<String> {
    let values = values.as_object()?;
    let each = values
        .iter()
        .filter_map(|(name, value)| Some(format!("{name} = {}", plain(value)?)));
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| each.join(", "))
}

/// A value without quotes.
fn plain(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
