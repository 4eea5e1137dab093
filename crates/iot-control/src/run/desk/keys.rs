//! Devices that get a key while the house runs: kept first, then let in at once.

use mapping::program::Carrier;
use serde_json::Value as Json;
use store::{KeyFolder, StateFolder};

use super::Desk;
use crate::{control::NewDevice, run::keys};

impl Desk {
    pub(super) async fn add_device(&self, new: NewDevice) -> Result<Json, String> {
        self.known(&new.name)?;
        let _alone = self.keys.lock().await;
        let (id, is_ours, before) = self.server.enter(|_, app, _| {
            let program = app.dispatcher.program();
            let device = program.device(&new.name);
            let row = device.map(|device| &program[device]);
            let is_ours = row.is_some_and(|row| row.carrier == Carrier::Own);
            let before = device.and_then(|device| app.sealed.key_of(device));
            (row.map(|row| row.id), is_ours, before)
        });
        if !is_ours {
            let name = &new.name;
            return Err(format!(
                "{name} is no module of ours; only those speak over the sealed link"
            ));
        }
        if let Some(why) = keys::refusal(&new, before.is_some()) {
            return Err(why);
        }
        let row = keys::row(&new, id).map_err(|why| why.to_string())?;
        let folder = KeyFolder::of(&StateFolder::new(&self.state));
        let kept = row.clone();
        let written = tokio::task::spawn_blocking(move || keys::keep(&folder, &kept, before));
        let house = written.await.map_err(|error| error.to_string())?;
        let house = house.map_err(|why| format!("{why:#}"))?;
        Ok(self.server.enter(|core, app, now| {
            let answer = keys::answer(&row, &house, app.sealed.is_listening());
            app.seal(core, now, (row, house), before);
            answer
        }))
    }
}
