//! `cargo xtask bench travel`: a house that lived for two weeks, and how long the release binary takes to tell of it. Each
//! question is asked of a process of its own, as a person asks it.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};

use super::{alone, broker, folder, keep, programs};
use crate::shell;

/// An answer about a day.
const ANSWER_S_MAX: f64 = 1.0;

/// How much to measure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    days: u32,
    events: u64,
    runs: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            days: 14,
            events: 20_000,
            runs: 5,
        }
    }
}

impl Options {
    /// Takes the words after `bench travel`.
    ///
    /// # Errors
    /// There is no such option, or its value is none.
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut number = || {
                let value = words
                    .next()
                    .with_context(|| format!("{word} needs a number"))?;
                value
                    .parse::<u32>()
                    .with_context(|| format!("{word} needs a number"))
            };
            match *word {
                "--days" => options.days = number()?,
                "--events" => options.events = number()?.into(),
                "--runs" => options.runs = number()? as usize,
                _ => bail!("bench travel has no option {word}"),
            }
        }
        if options.days < 3 || options.events == 0 || options.runs == 0 {
            bail!("bench travel needs three days, an event and a run at least");
        }
        Ok(options)
    }
}

/// What somebody asks.
#[derive(Debug, PartialEq)]
struct Question {
    words: Vec<String>,
    /// Exit codes of an answer.
    answers: &'static [i32],
    /// Whether it is promised within [`ANSWER_S_MAX`].
    is_promised: bool,
}

impl Question {
    fn of(words: &str) -> Self {
        Self {
            words: words.split(' ').map(str::to_owned).collect(),
            answers: &[0],
            is_promised: true,
        }
    }
}

/// Questions about now, about the middle and about the oldest day of `days`.
fn questions(days: u32, changed: &Path) -> Vec<Question> {
    let hours = |days: u32| days * 24;
    let (middle, oldest) = (hours(days / 2), hours(days - 1));
    let mut all = vec![
        Question::of("why room3.lamp"),
        Question::of(&format!("why room3.lamp --at -{middle}h")),
        Question::of(&format!("why room3.lamp --at -{oldest}h")),
        Question::of("why-not room3-1"),
        Question::of(&format!("why-not room3-1 --at -{middle}h")),
        Question::of(&format!("why-not room3-1 --at -{oldest}h")),
        Question::of("state"),
        Question::of(&format!("state --at -{middle}h")),
        Question::of(&format!("state --at -{oldest}h")),
        Question::of(&format!(
            "events --since -{middle}h --until -{}h",
            middle - 24
        )),
        Question::of(&format!(
            "events --since -{oldest}h --until -{}h",
            oldest - 24
        )),
    ];
    let mut replay = Question::of("replay --since -24h --mapping");
    replay.words.push(changed.display().to_string());
    // 1: it says that something differs.
    replay.answers = &[0, 1];
    all.push(replay);
    // Nothing like it ever happened: all there is must be looked at.
    all.push(Question {
        is_promised: false,
        ..Question::of("why organ.lamp")
    });
    all
}

/// Times of one question, in seconds.
#[derive(Debug)]
struct Answer {
    question: String,
    seconds: Vec<f64>,
    lines: usize,
    is_promised: bool,
}

impl Answer {
    fn median(&self) -> f64 {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied().unwrap_or_default()
    }

    fn holds(&self) -> bool {
        !self.is_promised || self.median() <= ANSWER_S_MAX
    }
}

/// Lets the house live, asks, prints the report and writes it to target/bench/travel.md.
///
/// # Errors
/// An answer takes too long, or something can't be measured.
pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = broker::build()?;
    let generator = programs::build("travel")?;
    let folder = folder()?;
    let _alone = alone(&folder)?;
    let past = folder.join("past");
    if past.exists() {
        fs::remove_dir_all(&past).with_context(|| format!("can't empty {}", past.display()))?;
    }
    fs::create_dir_all(&past).with_context(|| format!("can't create {}", past.display()))?;
    let mut live = Command::new(generator);
    live.arg(&past)
        .arg(options.days.to_string())
        .arg(options.events.to_string());
    let start = Instant::now();
    let lived = shell::output(&mut live)?;
    let title = format!(
        "{} days of {} events a day: {}, lived through in {:.1} s, {} MB of state.",
        options.days,
        options.events,
        lived.trim(),
        start.elapsed().as_secs_f64(),
        bytes(&past.join("state"))? / 1_000_000
    );
    let mut answers = Vec::new();
    for question in questions(options.days, &past.join("changed")) {
        answers.push(ask(&binary, &past, &question, options.runs)?);
    }
    keep(&folder, "travel.md", &markdown(&title, &answers))?;
    match answers.iter().filter(|answer| !answer.holds()).count() {
        0 => Ok(()),
        slow => bail!("{slow} answers take more than {ANSWER_S_MAX} s"),
    }
}

/// Asks one question so many times.
fn ask(binary: &PathBuf, past: &Path, question: &Question, runs: usize) -> Result<Answer> {
    let text = question.words.join(" ");
    let mut answer = Answer {
        question: text.replace(&past.display().to_string(), "."),
        seconds: Vec::new(),
        lines: 0,
        is_promised: question.is_promised,
    };
    for _ in 0..runs {
        let mut command = Command::new(binary);
        command
            .args(&question.words)
            .arg("--state")
            .arg(past.join("state"))
            .stdin(Stdio::null());
        let start = Instant::now();
        let output = command
            .output()
            .with_context(|| format!("can't ask `{text}`"))?;
        answer.seconds.push(start.elapsed().as_secs_f64());
        let is_answer = output
            .status
            .code()
            .is_some_and(|code| question.answers.contains(&code));
        let said = String::from_utf8_lossy(&output.stderr);
        // A note says that the past is not what it was, but for the one that nobody runs.
        let mut notes = said.lines().filter(|line| line.starts_with("note: "));
        let is_doubtful = notes.any(|line| !line.starts_with("note: no dispatcher runs here;"));
        if !is_answer || is_doubtful {
            bail!("`{text}`: {}\n{said}", output.status);
        }
        answer.lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    }
    Ok(answer)
}

fn bytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("can't list {}", folder.display()))? {
        let entry = entry?;
        sum += match entry.file_type()?.is_dir() {
            true => bytes(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(sum)
}

fn markdown(title: &str, answers: &[Answer]) -> String {
    // Writing to a string doesn't fail.
    let mut text = format!(
        "{title}\n\n| question | s | min | max | lines | |\n|---|---:|---:|---:|---:|---|\n"
    );
    for answer in answers {
        let min = answer.seconds.iter().copied().fold(f64::INFINITY, f64::min);
        let max = answer.seconds.iter().copied().fold(0.0, f64::max);
        let word = match (answer.is_promised, answer.holds()) {
            (false, _) => "reported",
            (true, true) => "pass",
            (true, false) => "FAIL",
        };
        let _ = writeln!(
            text,
            "| `{}` | {:.3} | {min:.3} | {max:.3} | {} | {word} |",
            answer.question,
            answer.median(),
            answer.lines
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_and_others_refused() {
        assert_eq!(Options::parse(&[]).ok(), Some(Options::default()));
        let few = Options::parse(&["--days", "3", "--events", "500", "--runs", "1"]);
        let expected = Options {
            days: 3,
            events: 500,
            runs: 1,
        };
        assert_eq!(few.ok(), Some(expected));
        for wrong in [
            &["--days"][..],
            &["--days", "2"],
            &["--runs", "0"],
            &["--fast"],
        ] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn questions_stay_within_the_days() {
        let all = questions(3, Path::new("changed"));
        let texts: Vec<String> = all
            .iter()
            .map(|question| question.words.join(" "))
            .collect();
        assert!(
            texts.contains(&"events --since -48h --until -24h".to_owned()),
            "{texts:?}"
        );
        assert!(texts.contains(&"replay --since -24h --mapping changed".to_owned()));
    }

    #[test]
    fn an_answer_that_takes_too_long_fails_where_it_is_promised() {
        let answer = |is_promised| Answer {
            question: "why".to_owned(),
            seconds: vec![0.1, 1.5, 1.5],
            lines: 1,
            is_promised,
        };
        assert!(!answer(true).holds() && answer(false).holds());
        let text = markdown("two weeks", &[answer(true), answer(false)]);
        assert!(
            text.contains("| `why` | 1.500 | 0.100 | 1.500 | 1 | FAIL |"),
            "{text}"
        );
        assert!(text.contains("| reported |"), "{text}");
    }
}
