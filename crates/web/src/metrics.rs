//! Metrics as text: the Prometheus exposition format, version 0.0.4.

use std::fmt::Write;

/// Metrics of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Name with prefix and unit; a counter's ends with `_total`.
    pub name: String,
    /// What it says, in one sentence.
    pub help: String,
    /// Whether it only grows.
    pub kind: Kind,
    /// Its values.
    pub samples: Vec<Sample>,
}

/// What a metric does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Grows, and begins at 0 with the process.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Names and values that tell it from the others of its family.
    pub labels: Vec<(&'static str, String)>,
    /// Printed as it is; whole numbers beyond 2^53 lose their last digits in every reader.
    pub value: u64,
}

impl Family {
    /// A family of one value without labels.
    pub fn of(name: impl Into<String>, help: impl Into<String>, kind: Kind, value: u64) -> Self {
        Self {
            name: name.into(),
            help: help.into(),
            kind,
            samples: vec![Sample {
                labels: Vec::new(),
                value,
            }],
        }
    }
}

/// What `GET /metrics` answers.
pub(crate) fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let (name, help) = (&family.name, escaped(&family.help, false));
        // Writing to a text can't fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for sample in &family.samples {
            text.push_str(name);
            for (ix, (label, value)) in sample.labels.iter().enumerate() {
                let begin = if ix == 0 { '{' } else { ',' };
                let _ = write!(text, "{begin}{label}=\"{}\"", escaped(value, true));
            }
            let end = if sample.labels.is_empty() { "" } else { "}" };
            let _ = writeln!(text, "{end} {}", sample.value);
        }
    }
    text
}

fn escaped(text: &str, is_label: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    match is_label {
        true => text.replace('"', "\\\""),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_help_its_type_and_its_values() {
        let mut family = Family::of("house_refused_total", "Refused.", Kind::Counter, 7);
        family.samples.push(Sample {
            labels: vec![("code", "a\"b\\c\nd".into()), ("side", "in".into())],
            value: 2,
        });
        let expected = "# HELP house_refused_total Refused.\n# TYPE house_refused_total counter\n\
                        house_refused_total 7\nhouse_refused_total{code=\"a\\\"b\\\\c\\nd\",side=\"in\"} 2\n";
        assert_eq!(text(&[family]), expected);
    }
}
