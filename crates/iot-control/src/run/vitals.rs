//! What machines hear of a running dispatcher, through [`web`]: its counters as metrics, and whether it keeps what
//! it is told. Asked on the hot thread, five times a second at most.

use std::{
    net::{SocketAddr, TcpListener},
    rc::Rc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use broker::Core;
use mapping::program::DeviceIx;
use store::Health;
use tokio::{sync::mpsc, task::spawn_local};
use web::{Family, Kind, Names, Report, Sample, Web};

use super::{app::App, desk::Desk, status};
use crate::printer;

/// Before each name.
const PREFIX: &str = "iot_control_";

/// Opens the listeners of `web.listen`. In simulation a free port is taken where one is not.
pub(super) fn listen(addresses: &[SocketAddr], simulate: bool) -> anyhow::Result<Vec<TcpListener>> {
    let bind = |address: &SocketAddr| match TcpListener::bind(address) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            if simulate {
                printer::tell(format_args!("{address} is taken; taking a free port"));
                return TcpListener::bind((address.ip(), 0))
                    .with_context(|| format!("listening on a free port of {}", address.ip()));
            }
            Err(anyhow!(
                "{address} is taken: does another dispatcher run here? Stop it, or set another address for metrics \
                 and health, or none: web.listen in settings.toml or IOT_CONTROL__WEB__LISTEN"
            ))
        }
        bound => bound.with_context(|| format!("listening on {address} (web.listen)")),
    };
    addresses.iter().map(bind).collect()
}

/// Answers whoever asks at `listeners`, until the result is dropped; `None`: there are none.
pub(super) fn serve(listeners: Vec<TcpListener>, desk: Rc<Desk>) -> anyhow::Result<Option<Web>> {
    if listeners.is_empty() {
        return Ok(None);
    }
    let name = rustix::system::uname();
    let names = Names::of_machine(&name.nodename().to_string_lossy());
    let (sender, mut questions) = mpsc::channel::<web::Question>(1);
    spawn_local(async move {
        while let Some(question) = questions.recv().await {
            // Whoever asked may be gone.
            drop(question.send(desk.vitals()));
        }
    });
    let web = web::start(listeners, names, sender).context("starting the thread of web.listen")?;
    Ok(Some(web))
}

/// How the house is doing.
pub(super) fn report(core: &Core, app: &App, health: &Health, up: Duration) -> Report {
    let mut families = vec![
        build_info(),
        gauge("uptime_seconds", "Seconds since the start.", up.as_secs()),
    ];
    families.extend(of_house(app));
    let unkept = status::unkept(app, health);
    families.extend(of_store(health, unkept.is_none()));
    families.extend(of_broker(core));
    families.extend(of_uplink(app));
    for family in &mut families {
        family.name.insert_str(0, PREFIX);
    }
    let mut unready: Vec<String> = unkept.into_iter().collect();
    if let Some(uplink) = &app.uplink {
        let why = uplink.trouble();
        unready.extend(why.map(|why| format!("the external broker is not reached: {why}")));
        unready.extend(uplink.rival());
    }
    Report { families, unready }
}

fn gauge(name: &str, help: &str, value: u64) -> Family {
    Family::of(name, help, Kind::Gauge, value)
}

fn counter(name: &str, help: &str, value: u64) -> Family {
    Family::of(name, help, Kind::Counter, value)
}

fn build_info() -> Family {
    let mut info = gauge(
        "build_info",
        "Always 1; the label says which version runs.",
        1,
    );
    let labels = info.samples.iter_mut().map(|sample| &mut sample.labels);
    labels.for_each(|labels| labels.push(("version", env!("CARGO_PKG_VERSION").to_owned())));
    info
}

fn of_house(app: &App) -> Vec<Family> {
    let program = app.dispatcher.program();
    let devices = DeviceIx::all(program.devices.len());
    let online = devices.filter(|device| app.dispatcher.online(*device));
    let refusals = status::refusals(app).into_iter();
    let refusals = refusals.map(|(code, value)| Sample {
        labels: vec![("code", code.to_owned())],
        value,
    });
    vec![
        gauge(
            "devices",
            "Devices of the house.",
            count(program.devices.len()),
        ),
        gauge(
            "devices_online",
            "Devices that are there.",
            count(online.count()),
        ),
        gauge("rules", "Rules in force.", count(program.rules.len())),
        // Goes on over restarts, so it is no counter of this process; it never falls all the same.
        counter(
            "inputs_total",
            "Inputs since the house began: events, states, commands, reloads.",
            app.last().0,
        ),
        counter(
            "inputs_missed_total",
            "Inputs that are not in the journal because it did not take them.",
            app.missed(),
        ),
        Family {
            name: "refusals_total".into(),
            help: "Messages of devices that were refused, or taken with a note, by code.".into(),
            kind: Kind::Counter,
            samples: refusals.collect(),
        },
    ]
}

fn of_store(health: &Health, is_good: bool) -> Vec<Family> {
    vec![
        gauge(
            "store_good",
            "1: inputs are being kept.",
            u64::from(is_good),
        ),
        counter(
            "store_written_total",
            "Number of the last input that is on the disk.",
            health.written.0,
        ),
        gauge(
            "store_waiting_batches",
            "Batches of inputs that wait for the disk.",
            count(health.waiting_batches),
        ),
        gauge(
            "store_waiting_bytes",
            "Their bytes in memory.",
            count(health.waiting_bytes),
        ),
        gauge(
            "journal_bytes",
            "Bytes of the journal on the disk.",
            health.journal_bytes,
        ),
        counter(
            "journal_segments_sacrificed_total",
            "Segments of the oldest past that went early because the disk was full.",
            health.segments_sacrificed,
        ),
        gauge(
            "journal_retention_trouble",
            "1: old data can't be dropped.",
            u64::from(health.retention_trouble.is_some()),
        ),
    ]
}

fn of_uplink(app: &App) -> Vec<Family> {
    let Some(uplink) = &app.uplink else {
        return Vec::new();
    };
    vec![
        gauge(
            "external_broker_reached",
            "1: the external broker is reached.",
            u64::from(uplink.trouble().is_none()),
        ),
        counter(
            "external_broker_lost_total",
            "How often it was lost since the start.",
            uplink.lost(),
        ),
    ]
}

fn of_broker(core: &Core) -> Vec<Family> {
    let stats = core.stats().each().into_iter();
    let family = |stat: broker::Stat| match stat.is_gauge {
        true => gauge(&format!("broker_{}", stat.name), stat.help, stat.value),
        false => counter(
            &format!("broker_{}_total", stat.name),
            stat.help,
            stat.value,
        ),
    };
    stats.map(family).collect()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
