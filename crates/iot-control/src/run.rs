//! `iot-control run`: settings, house, state, broker, modules; then events until somebody ends it.

mod announce;
mod app;
mod arrival;
mod clock;
pub(crate) mod concerns;
mod configure;
mod descriptors;
pub(crate) mod desk;
mod historian;
mod home_assistant;
pub(crate) mod house;
mod identity;
mod journal;
mod keeper;
pub(crate) mod keys;
mod mdns;
mod recover;
mod refusals;
mod room;
mod sealed;
mod show;
mod status;
pub(crate) mod stream;
mod supervisor;
mod tell;
pub(crate) mod tls;
pub(crate) mod uplink;
pub(crate) mod users;
mod vitals;
mod watch;

use std::{
    cell::RefCell, future::Future, net::SocketAddr, path::Path, process::ExitCode, rc::Rc,
    sync::Arc, time,
};

use anyhow::{Context, anyhow, bail};
use broker::{Core, Limits, tcp};
use dispatcher::explain::Explainer;
use mapping::Program;
use store::StoreHandle;
use tokio::{
    net::{TcpListener, TcpSocket},
    signal::unix::{Signal, SignalKind, signal},
    task::{LocalSet, spawn_local},
};
use types::Now;

use crate::{
    cli,
    control::{client::SOCKET, server::Socket},
    log, printer,
    settings::{self, Anonymous, Settings, Switch},
    simulate::{self, Transport},
    whose,
};
pub(crate) use announce::count;
pub(crate) use clock::Machine;
pub(crate) use descriptors::wanted as descriptors_wanted;

use announce::Announcement;
use app::App;
use desk::Desk;
use historian::Historian;
use home_assistant::Announcer;
use house::House;
use uplink::Uplink;

/// How long the end waits for texts to people that have not left yet.
const LAST_WORDS_MAX: time::Duration = time::Duration::from_secs(3);

/// Connections that the kernel may hold for us before they are accepted.
const BACKLOG: u32 = 1_024;

/// Runs the dispatcher of a house until SIGINT or SIGTERM.
pub(crate) fn run(options: &cli::Run) -> anyhow::Result<ExitCode> {
    let started = time::Instant::now();
    let people = printer::detach()?;
    let done = start(options, started);
    if let Err(why) = &done {
        printer::complain(why);
    }
    people.finish();
    Ok(if done.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn start(options: &cli::Run, started: time::Instant) -> anyhow::Result<()> {
    let settings = configure::settings(options)?;
    let house::Reading { house, reads } = house::read_to_start(&options.house);
    let seen = watch::Seen::new(&options.house, reads.unwrap_or_default());
    let house = match house {
        Ok(house) => unless_emptied(options, &settings, house)?,
        Err(why) => go_on(options, &settings, &why)?,
    };
    log::go_by(Explainer::new(&house.program).zone().clone());
    if !house.warnings.is_empty() {
        printer::tell_drawn(house.warnings.trim_end());
    }
    if house.tests_left > 0 {
        printer::tell(format_args!(
            "{} tests of this house were left out of the start, for they take long; run them with `iot-control test`",
            house.tests_left
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // A port that is taken ends a start before it told or changed anything.
    let certificate = tls::Files::of(&settings, &options.house)?;
    let listeners = {
        let _sockets_belong_to = runtime.enter();
        listen(&settings, options.simulate)?
    };
    let open = Open {
        listeners,
        udp: sealed::udp::listen(&settings)?,
        web: vitals::listen(&settings.web.listen, options.simulate)?,
    };
    let recovered = recover::recover(options, &settings, house, &Machine::read())?;
    log::go_by(Explainer::new(&recovered.house.program).zone().clone());
    let tasks = LocalSet::new();
    tasks.block_on(
        &runtime,
        serve(
            options,
            &settings,
            (open, certificate),
            (recovered, seen),
            started,
        ),
    )?;
    Ok(())
}

/// The house that was in force last, where the files can't come into force because of `why`: whoever comes home to a power cut
/// needs light first.
fn go_on(options: &cli::Run, settings: &Settings, why: &str) -> anyhow::Result<House> {
    printer::tell_drawn(why.trim_end());
    let folder = options.house.display();
    let refused = format!("{folder}: this house can't come into force");
    if options.replace_house {
        bail!("{refused}");
    }
    match last_in_force(options, settings)? {
        Some(house) => Ok(house),
        None => bail!("{refused}"),
    }
}

/// `house`, unless it has lost all devices of the house that was in force last: then that one.
fn unless_emptied(options: &cli::Run, settings: &Settings, house: House) -> anyhow::Result<House> {
    if options.replace_house || !house.program.devices.is_empty() {
        return Ok(house);
    }
    let Some(last) = last_in_force(options, settings)? else {
        return Ok(house);
    };
    match whose::emptied(&last.program, &house.program) {
        Some(why) => {
            printer::tell(why);
            Ok(last)
        }
        None => Ok(house),
    }
}

fn last_in_force(options: &cli::Run, settings: &Settings) -> anyhow::Result<Option<House>> {
    let last = house::last_in_force(&options.house, &configure::state_folder(options, settings));
    last.map_err(|why| {
        let folder = options.house.display();
        anyhow!(
            "{folder}: this house can't come into force, and the mapping before can't go on: {}",
            why.trim_end()
        )
    })
}

/// Sockets that are open already.
struct Open {
    listeners: Vec<(tls::Way, TcpListener)>,
    udp: Vec<std::net::UdpSocket>,
    web: Vec<std::net::TcpListener>,
}

async fn serve(
    options: &cli::Run,
    settings: &Settings,
    (open, certificate): (Open, Option<tls::Files>),
    (recovered, seen): (recover::Recovered, watch::Seen),
    started: time::Instant,
) -> anyhow::Result<()> {
    let Open {
        listeners,
        udp,
        web,
    } = open;
    let recover::Recovered {
        mut app,
        store,
        clock,
        folder,
        kept,
        house,
        waits,
    } = recovered;
    let clock = Rc::new(clock);
    let limits = limits(settings, &house.program, options.simulate);
    descriptors::make_room_for(limits.connections_max);
    let _outlives = outlive_file_size_limit()?;
    let addresses = tls::addresses(&listeners)?;
    let certificate = certificate.map(tls::InForce::new).map(Rc::new);
    let listeners = tls::wrapped(
        listeners,
        &settings.mqtt.websocket_origins.iter().cloned().collect(),
        certificate.as_deref(),
    );
    let printing = match is_watched(options, settings) {
        true => Some(app.stream.print(options.json)?),
        false => None,
    };

    let mut core = Core::new(limits).keeping();
    core.restore(kept, clock.now(), &app);
    report(&mut core, settings, clock.now());
    let core = Rc::new(RefCell::new(core));
    let app = Rc::new(RefCell::new(app));
    let now = Rc::clone(&clock);
    let burst_pause_max = settings.mqtt.burst_pause_max();
    let server = tcp::Server::new(core, Rc::clone(&app), move || now.now(), burst_pause_max);
    let durable = server.durable();
    let told = durable.clone();
    let store = store.start(move |written| told.report(written))?;
    let historian = Historian::start(store.clone(), settings.history.keep())
        .context("starting the thread of long-term history")?;
    let announcer = Announcer::begin(&settings.home_assistant, &folder);
    let uplink = settings.broker.as_ref().map(Uplink::new).transpose()?;
    server.enter(|core, app, now| {
        app.keep_history(historian);
        app.uplink = uplink;
        app.share_room(settings.journal.size_mib_max << 20);
        if let Some(announcer) = announcer {
            let text = app.announce_to_home_assistant(core, now, announcer);
            home_assistant::keep(&folder, &text);
        }
        app.start(core, now, store.clone(), durable);
    });

    let socket = control_socket(&folder)?;
    let desk = Rc::new(Desk::new(
        server.clone(),
        &options.house,
        &folder,
        addresses.first().map(|first| first.address),
        store.clone(),
        (settings.clone(), certificate.clone()),
    ));
    desk.tell_concerns(&house.program);
    if let Some(since) = house.goes_on_since {
        desk.goes_on(since, waits);
    }
    let udp_addresses = serve_datagrams(udp, &server, &app)?;
    if options.simulate {
        let to = match options.transport {
            Transport::Udp => udp_addresses.first().copied(),
            Transport::Mqtt => addresses.first().map(|first| first.address),
        };
        simulate(options, &desk, &house.program, to)?;
    }
    spawn_local(socket.serve(Rc::clone(&desk)));
    if let Some(certificate) = certificate {
        certificate.tell();
        spawn_local(certificate.watch());
    }
    let web_addresses: Vec<SocketAddr> = web
        .iter()
        .map(std::net::TcpListener::local_addr)
        .collect::<Result<_, _>>()?;
    let _ends_with_us = vitals::serve(web, Rc::clone(&desk))?;
    if settings.reload.watch {
        let edits = watch::watch(&options.house, seen, Arc::clone(&house.program))?;
        spawn_local(Rc::clone(&desk).take_edits(edits));
    }
    // Whoever reads that it is ready may end it at once.
    let ended = ended()?;
    let uplink = app.borrow().uplink.clone();
    let running = match (&settings.broker, &uplink) {
        (Some(to), Some(uplink)) => {
            let places = (to, options.house.as_path(), folder.as_path());
            Some(uplink::start(uplink, server.clone(), settings, places)?)
        }
        _ => None,
    };
    let ended = uplink::until(ended, running);
    printer::tell(Announcement {
        house: &options.house.display(),
        program: &house.program,
        tests: house.tests,
        addresses: &addresses,
        udp: &udp_addresses,
        web: &web_addresses,
        state: &folder,
        is_default_state: folder == settings::default_state_folder(),
        simulate: options.simulate,
        has_users: app.borrow().has_users(),
        is_open: settings.mqtt.anonymous == Anonymous::Loopback,
        took: started.elapsed(),
    });

    let ways = mdns::services(&addresses, &udp_addresses, app.borrow().sealed.own());
    let announced = mdns::announce(&settings.mdns, ways);
    supervisor::ready(&format!(
        "{}, {}",
        count(house.program.devices.len(), "device"),
        count(house.program.rules.len(), "rule")
    ));
    spawn_local(supervisor::alive());

    // A task of its own: this one is looked at again on every wake-up of any connection.
    let serving = server.clone();
    spawn_local(async move { serving.serve(listeners, ended).await }).await??;
    supervisor::stopping();
    drop(announced);
    desk.stop_simulation();
    drain(&server, &app, &store)?;
    if printing.is_some_and(|printing| !printing.finish()) {
        printer::tell("nobody reads stdout: its last lines are lost");
    }
    if let Some(why) = uplink.and_then(|uplink| uplink.fatal()) {
        bail!(why);
    }
    printer::tell("drained, state kept; bye");
    Ok(())
}

/// Whether somebody is to read what happens.
fn is_watched(options: &cli::Run, settings: &Settings) -> bool {
    match settings.stream {
        Some(switch) => switch == Switch::On,
        None => options.json || printer::is_terminal(),
    }
}

/// Has the broker tell how it is, where the settings want that.
fn report(core: &mut Core, settings: &Settings, now: Now) {
    let every_s = settings.mqtt.sys_interval_s;
    if every_s > 0 {
        let version = concat!("iot-control ", env!("CARGO_PKG_VERSION"));
        let every = time::Duration::from_secs(every_s.into());
        core.report(version, every, now);
    }
}

/// Where commands find this process.
fn control_socket(folder: &Path) -> anyhow::Result<Socket> {
    let path = folder.join(SOCKET);
    Socket::bind(&path).with_context(|| {
        format!(
            "{} can't be made; if something else stands there move it away, if its path is longer than 107 bytes name another state folder",
            path.display()
        )
    })
}

/// Hears devices on these sockets; says at which addresses.
fn serve_datagrams(
    sockets: Vec<std::net::UdpSocket>,
    server: &tcp::Server<App>,
    app: &RefCell<App>,
) -> anyhow::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for socket in sockets {
        addresses.push(socket.local_addr()?);
        app.borrow_mut().sealed.answer_from(socket.try_clone()?);
        let socket = tokio::net::UdpSocket::from_std(socket)?;
        spawn_local(sealed::udp::serve(server.clone(), socket));
    }
    Ok(addresses)
}

/// Starts the simulated modules; those with keys come to this address.
fn simulate(
    options: &cli::Run,
    desk: &Desk,
    program: &Arc<Program>,
    to: Option<SocketAddr>,
) -> anyhow::Result<()> {
    if let Some(to) = to.filter(|_| options.sealed) {
        desk.seal_simulation(simulate::Ways {
            to,
            transport: options.transport,
            faults: options.faults.unwrap_or_default(),
            seed: options.seed,
        });
    }
    desk.simulate(program, None)?;
    Ok(())
}

/// Everything that happened gets to the disk, and to people what they were to be told.
fn drain(server: &tcp::Server<App>, app: &RefCell<App>, store: &StoreHandle) -> anyhow::Result<()> {
    let teller = server.enter(|core, app, now| {
        app.sealed.say_goodbye(now);
        core.commit(now, app);
        app.snapshot(now, core);
        std::mem::take(&mut app.teller)
    });
    teller.finish(LAST_WORDS_MAX);
    app.borrow_mut().stream.close();
    store.shutdown()?;
    Ok(())
}

/// While this lives, a write beyond a limit on the size of files fails as one on a full disk does, and does
/// not end the process.
fn outlive_file_size_limit() -> std::io::Result<Signal> {
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))
}

/// Done at the first SIGINT or SIGTERM.
fn ended() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn limits(settings: &Settings, program: &Program, simulate: bool) -> Limits {
    let mut limits = Limits::default();
    limits.connections_per_second_per_peer_max = settings.mqtt.address_connections_per_s_max;
    let of_all = &mut limits.connections_per_second_max;
    *of_all = (*of_all).max(limits.connections_per_second_per_peer_max.saturating_mul(4));
    if simulate {
        // All of the house's modules come from one address, and at once.
        let modules = u32::try_from(program.devices.len()).unwrap_or(u32::MAX);
        limits.connections_per_second_per_peer_max += modules;
        limits.unconnected_per_peer_max += program.devices.len();
    }
    limits.connections_max = settings.mqtt.connections_max;
    limits.packet_bytes_max = settings.mqtt.packet_bytes_max;
    let rate = settings.mqtt.client_messages_per_s_max;
    limits.messages_per_second_max = (rate > 0).then_some(rate);
    limits
}

/// Opens the listeners; to be called within the runtime. In simulation a port that is taken is no reason to stop: a
/// free one does as well, and is announced.
fn listen(settings: &Settings, simulate: bool) -> anyhow::Result<Vec<(tls::Way, TcpListener)>> {
    let mut listeners = Vec::new();
    let addresses: Vec<(tls::Way, SocketAddr)> = tls::ways(&settings.mqtt).collect();
    if addresses.is_empty() && settings.broker.is_none() {
        bail!("mqtt.listen names no address: nobody could connect");
    }
    if simulate && settings.mqtt.listen.is_empty() {
        bail!("simulated modules need an address in mqtt.listen");
    }
    for (way, address) in &addresses {
        let key = way.key();
        let listener = match bind(*address) {
            Ok(listener) => listener,
            Err(error) if simulate && error.kind() == std::io::ErrorKind::AddrInUse => {
                let mut free = *address;
                free.set_port(0);
                printer::tell(format_args!(
                    "{address} is taken (by another broker?); taking a free port"
                ));
                bind(free).with_context(|| format!("listening on {free}"))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                return Err(anyhow!(
                    "{address} is taken: does mosquitto or another dispatcher run here? Stop it, or set another \
                     address: mqtt.{key} in settings.toml or IOT_CONTROL__MQTT__{}",
                    key.to_uppercase()
                ));
            }
            Err(error) => return Err(error).with_context(|| format!("listening on {address}")),
        };
        listeners.push((*way, listener));
    }
    Ok(listeners)
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restart must not wait for the kernel to forget the old connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
