//! `iot-control device add`: makes a device's keys, has the dispatcher let it in, and writes the block that is flashed.
//! The device's secret stands in that file and nowhere else.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, anyhow, bail};
use link::Own;
use serde_json::Value as Json;
use wire::{IDENTITY_LEN, Identity, PublicKey, Secret, Site};
use zeroize::Zeroizing;

use super::past::with_what_became;
use crate::{
    cli::State,
    control::{
        Hidden, NewDevice, Request,
        client::{self, Unanswered},
    },
    hex, printer,
    run::keys,
    settings,
};

/// Gives a device a key.
pub(crate) fn add(
    name: &str,
    out: Option<PathBuf>,
    replace: bool,
    state: &State,
) -> anyhow::Result<ExitCode> {
    if !mapping::is_name(mapping::grammar::Names::Device, name) {
        bail!("{} is no name of a device", name.escape_debug());
    }
    let path = out.unwrap_or_else(|| PathBuf::from(format!("{name}.identity")));
    // Before anything is changed: what can't be written helps nobody.
    let mut block = Block::create(&path)?;
    let (secret, psk) = (keys::random()?, keys::random()?);
    let public = Own::new(secret.clone()).public();
    let request = Request::DeviceAdd {
        device: NewDevice {
            name: name.to_owned(),
            key: hex::of(&public.0),
            psk: Hidden(psk.clone()),
            replace,
        },
    };
    let answer = ask(state, &request)?;
    block
        .write((secret, public), psk, &answer)
        .with_context(|| {
            format!(
                "writing {}; {name} is let in with a key that nobody has: try again with --replace",
                path.display()
            )
        })?;
    let handle = answer["handle"].as_str().unwrap_or_default();
    printer::tell(format_args!(
        "{name} has a key ({handle}) and speaks over the sealed link from now on; nobody else speaks for it"
    ));
    printer::tell(format_args!(
        "its identity, with its secret, is in {}: flash it, then delete the file",
        path.display()
    ));
    if answer["is_listening"] == false {
        printer::tell(
            "by MQTT it is heard; by UDP only once udp.listen = [\"0.0.0.0:18884\"] stands in settings.toml and the dispatcher started again",
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The file of an identity; goes unless it is written.
struct Block {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl Block {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(0o600);
        let file = options.open(path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => anyhow!(
                "{} is there already: name another file with --out",
                path.display()
            ),
            _ => anyhow!("{}: {error}", path.display()),
        })?;
        let path = path.to_owned();
        let mut block = Self {
            path,
            file,
            is_written: false,
        };
        block
            .reserve()
            .with_context(|| format!("{}; nothing was changed", block.path.display()))?;
        Ok(block)
    }

    /// Takes the room that it needs: once the device is let in with a key, a full disk must not lose it.
    fn reserve(&mut self) -> io::Result<()> {
        self.file.write_all(&[0; IDENTITY_LEN])?;
        self.file.sync_all()?;
        self.file.rewind()
    }

    fn write(
        &mut self,
        (secret, public): (Secret, PublicKey),
        psk: Secret,
        answer: &Json,
    ) -> anyhow::Result<()> {
        let text = |key: &str| answer[key].as_str().unwrap_or_default();
        let dispatcher = hex::read(text("dispatcher")).context("no key of a dispatcher")?;
        let site = hex::read(text("site")).context("no site")?;
        let identity = Identity {
            flags: 0,
            device_secret: secret,
            device_public: public,
            dispatcher: PublicKey(dispatcher),
            dispatcher_next: None,
            psk,
            site: Site(site),
            seed: keys::random()?,
            // Nobody may sign updates yet.
            ota_key: PublicKey([0; 32]),
        };
        let bytes = Zeroizing::new(identity.encode());
        self.file.write_all(&bytes[..])?;
        self.file.sync_all()?;
        self.is_written = true;
        Ok(())
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if !self.is_written {
            // An empty file, or part of an identity that is let in nowhere.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The devices of the dispatcher that runs; where none does, those that have a key.
pub(super) fn list(state: &State) -> anyhow::Result<Json> {
    match client::connect(state.folder.as_deref()) {
        Ok(mut connection) => Ok(connection.ask(&Request::Devices)?),
        Err(not_running @ Unanswered::NotRunning(_)) => {
            let folder = state.folder.clone();
            let folder = folder.unwrap_or_else(settings::default_state_folder);
            let known = keys::list(&folder);
            let known = known.with_context(|| format!("state folder {}", folder.display()))?;
            if known.is_empty() {
                return Err(not_running.into());
            }
            printer::tell("no dispatcher is running here; these devices have a key");
            Ok(Json::Array(known))
        }
        Err(other) => Err(other.into()),
    }
}

/// Through the control socket; where no dispatcher runs, in the state folder itself.
fn ask(state: &State, request: &Request) -> anyhow::Result<Json> {
    match client::connect(state.folder.as_deref()) {
        Ok(mut connection) => {
            let name = match request {
                Request::DeviceAdd { device } => Some(device.name.clone()),
                _ => None,
            };
            let answer = connection.ask(request);
            answer.map_err(|why| with_what_became(why, state.folder.as_deref(), name.as_slice()))
        }
        Err(Unanswered::NotRunning(_)) => {
            let folder = state.folder.clone();
            let folder = folder.unwrap_or_else(settings::default_state_folder);
            keys::offline(&folder, state.folder.is_some(), request)
                .with_context(|| format!("state folder {}", folder.display()))
        }
        Err(other) => Err(other.into()),
    }
}
