//! Keys of devices on the sealed link, as commands change them: with and without a running dispatcher. The device's own
//! secret is made where the command runs, and never comes here.

use std::path::Path;

use anyhow::{anyhow, bail};
use mapping::{Program, program::DeviceIx};
use serde_json::{Value as Json, json};
use store::{HouseKeys, KeyError, KeyFolder, SealedDevice, StateFolder};
use types::DeviceId;
use wire::{Handle, PublicKey, Secret, Site};
use zeroize::Zeroizing;

use crate::{
    acl,
    control::{NewDevice, Request},
    hex, printer,
};

/// A secret of random bytes.
///
/// # Errors
/// The system gives none.
pub(crate) fn random() -> anyhow::Result<Secret> {
    let mut bytes = Zeroizing::new([0; 32]);
    fill(&mut bytes[..])?;
    Ok(Secret::new(*bytes))
}

fn fill(bytes: &mut [u8]) -> anyhow::Result<()> {
    getrandom::fill(bytes).map_err(|error| anyhow!("no random bytes: {error}"))
}

/// Who the house is; made where nobody needed it before.
///
/// # Errors
/// What is there can't be read, or what is made can't be kept.
pub(crate) fn house(folder: &KeyFolder) -> anyhow::Result<HouseKeys> {
    if let Some(known) = known(folder)? {
        return Ok(known);
    }
    let mut site = [0; 8];
    fill(&mut site)?;
    let made = HouseKeys {
        site: Site(site),
        secret: random()?,
        resets: random()?,
    };
    folder.begin(&made)?;
    Ok(made)
}

/// Who the house is; `None`: nobody needed that before. What is damaged and of no device is put aside, and told.
///
/// # Errors
/// What devices know it by can't be read; the disk refuses.
pub(crate) fn known(folder: &KeyFolder) -> anyhow::Result<Option<HouseKeys>> {
    match folder.house() {
        Err(KeyError::Damaged(path)) if nobody_has_a_key(folder)? => {
            let aside = folder.put_house_aside()?;
            printer::tell(format_args!(
                "{} was damaged, and no device has a key: it is {} now, and the house gets new keys",
                path.display(),
                aside.display()
            ));
            Ok(None)
        }
        known => Ok(known?),
    }
}

fn nobody_has_a_key(folder: &KeyFolder) -> anyhow::Result<bool> {
    let (known, damaged) = folder.devices()?;
    Ok(known.is_empty() && damaged.is_empty())
}

/// What is kept of a new device.
///
/// # Errors
/// Its public key is none.
pub(crate) fn row(new: &NewDevice, id: Option<DeviceId>) -> anyhow::Result<SealedDevice> {
    let key = hex::read(&new.key).ok_or_else(|| anyhow!("this is no public key"))?;
    Ok(SealedDevice {
        name: new.name.clone(),
        id,
        key: PublicKey(key),
        psk: new.psk.0.clone(),
    })
}

/// Lets a device in. Its key of before goes first: a lost device is never one of two that are let in.
///
/// # Errors
/// The disk refuses.
pub(crate) fn keep(
    folder: &KeyFolder,
    row: &SealedDevice,
    before: Option<PublicKey>,
) -> anyhow::Result<HouseKeys> {
    let house = house(folder)?;
    if let Some(before) = before {
        folder.remove(&before)?;
    }
    folder.put(row)?;
    Ok(house)
}

/// Whether a row of the mapping is this device: a number outlives a rename, a name counts until it is known.
pub(super) fn is_of(device: (Option<DeviceId>, &str), row: &mapping::program::Device) -> bool {
    match device {
        (Some(id), _) => row.id == id,
        (None, name) => *row.name == *name,
    }
}

/// The devices of `program` that have a key in a state folder; changes nothing, and makes nothing where there is nothing.
///
/// # Errors
/// Nobody here can read the keys.
pub(crate) fn sealed(folder: &Path, program: &Program) -> anyhow::Result<acl::Sealed> {
    let keys = KeyFolder::of(&StateFolder::new(folder));
    if nobody_has_a_key(&keys)? {
        return Ok(acl::Sealed::new());
    }
    let Some(house) = keys.house()? else {
        return Ok(acl::Sealed::new());
    };
    let (known, _) = keys.devices()?;
    let rows = known.iter().filter_map(|known| {
        let is_it = |row: &mapping::program::Device| is_of((known.id, &known.name), row);
        let place = program.devices.iter().position(is_it)?;
        Some((DeviceIx(place as u32), (house.site, Handle::of(&known.key))))
    });
    Ok(rows.collect())
}

/// Notes the number and the name that a device has in the mapping in force: by its number it is known through renames.
pub(crate) fn follow(folder: &KeyFolder, device: &mut SealedDevice, program: &Program) {
    let is_it = |row: &&mapping::program::Device| is_of((device.id, &device.name), row);
    let Some(row) = program.devices.iter().find(is_it) else {
        return;
    };
    if device.id == Some(row.id) && *device.name == *row.name {
        return;
    }
    device.id = Some(row.id);
    device.name = row.name.to_string();
    if let Err(why) = folder.put(device) {
        tracing::warn!(device = %row.name, %why, "its name can't be kept with its key");
    }
}

/// Why a device that has a key gets no other; `None`: it does.
pub(crate) fn refusal(new: &NewDevice, has_key: bool) -> Option<String> {
    let name = &new.name;
    (has_key && !new.replace).then(|| {
        format!("{name} has a key already; --replace gives it a new one, and the old one no longer works")
    })
}

/// What the command that asked needs to know.
pub(crate) fn answer(row: &SealedDevice, house: &HouseKeys, is_listening: bool) -> Json {
    let public = link::Own::new(house.secret.clone()).public();
    json!({
        "handle": Handle::of(&row.key).to_string(),
        "dispatcher": hex::of(&public.0),
        "site": hex::of(&house.site.0),
        "is_listening": is_listening,
    })
}

/// Does what a request asks for in a state folder where no dispatcher runs.
///
/// # Errors
/// The folder is in use or can't be opened, or what the request asks for can't be done.
pub(crate) fn offline(folder: &Path, is_named: bool, request: &Request) -> anyhow::Result<Json> {
    if !is_named && !folder.join("house.db").exists() {
        bail!(
            "no house has its state there; start the dispatcher first, or name its folder with --state"
        );
    }
    // Checked and locked, as at a start.
    let _store = store::Store::open(folder, store::Options::default())?;
    let keys = KeyFolder::of(&StateFolder::new(folder));
    let (known, damaged) = keys.devices()?;
    match request {
        Request::DeviceAdd { device } => {
            // It may be this device's, which would have two keys once it is mended.
            if let Some(damaged) = damaged.first().filter(|_| !device.replace) {
                bail!("{damaged}");
            }
            let before = known.iter().find(|known| known.name == device.name);
            if let Some(why) = refusal(device, before.is_some()) {
                bail!(why);
            }
            let row = row(device, before.and_then(|before| before.id))?;
            let house = keep(&keys, &row, before.map(|before| before.key))?;
            // Nobody listens anyhow.
            Ok(answer(&row, &house, true))
        }
        _ => Err(anyhow!("this needs a running dispatcher")),
    }
}

/// The devices that have a key; changes nothing, and makes nothing where there is nothing.
///
/// # Errors
/// Others can read the keys, or nobody can.
pub(crate) fn list(folder: &Path) -> anyhow::Result<Vec<Json>> {
    let keys = KeyFolder::of(&StateFolder::new(folder));
    keys.examine()?;
    let (known, damaged) = keys.devices()?;
    for damaged in damaged {
        printer::tell(damaged);
    }
    let rows = known.iter().map(|row| {
        json!({
            "name": row.name,
            "id": row.id.map_or(0, |id| id.0),
            "sealed": Handle::of(&row.key).to_string(),
        })
    });
    Ok(rows.collect())
}
