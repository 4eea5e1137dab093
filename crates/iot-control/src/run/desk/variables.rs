//! Variables that a person sets by hand.

use dispatcher::Input;
use mapping::{Program, program::VarIx, suggest};
use replay::Target;
use serde_json::Value as Json;

use super::Desk;
use crate::simulate;

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
        let what = match other {
            Target::Channel(_) | Target::Slot(_) => format!(
                "; ask for a target with an MQTT client, on iot/{}/set",
                asked.split('.').take(2).collect::<Vec<_>>().join("/")
            ),
            _ => String::new(),
        };
        return Err(format!("{shown} is no variable{what}"));
    }
    let near = suggest::closest(bare, names.keys().map(|name| &**name));
    let hint = match near {
        Some(near) => format!("; did you mean {near}?"),
        None if names.is_empty() => "; it has none".to_owned(),
        None => {
            let all: Vec<&str> = names.keys().map(|name| &**name).collect();
            format!("; there are {}", all.join(", "))
        }
    };
    Err(format!("the house has no variable {shown}{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str) -> Result<String, String> {
        let house = "format = 1\n[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\n\
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
                "the house has no variable temperature; there are mood, night",
            ),
            (
                "hall.lamp",
                "hall.lamp is no variable; ask for a target with an MQTT client, on iot/hall/lamp/set",
            ),
            ("hall", "hall is no variable"),
        ] {
            assert_eq!(asked(name), Err(said.to_owned()), "{name}");
        }
    }
}
