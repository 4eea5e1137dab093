//! The blocklist of a start.

use std::path::Path;

use dispatcher::{Blocklist, Dispatcher};
use mapping::Program;

use crate::{
    cli, printer,
    run::house::{self, House},
};

/// The blocks of the file in `folder`, or why they can't be known, rendered for people.
pub(super) fn read(folder: &Path, program: &Program) -> Result<Blocklist, String> {
    let blocks = house::blocks(folder, program)?;
    if !blocks.warnings.is_empty() {
        printer::tell_drawn(blocks.warnings.trim_end());
    }
    Ok(blocks.list)
}

/// Those that are in force from now on: of the file; where that can't be read, or is gone along with the house's other files,
/// those that were in force last. Where `house` goes on without its files, both.
///
/// # Errors
/// It can't be read and there is no past: nobody knows whom it should keep out.
pub(super) fn of_today(
    read: Result<Blocklist, String>,
    options: &cli::Run,
    house: &House,
    dispatcher: &Dispatcher,
    has_past: bool,
) -> anyhow::Result<Blocklist> {
    let were_in_force = dispatcher.blocklist();
    let goes_on = house.goes_on_since.is_some();
    let is_cleared = goes_on && house::is_cleared(&options.house);
    let list = match read {
        Ok(list) if is_cleared && list != *were_in_force => {
            printer::tell(
                "blocklist.toml is gone along with mapping.toml; the blocks that were in force last stay until it is back",
            );
            were_in_force.clone()
        }
        Ok(list) => list,
        Err(why) => {
            printer::tell_drawn(why.trim_end());
            if !has_past {
                anyhow::bail!("mend blocklist.toml: nobody knows whom it should keep out");
            }
            printer::tell(
                "blocklist.toml is not in force; the blocks that were in force last stay until it is mended",
            );
            were_in_force.clone()
        }
    };
    Ok(match goes_on {
        // What the file lifts may be what has another name in files that are not in force.
        true => were_in_force.or(&list),
        false => list,
    })
}
