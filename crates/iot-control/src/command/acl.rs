//! `iot-control acl export`: the list by which an external broker holds each device to its own topics.

use std::process::ExitCode;

use anyhow::{Context, bail};
use store::Past;

use super::house;
use crate::{
    acl::List,
    cli::Acl,
    printer,
    run::{keys, users::Users},
    settings::{Settings, Switch},
};

/// Prints it.
pub(crate) fn acl(command: &Acl) -> anyhow::Result<ExitCode> {
    let Acl::Export {
        house: folder,
        state,
    } = command;
    house::is_there(folder, "iot-control acl export HOUSE")?;
    let Some(program) = mapping::load(folder).program else {
        bail!(
            "{0}: it does not check, and `iot-control check {0}` says why",
            folder.display()
        );
    };
    let settings = Settings::read(folder)?;
    let user = settings.broker.as_ref().map(|to| to.user.as_deref());
    match user {
        None => printer::tell(
            "the house meets at its own broker, which needs no list; this one is for `broker = \"mqtt://USER@HOST\"` in settings.toml",
        ),
        Some(None) => printer::tell(
            "`broker` in the settings names no user: the list has `iot-control` for the dispatcher; write mqtt://iot-control@HOST",
        ),
        Some(Some(_)) => {}
    }
    let there = state.folder.clone();
    let there = there.unwrap_or_else(|| settings.state_folder(None));
    let users = users(&there);
    let sealed = keys::sealed(&there, &program).with_context(|| {
        format!(
            "which devices have a key, in state folder {}",
            there.display()
        )
    })?;
    let is_told = settings.home_assistant.discovery == Switch::On;
    let told_at = is_told.then_some(&*settings.home_assistant.prefix);
    let list = List::new(&program, user.flatten(), &sealed);
    match list.file(&program, &users, told_at) {
        Ok(file) => printer::results(file),
        Err(line) => bail!(
            "nothing is printed: a line of the list would hold a control character, as a line break, and might give rights that \
             nobody meant: `{}`",
            types::Shown(&line)
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// People, programs and bridges of the state; none where there is no state that can be read.
fn users(folder: &std::path::Path) -> Users {
    let rows = Past::open_untouched(folder)
        .ok()
        .and_then(|past| past.database().users().ok());
    rows.map_or_else(Users::default, |(rows, _)| Users::new(&rows))
}
