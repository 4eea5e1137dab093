//! `iot-control user ..`: through the running dispatcher where there is one, so that it takes effect
//! at once, else in the database of the state folder.

use std::{
    io::{BufRead, IsTerminal},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, bail};

use super::past::with_what_became;
use crate::{
    cli::{State, User},
    control::{
        NewUser, NewUserKind, Request,
        client::{self, Unanswered},
    },
    login, printer,
    run::users,
    settings,
};

/// Adds, lists or removes users.
pub(crate) fn user(command: User) -> anyhow::Result<ExitCode> {
    match command {
        User::Add {
            name,
            device,
            tool,
            bridge,
            read,
            password_stdin,
            state,
        } => {
            let is_tool = tool || !bridge.is_empty();
            if !read.is_empty() && !is_tool {
                bail!("--read goes with --tool or --bridge; a person reads the whole house");
            }
            let kind = match device {
                Some(device) => NewUserKind::Device(device),
                None if is_tool => NewUserKind::Tool { bridge, read },
                None => NewUserKind::Person,
            };
            let user = NewUser {
                name,
                kind,
                hash: String::new(),
            };
            add(user, password_stdin, &state)?;
        }
        User::List { json, state } => list(json, &state)?,
        User::Remove { name, state } => {
            let said = ask(&state, &Request::UserRemove { name })?;
            printer::tell(said.as_str().unwrap_or_default());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add(user: NewUser, password_stdin: bool, state: &State) -> anyhow::Result<()> {
    let (hash, generated) = if password_stdin || user.kind == NewUserKind::Person {
        let password = read_password(&user.name, password_stdin)?;
        (login::hash_chosen(&password)?, None)
    } else {
        let password = login::generate()?;
        (login::hash_generated(&password), Some(password))
    };
    let user = NewUser { hash, ..user };
    // What nobody lets in needs no password.
    users::row(&user)?;
    let is_shown = generated.is_some();
    if let Some(password) = generated {
        // Nor does what can't be reached, or refuses.
        let asked = user.clone();
        ask(state, &Request::UserMay { user: asked })?;
        // Before it counts: a login that nobody was told would keep out whoever had the old one.
        printer::tell(format_args!(
            "the password of {}, shown this once:",
            user.name
        ));
        printer::once(&password).context("the password can't be shown, so nothing was changed")?;
    }
    let said = ask(state, &Request::UserAdd { user }).with_context(|| match is_shown {
        true => "nothing was changed, and the password above is nobody's",
        false => "nothing was changed",
    })?;
    printer::tell(said.as_str().unwrap_or_default());
    Ok(())
}

fn list(json: bool, state: &State) -> anyhow::Result<()> {
    let users = ask(state, &Request::Users)?;
    if json {
        printer::result(users);
        return Ok(());
    }
    let users = users.as_array().map(Vec::as_slice).unwrap_or_default();
    if users.is_empty() {
        printer::tell(
            "no users yet; a module gets one with `iot-control user add NAME --device DEVICE`",
        );
    }
    for user in users {
        let text = |key: &str| user[key].as_str().unwrap_or_default().to_owned();
        let filters = |key: &str| {
            let all = user[key].as_array().map(Vec::as_slice).unwrap_or_default();
            let all: Vec<&str> = all.iter().filter_map(|one| one.as_str()).collect();
            all.join(" ")
        };
        let (bridge, read) = (filters("bridge"), filters("read"));
        let read = match &*read {
            "" => String::new(),
            read => format!("  reads {read}"),
        };
        let nobody = match user["speaks_for_nobody"] == true {
            true => "  which the house does not have: it speaks for nobody",
            false => "",
        };
        printer::result(format!(
            "{:<8}{:<24}{}{bridge}{read}{nobody}",
            text("kind"),
            text("name"),
            text("device")
        ));
    }
    Ok(())
}

/// Through the control socket; where no dispatcher runs, on the database itself.
fn ask(state: &State, request: &Request) -> anyhow::Result<serde_json::Value> {
    match client::connect(state.folder.as_deref()) {
        Ok(mut connection) => {
            let device = match request {
                Request::UserMay { user } | Request::UserAdd { user } => user.kind.device(),
                _ => None,
            };
            let answer = connection.ask(request);
            let names = device.map(str::to_owned);
            answer.map_err(|why| with_what_became(why, state.folder.as_deref(), names.as_slice()))
        }
        Err(Unanswered::NotRunning(_)) => {
            let folder = state
                .folder
                .clone()
                .unwrap_or_else(settings::default_state_folder);
            users::offline(&folder, state.folder.is_some(), request).with_context(|| at(&folder))
        }
        Err(other) => Err(other.into()),
    }
}

fn at(folder: &Path) -> String {
    format!("state folder {}", folder.display())
}

pub(super) fn read_password(name: &str, from_stdin: bool) -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if !from_stdin {
        if !stdin.is_terminal() {
            bail!("there is no terminal to ask for a password; give it with --password-stdin");
        }
        return rpassword::prompt_password(format!("password for {name}: "))
            .context("reading the password");
    }
    let mut line = String::new();
    stdin
        .lock()
        .read_line(&mut line)
        .context("reading the password from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
