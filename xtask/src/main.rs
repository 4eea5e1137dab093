//! `cargo xtask`: tests, tidy, peers, benches and the checks of continuous integration.
//!
//! Called by people and by `.ci/run`. Knows the workspace from outside (`cargo metadata`, files, the built
//! binary); links none of its crates, so that it builds while they don't.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for a terminal: what it prints is its result"
)]

mod bench;
mod ci;
mod conformance;
mod fault;
mod firmware;
mod fuzz;
mod homeassistant;
mod metadata;
mod nodered;
mod package;
mod peers;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND
  test [--require-peers]   every test: unit, end to end, docs, example houses
  peers [--bench]          installs MQTT.js, paho and zeroconf for the end-to-end tests into target/peers; for benches also
                           aedes and Node-RED
  homeassistant            the real Home Assistant beside the dispatcher; installs it into target/peers (Python 3.11)
  nodered                  the real Node-RED beside the dispatcher; installs it into target/peers (node and npm)
  conformance PATH         Eclipse's MQTT test suite, from a checkout of paho.mqtt.testing, against the dispatcher
                           (--version 3.1.1 or 5.0, --test NAME)
  tidy                     what compilers don't check: crate edges, licences, file sizes, module docs, links
  check                    formatting, tidy, cargo deny where installed, clippy and docs without a warning
  firmware                 what modules hold, built for their processors
  package [--arch arm64]   a Debian package, unpacked, looked at and its unit judged by systemd; needs cargo-deb. For another
                           architecture it is cross-built, and its binary runs in an emulator
  ci                       check, then test --require-peers
  bench [--quick]          latency, throughput and memory beside mosquitto's bare relay, mosquitto with a Python dict and
                           with Node-RED, and aedes (--runs N, --rules N,..); --ours: the dispatcher alone, which takes a minute
  bench engine [--quick]   matching beside a scan, loading, memory, conditions beside CEL and Rhai
  bench travel             questions about two weeks of a house (--days N, --events N, --runs N)
  fault [NAME.. | all]     what a house survives: kill -9, disks, clocks, crowds (--quick); lists them without a name
  fuzz [TARGET..]          random input for each parser, led by what it reaches (--seconds N each; --quick)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => test::run(false),
        ["test", "--require-peers"] => test::run(true),
        ["peers"] => peers::install(false),
        ["peers", "--bench"] => peers::install(true),
        ["homeassistant"] => homeassistant::run(),
        ["nodered"] => nodered::run(),
        ["conformance", options @ ..] => match conformance::Options::parse(options) {
            Ok(options) => conformance::run(&options),
            Err(error) => return wrong_usage(&format!("{error:#}")),
        },
        ["tidy"] => tidy::run(),
        ["check"] => ci::checks(),
        ["firmware"] => firmware::run(),
        ["package", options @ ..] => match package::Architecture::parse(options) {
            Ok(other) => package::run(other),
            Err(error) => return wrong_usage(&format!("{error:#}")),
        },
        ["ci"] => ci::run(),
        ["bench", "engine", options @ ..] => match bench::engine::parse(options) {
            Ok(quick) => bench::engine::run(quick),
            Err(error) => return wrong_usage(&format!("{error:#}")),
        },
        ["bench", "travel", options @ ..] => match bench::travel::Options::parse(options) {
            Ok(options) => bench::travel::run(&options),
            Err(error) => return wrong_usage(&format!("{error:#}")),
        },
        // Started by the bench itself.
        ["bench", "null-peer", address] => bench::broker::null::run(address),
        ["bench", options @ ..] => match bench::broker::Options::parse(options) {
            Ok(options) => bench::broker::run(&options),
            Err(error) => return wrong_usage(&format!("{error:#}")),
        },
        ["fault", options @ ..] => match fault::Options::parse(options) {
            Ok(options) => fault::run(&options),
            Err(error) => return wrong_usage(&format!("{error:#}")),
        },
        ["fuzz", options @ ..] => match fuzz::Options::parse(options) {
            Ok(options) => fuzz::run(&options),
            Err(error) => return wrong_usage(&format!("{error:#}")),
        },
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => return wrong_usage("no such command"),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn wrong_usage(why: &str) -> ExitCode {
    eprintln!("error: {why}\n\n{USAGE}");
    ExitCode::from(2)
}
