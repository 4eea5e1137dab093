//! Measures the engine and prints tables and floors as Markdown: `engine [--quick]`. Called by `cargo xtask bench engine`,
//! which fails where a floor is broken.

use bench::{
    estate, expressions, house,
    loading::{self, Memory},
    matching::{self, Effort},
    reloading,
    report::{Floor, Spread},
};
use tikv_jemalloc_ctl::{epoch, stats};

/// The one of the house's binary.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Rules of the large house; ten of them stand beside each other for the largest.
const RULES: usize = 10_000;
const HOUSES: u32 = 10;

fn main() -> anyhow::Result<()> {
    let quick = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [word] if word == "--quick" => true,
        _ => anyhow::bail!("usage: engine [--quick]"),
    };
    let rounds = if quick { 3 } else { 7 };
    let mut floors = Vec::new();
    events(rounds, quick, &mut floors)?;
    loads(rounds, &mut floors);
    reloads(rounds, &mut floors);
    conditions(rounds, quick, &mut floors)?;
    println!();
    for floor in &floors {
        println!("{floor}");
    }
    // Whoever runs this prints the report, and fails where a floor does.
    Ok(())
}

fn events(rounds: usize, quick: bool, floors: &mut Vec<Floor>) -> anyhow::Result<()> {
    println!(
        "| rules | candidates | firing | index ns an event | scan ns an event | scan / index | through the engine ns |"
    );
    println!("|---:|---:|---:|---|---|---|---|");
    let house = house::program(house::files(RULES))?;
    let times = if quick { 50_000 } else { 400_000 };
    for (houses, us_max) in [(1, 1.0), (HOUSES, 2.5)] {
        let program = estate::side_by_side(&house, houses);
        let effort = Effort {
            rounds,
            events: times,
            scanned: times / 500 / houses as usize,
        };
        let found = matching::measure(&program, effort);
        println!(
            "| {} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} |",
            found.rules,
            found.candidates,
            found.firing,
            found.index_ns,
            found.scan_ns,
            found.ratio,
            found.engine_ns
        );
        let what = |part: &str| format!("{part} at {} rules", found.rules);
        let us = found.index_ns.median / 1e3;
        floors.push(Floor::at_most(
            &what("an event by the index"),
            us,
            us_max,
            "us",
        ));
    }
    Ok(())
}

fn loads(rounds: usize, floors: &mut Vec<Floor>) {
    let found = loading::measure(RULES, rounds);
    println!("\n| rules | parse ms | compile ms | check ms | these three ms | index ms |");
    println!("|---:|---|---|---|---|---|");
    println!(
        "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} |",
        found.rules,
        ms(found.parse_s),
        ms(found.compile_s),
        ms(found.check_s),
        ms(found.whole_s),
        ms(found.index_s)
    );
    let what = format!("check and compile of {} rules", found.rules);
    floors.push(Floor::at_most(&what, found.whole_s.median, 0.25, "s"));
    let memory = loading::memory(RULES, allocated);
    let Memory { rules, bytes, .. } = memory;
    println!("\n| rules | MiB in force | bytes a rule | with its share of the devices |");
    println!("|---:|---:|---:|---:|");
    let mib = bytes as f64 / f64::from(1 << 20);
    let (own, all) = (memory.of_rule(), memory.of_rule_and_devices());
    println!("| {rules} | {mib:.1} | {own:.0} | {all:.0} |");
    floors.push(Floor::at_most("memory of a rule", own, 1_024.0, "bytes"));
}

fn ms(seconds: Spread) -> Spread {
    Spread {
        median: seconds.median * 1e3,
        min: seconds.min * 1e3,
        max: seconds.max * 1e3,
    }
}

/// What of an edit everybody waits for, beside what another thread does for it.
fn reloads(rounds: usize, floors: &mut Vec<Floor>) {
    let found = reloading::measure(RULES, rounds);
    println!("\n| rules | timers that run | read ms | one rule edited ms | all rules renamed ms |");
    println!("|---:|---:|---|---|---|");
    println!(
        "| {} | {} | {:.0} | {:.0} | {:.0} |",
        found.rules,
        found.timers,
        ms(found.read_s),
        ms(found.edited_s),
        ms(found.renamed_s)
    );
    for (what, part) in [
        ("an edited rule", found.edited_s),
        ("new names for all rules", found.renamed_s),
    ] {
        let what = format!("{what}, brought into force beside reading {RULES} rules");
        let share = part.median / found.read_s.median;
        floors.push(Floor::at_most(&what, share, 0.6, "of it"));
    }
}

/// Bytes that the allocator has given out, rounded as it rounds them.
fn allocated() -> usize {
    let told = epoch::advance().and_then(|_| stats::allocated::read());
    told.expect("this allocator counts")
}

fn conditions(rounds: usize, quick: bool, floors: &mut Vec<Floor>) -> anyhow::Result<()> {
    let found = expressions::measure(rounds, if quick { 20_000 } else { 200_000 })?;
    println!("\n| condition | ours ns | cel ns | rhai ns | cel / ours | rhai / ours |");
    println!("|---|---|---|---|---:|---:|");
    let mut sums = [0.0; 3];
    for row in &found {
        let [ours, cel, rhai] = [row.ours_ns, row.cel_ns, row.rhai_ns].map(|ns| ns.median);
        println!(
            "| `{}` | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
            row.text.replace('|', "\\|"),
            row.ours_ns,
            row.cel_ns,
            row.rhai_ns,
            cel / ours,
            rhai / ours
        );
        for (sum, ns) in sums.iter_mut().zip([ours, cel, rhai]) {
            *sum += ns;
        }
    }
    let [ours, cel, rhai] = sums;
    floors.push(Floor::at_least(
        "conditions, cel / ours",
        cel / ours,
        10.0,
        "times",
    ));
    floors.push(Floor::at_least(
        "conditions, rhai / ours",
        rhai / ours,
        10.0,
        "times",
    ));
    Ok(())
}
