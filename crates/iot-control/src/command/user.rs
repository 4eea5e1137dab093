//! `iot-control user ..`: through the running dispatcher where there is one, so that it takes effect
//! at once, else in the database of the state folder.

use std::{
    io::{BufRead, IsTerminal},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, bail};

use crate::{
    cli::{State, User},
    control::{
        NewUser, Request,
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
            password_stdin,
            state,
        } => {
            add(name, device, tool, password_stdin, &state)?;
        }
        User::List { json, state } => list(json, &state)?,
        User::Remove { name, state } => {
            let said = ask(&state, &Request::UserRemove { name })?;
            printer::tell(said.as_str().unwrap_or_default());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add(
    name: String,
    device: Option<String>,
    tool: bool,
    password_stdin: bool,
    state: &State,
) -> anyhow::Result<()> {
    let kind = match (&device, tool) {
        (Some(_), _) => "device",
        (None, true) => "tool",
        (None, false) => "person",
    };
    let (hash, generated) = if password_stdin || kind == "person" {
        (
            login::hash_chosen(&read_password(&name, password_stdin)?)?,
            None,
        )
    } else {
        let password = login::generate()?;
        (login::hash_generated(&password), Some(password))
    };
    let user = NewUser {
        name,
        kind: kind.to_owned(),
        device,
        hash,
    };
    let said = ask(state, &Request::UserAdd { user })?;
    printer::tell(said.as_str().unwrap_or_default());
    if let Some(password) = generated {
        printer::tell("its password, shown this once:");
        printer::result(password);
    }
    Ok(())
}

fn list(json: bool, state: &State) -> anyhow::Result<()> {
    let users = ask(state, &Request::Users)?;
    if json {
        printer::result(users);
        return Ok(());
    }
    for user in users.as_array().into_iter().flatten() {
        let text = |key: &str| user[key].as_str().unwrap_or_default().to_owned();
        printer::result(format!(
            "{:<8}{:<24}{}",
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
        Ok(mut connection) => Ok(connection.ask(request)?),
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

fn read_password(name: &str, from_stdin: bool) -> anyhow::Result<String> {
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
