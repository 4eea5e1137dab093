//! Who may log in: users that are added and removed while the house runs.

use serde_json::Value as Json;

use super::Desk;
use crate::{
    control::{NewUser, NewUserKind},
    run::users,
};

impl Desk {
    /// Says why a user can't be added, whatever its password is.
    pub(super) fn may_add(&self, user: &NewUser) -> Result<Json, String> {
        if let NewUserKind::Device(device) = &user.kind {
            self.known(device)?;
            let is_sealed = self.server.enter(|_, app, _| {
                let device = app.dispatcher.program().device(device);
                device.is_some_and(|device| app.dispatcher.is_sealed(device))
            });
            if is_sealed {
                return Err(format!(
                    "{device} has a key and speaks over the sealed link; nobody else may speak for it"
                ));
            }
        }
        let refused = self.server.enter(|_, app, _| {
            let known = app.logins.kept.find(&user.name)?;
            let program = app.dispatcher.program();
            users::is_somebody_else(known, user, |device| program.device(device).is_none())
        });
        refused.map_or(Ok(Json::Null), Err)
    }

    pub(super) async fn add_user(&self, user: NewUser) -> Result<Json, String> {
        let row = users::row(&user).map_err(|error| error.to_string())?;
        let kept = row.clone();
        let _alone = self.users.lock().await;
        self.may_add(&user)?;
        self.change_store(move |database| database.put_user(&kept))
            .await?;
        let is_known = self.server.enter(|core, app, now| {
            let is_known = app.logins.kept.find(&row.name).is_some();
            // Whoever is in with an older password or for another device logs in anew.
            core.set_access(&row.name, None, now, app);
            app.logins.kept.put(&row);
            let known = app.logins.kept.find(&row.name).cloned();
            if let Some(known) = known {
                let access = app.access_of(&row.name, &known);
                core.set_access(&row.name, Some(access), now, app);
            }
            is_known
        });
        Ok(Json::from(users::added(&user, is_known)))
    }

    pub(super) async fn remove_user(&self, name: String) -> Result<Json, String> {
        let row = name.clone();
        let _alone = self.users.lock().await;
        if !self
            .change_store(move |database| database.remove_user(&row))
            .await?
        {
            return Err(format!("there is no user {name}"));
        }
        self.server.enter(|core, app, now| {
            app.logins.kept.remove(&name);
            core.forget_user(&name, now, app);
        });
        Ok(Json::from(format!("{name} is removed; its sessions ended")))
    }
}
