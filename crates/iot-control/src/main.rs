//! `iot-control`: the dispatcher of a home and its command line.

mod acl;
mod backup;
mod cli;
mod command;
mod control;
mod discover;
mod doctor;
mod hex;
mod kernel;
mod log;
mod login;
mod printer;
mod run;
mod settings;
mod shell;
mod simulate;
mod some_of;
mod whole;
mod whose;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

/// Gives memory back to the system when the thread that took it ends; see [`run`]'s reading of a house.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let is_dispatcher = matches!(cli.command, Command::Run(_));
    log::start(is_dispatcher);
    // Whoever reads a house finds all of an edit or none of it.
    if let Some(house) = cli.command.house()
        && let Err(why) = command::finish_edit(house)
    {
        printer::complain(&why);
        return ExitCode::FAILURE;
    }
    let done = match cli.command {
        Command::Run(options) => run::run(&options),
        Command::Check(options) => command::check(&options),
        Command::Test(options) => command::test(&options),
        Command::Schema(options) => command::schema(&options),
        Command::Export(options) => command::export(&options),
        Command::Import(options) => command::import(&options),
        Command::Edit(options) => command::edit(options),
        Command::Rename(options) => command::rename(&options),
        Command::Lsp(options) => command::lsp(options),
        Command::Press(options) => command::press(options),
        Command::Set(options) => command::set(options),
        Command::Events(options) => command::events(&options),
        Command::Why(options) => command::why(&options),
        Command::WhyNot(options) => command::why_not(&options),
        Command::State(options) => command::state(&options),
        Command::History(options) => command::history(&options),
        Command::Replay(options) => Ok(command::replay(&options)),
        Command::Status(options) => command::status(&options),
        Command::Backup(options) => command::backup(&options),
        Command::Restore(options) => command::restore(&options),
        Command::Doctor(options) => command::doctor(&options),
        Command::Device(options) => command::device(options),
        Command::Tls(options) => command::tls(options),
        Command::User(options) => command::user(options),
        Command::Acl(options) => command::acl(&options),
    };
    let code = done.unwrap_or_else(|why| {
        printer::complain(&why);
        ExitCode::FAILURE
    });
    if is_dispatcher {
        // It ends though nobody reads what it printed.
        return code;
    }
    printer::code_at_the_end(code)
}
