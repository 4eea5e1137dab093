//! Variables that a person sets by hand.

use dispatcher::Input;
use mapping::{Program, program::VarIx};
use replay::Target;
use serde_json::Value as Json;

use super::Desk;
use crate::{simulate, some_of::instead};

impl Desk {
    /// In force at once; in the journal before anybody hears that it is.
    pub(super) async fn set(&self, name: &str, text: &str) -> Result<Json, String> {
        let (said, last) = self.server.enter(|core, app, now| {
            let program = app.dispatcher.program();
            let var = variable(program, name)?;
            let (name, ty) = (program[var].name.to_string(), &program[var].ty);
            let to = simulate::value_of(&format!("var.{name}"), ty, text)
                .map_err(|wrong| wrong.to_string())?;
            let was = app.dispatcher.engine().var(var).clone();
            if was == to {
                return Ok((format!("var.{name} was {to} already"), None));
            }
            let said = format!("var.{name} is {to} (before: {was})");
            app.command(core, now, Input::Var { var, to });
            Ok::<_, String>((said, Some(app.hand_over(now))))
        })?;
        let unkept = match last {
            Some(last) => self.unkept(last).await?,
            None => None,
        };
        match unkept {
            None => Ok(Json::from(said)),
            Some(why) => Err(format!("{said}; but {why}. A restart would not know of it")),
        }
    }
}

/// The variable that somebody means: `var.night`, or its bare name.
fn variable(program: &Program, asked: &str) -> Result<VarIx, String> {
    let bare = asked.strip_prefix("var.").unwrap_or(asked);
    let names = &program.names.vars;
    if let Some(var) = names.get(bare) {
        return Ok(*var);
    }
    let shown = asked.escape_debug();
    if let Some(other) = Target::find(program, asked) {
        return Err(format!("{shown} is no variable{}", way_to(program, &other)));
    }
    let hint = instead(bare, names.keys()).unwrap_or_else(|| "; it has none".to_owned());
    Err(format!("the house has no variable {shown}{hint}"))
}

/// How something that is no variable is told what to do, where it can be.
fn way_to(program: &Program, target: &Target) -> String {
    let (channel, is_told) = match target {
        Target::Channel(channel) => (*channel, true),
        Target::Slot(slot) => (program[*slot].channel, program[*slot].settable),
        _ => return String::new(),
    };
    let row = &program[channel];
    if is_told && (row.consumer || !row.commands.is_empty()) {
        let topic = program.channel_path(channel).replace('.', "/");
        format!("; ask for a target with an MQTT client, on iot/{topic}/set")
    } else {
        "; it says how it is, and can't be told".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str) -> Result<String, String> {
        let house = "format = 1\n[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\nio.lux = { kind = \"lux\" }\n\
                     [var]\nnight = { kind = \"bool\" }\nmood = { kind = \"text\", values = [\"calm\", \"wild\"] }\n";
        let loaded = mapping::load_texts([("mapping.toml", house.to_owned())]);
        let program = loaded.program.expect("it checks");
        variable(&program, name).map(|var| program[var].name.to_string())
    }

    #[test]
    fn a_variable_is_found_by_either_name_and_others_are_told_what_they_are() {
        assert_eq!(asked("var.night").as_deref(), Ok("night"));
        assert_eq!(asked("mood").as_deref(), Ok("mood"));
        for (name, said) in [
            (
                "nigth",
                "the house has no variable nigth; did you mean night?",
            ),
            (
                "var.nigth",
                "the house has no variable var.nigth; did you mean night?",
            ),
            (
                "temperature",
                "the house has no variable temperature; it has mood, night",
            ),
            (
                "hall.lamp",
                "hall.lamp is no variable; ask for a target with an MQTT client, on iot/hall/lamp/set",
            ),
            (
                "hall.lamp.on",
                "hall.lamp.on is no variable; ask for a target with an MQTT client, on iot/hall/lamp/set",
            ),
            (
                "hall.lux",
                "hall.lux is no variable; it says how it is, and can't be told",
            ),
            ("hall", "hall is no variable"),
        ] {
            assert_eq!(asked(name), Err(said.to_owned()), "{name}");
        }
    }
}
