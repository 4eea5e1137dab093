//! The report as one SVG of horizontal bars, for docs/performance.md. Called by the docs; a picture needs no library.

use std::fmt::Write as _;

use super::{
    options::RULES,
    report::{RATES, Report, Sample},
    stats::Spread,
    systems::System,
    tables::grouped,
};

/// Everything in pixels.
const WIDTH: f64 = 860.0;
const LEFT: f64 = 260.0;
const BARS: f64 = 440.0;
const LINE: f64 = 20.0;
const BAR: f64 = 13.0;
const TITLE: f64 = 44.0;

/// Bars with one title and one scale.
struct Chart {
    title: String,
    scale: Scale,
    groups: Vec<Group>,
}

struct Group {
    name: String,
    bars: Vec<Bar>,
}

struct Bar {
    system: System,
    from: f64,
    to: f64,
    text: String,
}

/// How numbers become places: 0 is where bars begin, 1 where the longest ends.
#[derive(Clone, Copy)]
enum Scale {
    Linear {
        most: f64,
    },
    /// Each number ten times as far as the one before it.
    Logarithmic {
        least: f64,
        most: f64,
    },
}

impl Scale {
    fn place(self, number: f64) -> f64 {
        let place = match self {
            Self::Linear { most } => number / most,
            Self::Logarithmic { least, most } => (number / least).ln() / (most / least).ln(),
        };
        if place.is_finite() {
            place.clamp(0.0, 1.0)
        } else {
            1.0
        }
    }
}

/// The picture: throughput, latency at a rate, and throughput by the number of rules.
pub(crate) fn svg(report: &Report) -> String {
    let charts = [throughput(report), latency(report), growth(report)];
    let mut body = String::new();
    let mut y = 0.0;
    for chart in charts.iter().filter(|chart| !chart.groups.is_empty()) {
        y = chart.draw(&mut body, y);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}</svg>\n",
        height = y + LINE
    )
}

fn throughput(report: &Report) -> Chart {
    let groups = [0, 1, 2].map(|qos| {
        let bars = System::ALL.into_iter();
        let bars = bars.filter(|system| *system != System::Null);
        Group {
            name: format!("QoS {qos}"),
            bars: bars
                .filter_map(|system| speed(report, RULES, qos, system))
                .collect(),
        }
    });
    Chart::linear(
        "Commands a second, saturated, 1,000 rules: longer is better".to_owned(),
        groups.into(),
    )
}

fn growth(report: &Report) -> Chart {
    let mut rules: Vec<usize> = report.samples.keys().map(|(rules, ..)| *rules).collect();
    rules.dedup();
    let groups = rules.into_iter().map(|rules| Group {
        name: format!("{} rules", grouped(rules)),
        bars: [System::Relay, System::Ours]
            .into_iter()
            .filter_map(|system| speed(report, rules, 0, system))
            .collect(),
    });
    Chart::linear(
        "Commands a second, saturated, QoS 0, by rules of the house: longer is better".to_owned(),
        groups.collect(),
    )
}

fn latency(report: &Report) -> Chart {
    let groups = RATES.into_iter().enumerate().map(|(ix, rate)| Group {
        name: format!("{} events/s", grouped(rate as usize)),
        bars: System::ALL
            .into_iter()
            .filter_map(|system| {
                let samples = report.samples.get(&(RULES, 0, system))?;
                let from = median(samples, |sample| sample.open[ix].p50_us)?;
                let to = median(samples, |sample| sample.open[ix].p99_us)?;
                Some(Bar {
                    system,
                    from,
                    to,
                    text: format!("{} to {}", time(from), time(to)),
                })
            })
            .collect(),
    });
    let groups: Vec<Group> = groups.collect();
    let all = || groups.iter().flat_map(|group| &group.bars);
    let scale = Scale::Logarithmic {
        least: all().map(|bar| bar.from).fold(f64::INFINITY, f64::min) * 0.8,
        most: all()
            .map(|bar| bar.to)
            .filter(|to| to.is_finite())
            .fold(1.0, f64::max),
    };
    Chart {
        title: "From the moment an event is due to its command, p50 to p99, QoS 0, 1,000 rules, logarithmic: further left is better"
            .to_owned(),
        scale,
        groups,
    }
}

fn speed(report: &Report, rules: usize, qos: u8, system: System) -> Option<Bar> {
    let samples = report.samples.get(&(rules, qos, system))?;
    let speed = median(samples, |sample| sample.commands_per_s)?;
    Some(Bar {
        system,
        from: 0.0,
        to: speed,
        text: grouped(speed.round() as usize),
    })
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Option<f64> {
    Some(Spread::of(samples.iter().map(of))?.median)
}

/// Microseconds as people read them.
fn time(us: f64) -> String {
    match us {
        ..1_000.0 => format!("{us:.0} us"),
        ..10_000.0 => format!("{:.1} ms", us / 1e3),
        ..1_000_000.0 => format!("{:.0} ms", us / 1e3),
        _ => format!("{:.1} s", us / 1e6),
    }
}

impl Chart {
    fn linear(title: String, mut groups: Vec<Group>) -> Self {
        groups.retain(|group| !group.bars.is_empty());
        let bars = groups.iter().flat_map(|group| &group.bars);
        let most = bars.map(|bar| bar.to).fold(1.0, f64::max);
        Self {
            title,
            scale: Scale::Linear { most },
            groups,
        }
    }

    /// Draws below `y`; gives where it ends.
    fn draw(&self, out: &mut String, mut y: f64) -> f64 {
        // Writing to a string doesn't fail.
        let _ = writeln!(
            out,
            "<text x=\"16\" y=\"{}\" font-weight=\"bold\">{}</text>",
            y + 28.0,
            self.title
        );
        y += TITLE;
        for group in &self.groups {
            let _ = writeln!(
                out,
                "<text x=\"16\" y=\"{}\">{}</text>",
                y + 11.0,
                group.name
            );
            for bar in &group.bars {
                let x = LEFT + self.scale.place(bar.from) * BARS;
                let width = (self.scale.place(bar.to) - self.scale.place(bar.from)) * BARS;
                let name = bar.system.name();
                let _ = writeln!(
                    out,
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\
                     <rect x=\"{x:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{}\"/>\
                     <text x=\"{:.1}\" y=\"{}\">{}</text>",
                    LEFT - 8.0,
                    y + 11.0,
                    width.max(2.0),
                    color(bar.system),
                    x + width.max(2.0) + 6.0,
                    y + 11.0,
                    bar.text
                );
                y += LINE;
            }
            y += LINE / 2.0;
        }
        y
    }
}

/// Ours stands out; the others are told by their names.
fn color(system: System) -> &'static str {
    match system {
        System::Ours => "#1f6fb2",
        System::OursTls => "#7fb0da",
        System::Relay => "#8a8a8a",
        System::Null => "#d8d8d8",
        _ => "#b8b8b8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::broker::stats::Latency;

    fn report() -> Report {
        let mut report = Report::default();
        for (system, commands_per_s, us) in [
            (System::Relay, 100_000.0, 100.0),
            (System::Ours, 400_000.0, 1_000.0),
        ] {
            let sample = Sample {
                commands_per_s,
                open: [Latency::of(&[us]); 2],
                ..Sample::default()
            };
            report.samples.insert((RULES, 0, system), vec![sample]);
        }
        report
    }

    #[test]
    fn a_bar_is_as_long_as_its_number() {
        let text = svg(&report());
        assert!(
            text.contains("width=\"440.0\" height=\"13\" fill=\"#1f6fb2\""),
            "{text}"
        );
        assert!(
            text.contains("width=\"110.0\" height=\"13\" fill=\"#8a8a8a\""),
            "{text}"
        );
        assert!(text.contains(">400,000</text>") && text.contains(">1.0 ms to 1.0 ms</text>"));
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }

    #[test]
    fn each_thing_that_opens_is_closed() {
        let text = svg(&report());
        assert_eq!(
            text.matches("<text").count(),
            text.matches("</text>").count()
        );
        assert_eq!(text.matches("<rect").count(), text.matches("/>").count());
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
    }

    #[test]
    fn scales_put_the_longest_at_the_end() {
        let decades = Scale::Logarithmic {
            least: 10.0,
            most: 1_000.0,
        };
        assert!((decades.place(100.0) - 0.5).abs() < 1e-9);
        assert_eq!(decades.place(f64::INFINITY), 1.0);
        assert_eq!(Scale::Linear { most: 4.0 }.place(1.0), 0.25);
    }
}
