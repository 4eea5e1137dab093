//! kill -9 around a start, on virtual time: what a process leaves behind is copied at the moment of its end,
//! and the next one starts from the copy.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::Duration,
};

use broker::{Application, Core, Limits, Outbox, tcp::Durable};
use dispatcher::Input;
use mapping::program::EventIx;
use store::{Past, StoreHandle};
use tempfile::TempDir;
use types::{InputNo, Instant, Now, UnixTime, Value};

use super::{Recovered, recover};
use crate::{
    cli,
    run::{app::App, clock::Machine, house},
    settings::Settings,
};

/// The lamp's time runs over all restarts; the others fall due while nobody is there.
const HOUSE: &str = r#"
format = 1

[device.hall]
id = 1
io.motion = { kind = "motion" }
io.lamp = { kind = "switch" }
io.fan = { kind = "switch" }
io.bell = { kind = "switch" }

[var]
fans = { kind = "number", start = 0, keep = true }
starts = { kind = "number", start = 0 }

[rule.motion]
when = "hall.motion.start"
do = [
  "hall.lamp.on", "hall.fan.on", "hall.bell.on",
  { start = "lamp-off", for = "60s" }, { start = "fan-off", for = "20s" }, { start = "bell-off", for = "20s" },
  { var = "starts", to = 5 },
]

[rule.lamp-off]
when = { timer = "lamp-off" }
do = "hall.lamp.off"

[rule.fan-off]
when = { timer = "fan-off" }
do = ["hall.fan.off", { var = "fans", to = "${var.fans + 1}" }]

[rule.bell-off]
when = { timer = "bell-off" }
after_downtime = "drop"
do = "hall.bell.off"
"#;

/// How far a start comes before it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Killed {
    /// Its downtime is not in the journal yet.
    BeforeItIsJournalled,
    /// Its downtime is in the journal, and nothing that came of it.
    WithDowntimeOnly,
    /// What came of it is in the journal too; there is no snapshot and nobody was told `ready`.
    BeforeReady,
    /// Right after `ready`.
    AfterReady,
}

const ALL: [Killed; 4] = [
    Killed::BeforeItIsJournalled,
    Killed::WithDowntimeOnly,
    Killed::BeforeReady,
    Killed::AfterReady,
];

/// A house folder and the state that the process before left.
#[derive(Clone)]
struct Bench {
    root: Rc<TempDir>,
    state: PathBuf,
    states: Rc<Cell<u32>>,
}

impl Bench {
    fn new() -> Self {
        Self::of(HOUSE)
    }

    fn of(mapping: &str) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let house = root.path().join("house");
        fs::create_dir(&house).expect("a folder");
        fs::write(house.join("mapping.toml"), mapping).expect("it can be written");
        let state = root.path().join("state-0");
        Self {
            root: Rc::new(root),
            state,
            states: Rc::default(),
        }
    }

    /// What a kill at this moment leaves: the next start begins there.
    fn leave(&mut self) {
        self.states.set(self.states.get() + 1);
        let left = self
            .root
            .path()
            .join(format!("state-{}", self.states.get()));
        copy(&self.state, &left);
        self.state = left;
    }

    /// The same state for another story.
    fn fork(&self) -> Self {
        let mut fork = self.clone();
        fork.leave();
        fork
    }

    fn recover(&self, machine: &Machine) -> Recovered {
        let folder = self.root.path().join("house");
        let house = house::read(&folder).house.expect("the house checks");
        let options = cli::Run {
            replace_house: false,
            house: folder,
            sealed: false,
            transport: crate::simulate::Transport::default(),
            faults: None,
            seed: 1,
            simulate: false,
            json: false,
            state: cli::State { folder: None },
        };
        let mut settings = Settings {
            state: Some(self.state.clone()),
            ..Settings::default()
        };
        // As where nothing was said yet: the first input is what happens in the house.
        settings.presence.reports_missed_max = 0;
        recover(&options, &settings, house, machine).expect("it starts")
    }

    /// Starts and kills.
    fn start_and_kill(&mut self, machine: &Machine, killed: Killed) {
        let recovered = self.recover(machine);
        if killed == Killed::BeforeItIsJournalled {
            return self.leave();
        }
        let running = Running::start(recovered, machine);
        let last = running.written.recv().expect("it is written");
        // The store thread waits in its callback: no snapshot is taken yet.
        match killed {
            Killed::AfterReady => {
                running.go_on();
                running.wait_for_snapshot(last);
                self.leave();
            }
            _ => {
                self.leave();
                running.go_on();
            }
        }
        if killed == Killed::WithDowntimeOnly {
            self.cut_after_downtime();
        }
    }

    /// Takes from the end of the journal what is behind the newest downtime.
    fn cut_after_downtime(&self) {
        let house = house::read(&self.root.path().join("house"))
            .house
            .expect("the house checks");
        let is_downtime = |record: &store::Record| {
            Input::decode(&house.program, &record.body).is_ok_and(|input| input == Input::Resumed)
        };
        // A process that ended there had noted no later end, if any.
        let note = self.state.join("journal/end");
        if note.exists() {
            fs::remove_file(note).expect("it can be removed");
        }
        loop {
            let past = Past::open(&self.state).expect("it can be looked at");
            let records = past
                .reader(InputNo(1))
                .map(|read| read.expect("it is whole"));
            if is_downtime(&records.last().expect("there are records")) {
                return;
            }
            let files = fs::read_dir(self.state.join("journal")).expect("a folder");
            let newest = files
                .map(|entry| entry.expect("an entry").path())
                .filter(|path| path.extension().is_some_and(|end| end == "journal"))
                .max()
                .expect("a segment");
            let mut bytes = fs::read(&newest).expect("it can be read");
            let end = bytes
                .iter()
                .rposition(|byte| *byte != 0)
                .expect("it holds records");
            bytes[end.saturating_sub(3)..].fill(0);
            fs::write(&newest, bytes).expect("it can be written");
        }
    }
}

/// A dispatcher without sockets.
struct Running {
    app: App,
    core: Core,
    store: StoreHandle,
    /// The numbers that the store thread wrote; it waits after each.
    written: Receiver<InputNo>,
    on: SyncSender<()>,
}

impl Running {
    fn start(recovered: Recovered, machine: &Machine) -> Self {
        let Recovered {
            mut app,
            store,
            clock,
            ..
        } = recovered;
        let (report, written) = sync_channel(100);
        let (on, go_on) = sync_channel(100);
        let durable = Durable::default();
        let reached = durable.clone();
        let on_durable = move |no| {
            reached.report(no);
            // Whoever does not wait is gone and waits for nothing.
            let _ = report.send(no);
            let _ = go_on.recv();
        };
        let store = store.start(on_durable).expect("a thread");
        let mut core = Core::new(Limits::default());
        let now = clock.at(machine);
        app.start(&mut core, now, store.clone(), durable);
        Self {
            app,
            core,
            store,
            written,
            on,
        }
    }

    /// From now on the store thread waits for nothing.
    fn go_on(&self) {
        for _ in 0..50 {
            let _ = self.on.try_send(());
        }
    }

    /// Waits until the store thread is done with the snapshot of `no`.
    fn wait_for_snapshot(&self, no: InputNo) {
        let (reply, done) = sync_channel(1);
        let look = move |database: &mut store::Database| Ok(database.read().snapshots()?[0].no);
        let sent = self
            .store
            .change(look, move |found| drop(reply.send(found)));
        sent.expect("the store takes it");
        let found = done.recv().expect("it answers").expect("it can look");
        assert_eq!(found, no);
    }

    fn take(&mut self, now: Now, input: Input) {
        self.app.command(&mut self.core, now, input);
    }

    fn tick(&mut self, now: Now) {
        let mut out = Outbox::default();
        self.app.tick(now, &mut out);
        self.app.drained(&self.core);
    }

    fn on(&self, channel: &str) -> bool {
        let engine = self.app.dispatcher.engine();
        let program = engine.program();
        let channel = program.channel_by_path(channel).expect("a channel");
        let slot = program.slot(channel, "on").expect("a field");
        engine.target(slot) == Some(&Value::Bool(true))
    }

    fn var(&self, name: &str) -> Value {
        let engine = self.app.dispatcher.engine();
        let var = engine.program().names.vars[name];
        engine.var(var).clone()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder");
    let mode = fs::metadata(from).expect("it is there").permissions();
    fs::set_permissions(to, mode).expect("it is ours");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("it can be copied");
        }
    }
}

/// The machine so many seconds after the motion. The first boot was long ago, the others come in between.
fn machine(boot: usize, seconds: u64) -> Machine {
    let booted = [-1_000_000, 25, 44, 49][boot];
    let since_boot = seconds.checked_add_signed(-booted).expect("it is on");
    Machine {
        boot_id: format!("boot-{boot}"),
        since_boot: Duration::from_secs(since_boot),
        wall: UnixTime(1_790_000_000_000_000).after(Duration::from_secs(seconds)),
        synced: true,
    }
}

#[test]
fn two_kills_around_a_start_leave_state_and_timers_right_and_count_downtime_once() {
    let lived = motion();
    for first in ALL {
        let mut once = lived.fork();
        once.start_and_kill(&machine(0, 30), first);
        for second in ALL {
            let mut twice = once.fork();
            twice.start_and_kill(&machine(0, 45), second);
            check(&twice, &machine(0, 50), &format!("{first:?}, {second:?}"));
        }
        // The machine starts anew before the first start, and before the last one.
        let mut booted = lived.fork();
        booted.start_and_kill(&machine(1, 30), first);
        booted.start_and_kill(&machine(1, 45), first);
        check(
            &booted,
            &machine(3, 50),
            &format!("{first:?} twice, booted"),
        );
    }
}

#[test]
fn the_downtime_of_a_house_in_which_nothing_happened_yet_is_noted_too() {
    let mut bench = Bench::new();
    let born = machine(0, 0);
    let running = Running::start(bench.recover(&born), &born);
    running.go_on();
    running.wait_for_snapshot(InputNo(1));
    bench.leave();
    let machine = machine(1, 30);
    let running = Running::start(bench.recover(&machine), &machine);
    running.go_on();
    running.wait_for_snapshot(InputNo(2));
    let records = running.store.reader(InputNo(1));
    let inputs: Vec<_> = records
        .map(|read| read.expect("it is whole"))
        .filter(|record| record.class == store::Class::Input)
        .map(|record| Input::decode(running.app.dispatcher.program(), &record.body))
        .collect();
    assert_eq!(inputs, [Ok(Input::Began), Ok(Input::Resumed)]);
}

/// Rules that fire as the house begins: a device without hardware is there, and something holds.
const BEGINNING: &str = r#"
format = 1

[device.hall]
id = 1
io.lamp = { kind = "switch" }
io.fan = { kind = "switch" }

[device.mode]
virtual = true
io.party = { kind = "switch" }

[var]
hellos = { kind = "number", start = 0, keep = true }

[rule.hello]
when = "mode.online"
do = ["hall.lamp.on", { var = "hellos", to = "${var.hellos + 1}" }]

[rule.few]
when = { holds = "var.hellos < 5" }
do = "hall.fan.on"
"#;

#[test]
fn a_house_that_is_killed_as_it_begins_is_the_same_at_the_next_start_and_tells_why() {
    let mut ends = Vec::new();
    for killed in [
        Killed::BeforeItIsJournalled,
        Killed::BeforeReady,
        Killed::AfterReady,
    ] {
        let mut bench = Bench::of(BEGINNING);
        bench.start_and_kill(&machine(0, 0), killed);
        ends.push((bench, format!("{killed:?}")));
    }
    // What it was before it began is kept, and nothing of the journal.
    let mut bench = Bench::of(BEGINNING);
    bench.start_and_kill(&machine(0, 0), Killed::BeforeReady);
    let journal = bench.state.join("journal");
    for entry in fs::read_dir(&journal).expect("a folder") {
        fs::remove_file(entry.expect("an entry").path()).expect("it can be removed");
    }
    ends.push((bench, "without a journal".to_owned()));
    for (mut bench, context) in ends {
        let running = Running::start(bench.recover(&machine(0, 30)), &machine(0, 30));
        assert!(running.on("hall.lamp"), "{context}");
        assert!(running.on("hall.fan"), "{context}");
        let hellos = running.var("hellos");
        assert_eq!(hellos, Value::Number(1.0), "{context}: it begins once");
        let last = running.written.recv().expect("it is written");
        running.go_on();
        running.wait_for_snapshot(last);
        bench.leave();
        let past = replay::History::open(&bench.state).expect("it can be looked at");
        for (channel, rule) in [("hall.lamp", "hello"), ("hall.fan", "few")] {
            let why = replay::why::why(&past, channel, None).expect("it is read");
            let text = why.expect("it changed").text(
                past.zone(),
                machine(0, 30).wall,
                replay::Paint::None,
            );
            assert!(text.contains(&format!("rule {rule}")), "{context}: {text}");
        }
        assert_eq!(past.troubles(), [], "{context}");
    }
}

/// What counts by the wall alone.
const HEATING: &str = r#"
format = 1

[home]
timezone = "Europe/Berlin"

[var]
times = { kind = "number", start = 0, keep = true }

[rule.heating]
when = { cron = "*/5 * * * * *" }
do = { var = "times", to = "${var.times + 1}" }
"#;

#[test]
fn a_clock_that_was_years_ahead_and_is_put_back_keeps_nothing_from_coming_where_nobody_says_a_word()
{
    let mut bench = Bench::of(HEATING);
    let born = machine(0, 0);
    let mut running = Running::start(bench.recover(&born), &born);
    running.go_on();
    // As the broker's timers do: whenever something is due, and not before.
    let ahead = Duration::from_secs(150_000_000);
    let mut ticks = 0;
    for second in 0..180 {
        let shown = now(second);
        let shown = match (60..120).contains(&second) {
            true => Now {
                wall: shown.wall.after(ahead),
                ..shown
            },
            false => shown,
        };
        if running
            .app
            .next_deadline()
            .is_some_and(|due| due <= shown.at)
        {
            running.tick(shown);
            ticks += 1;
        }
    }
    assert!(
        ticks <= 180 / 2 + 180 / 5,
        "{ticks}: no oftener than it looks"
    );
    // The three steps may cost one time each.
    let Value::Number(times) = running.var("times") else {
        panic!("it counts");
    };
    assert!((33.0..=37.0).contains(&times), "{times}");
    // What the steps brought is in the journal: the past comes to the same.
    let last = running.app.hand_over(now(180));
    while running.written.recv().expect("it is written") < last {}
    bench.leave();
    let past = replay::History::open(&bench.state).expect("it can be looked at");
    let travel = past.travel_to(replay::Until::No(last)).expect("it is read");
    assert!(travel.house().state() == running.app.dispatcher.state());
    assert_eq!(past.troubles(), []);
}

fn at(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000)
}

/// So many seconds after the motion, which is when the house first started.
fn now(seconds: u64) -> Now {
    Now {
        at: at(seconds),
        wall: machine(0, seconds).wall,
        synced: true,
    }
}

/// A house that was killed soon after a motion.
fn motion() -> Bench {
    let mut bench = Bench::new();
    let born = machine(0, 0);
    let mut running = Running::start(bench.recover(&born), &born);
    running.go_on();
    let program = running.app.dispatcher.program().clone();
    let motion = EventIx::all(program.events.len())
        .find(|event| program.event_path(*event) == "hall.motion.start")
        .expect("an event");
    let event = Input::Event {
        event: motion,
        fields: Vec::new(),
        produced_ms: None,
        stamp: None,
    };
    running.take(now(0), event);
    assert!(running.on("hall.lamp") && running.on("hall.fan") && running.on("hall.bell"));
    // A second later what was collected is handed over.
    running.tick(now(1));
    running.app.drained(&running.core);
    assert_eq!(running.written.recv(), Ok(InputNo(1)), "its beginning");
    assert_eq!(running.written.recv(), Ok(InputNo(2)), "the motion");
    bench.leave();
    bench
}

/// Starts for good, 50 seconds after the motion.
fn check(bench: &Bench, machine: &Machine, context: &str) {
    let mut running = Running::start(bench.recover(machine), machine);
    running.go_on();
    let engine = running.app.dispatcher.engine();
    assert_eq!(
        engine.now().at,
        at(50),
        "{context}: each second counts once"
    );
    assert_eq!(engine.next_deadline(now(50)), Some(at(60)), "{context}");
    assert!(running.on("hall.lamp"), "{context}: it is not due");
    assert!(
        !running.on("hall.fan"),
        "{context}: what fell due meanwhile ran"
    );
    assert_eq!(running.var("fans"), Value::Number(1.0), "{context}: once");
    assert!(running.on("hall.bell"), "{context}: too late is too late");
    assert_eq!(running.var("starts"), Value::Number(0.0), "{context}");

    running.tick(Now {
        at: Instant(at(60).0 - 1),
        ..now(60)
    });
    assert!(running.on("hall.lamp"), "{context}: not a moment early");
    running.tick(now(60));
    assert!(!running.on("hall.lamp"), "{context}: on time");
    assert!(running.on("hall.bell"), "{context}");
    assert_eq!(running.var("fans"), Value::Number(1.0), "{context}");
}
