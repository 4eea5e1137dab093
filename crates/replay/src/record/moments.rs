//! When the steps of a recorded test are: as round as they can be, and in the order in which things happened.
//!
//! A test knows nothing but its steps, and each sees all that fell due since the one before. So the look at what fell due stands
//! behind it and before whatever came next, be that a millisecond later; else the one step sees what the other is to expect.

use std::time::Duration;

use crate::words;

/// What fell due is looked at up to so much later, where there is room: the clock on the wall is corrected all the time.
const DUE_US: i64 = 10_000;

/// What comes is told to the millisecond. Where something falls due nearer to it than this, that could be the wrong side of it.
pub(super) const NEAR_US: i64 = 2_000;

const MS_US: i64 = 1_000;

/// When a step is, in microseconds since the test began, as the house lived it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Something came.
    Came(i64),
    /// Something fell due.
    Due(i64),
}

impl Default for Moment {
    fn default() -> Self {
        Self::Came(0)
    }
}

impl Moment {
    fn us(self) -> i64 {
        match self {
            Self::Came(us) | Self::Due(us) => us,
        }
    }

    fn is_due(self) -> bool {
        matches!(self, Self::Due(_))
    }
}

/// When each step is. `due` are all moments at which something fell due, or would have but for what came just before; be it that
/// no step looks at it: none may see what is not its own.
pub(super) fn place(steps: &[Moment], due: &[i64]) -> Vec<Duration> {
    let mut due = due.to_vec();
    due.sort_unstable();
    let is_exact = is_close(steps, &due);
    let came = |us: i64| match is_exact {
        true => us,
        false => us - us.rem_euclid(MS_US),
    };
    // Where inputs are told to the millisecond, what they start falls due so much earlier.
    let early = if is_exact { 0 } else { MS_US };
    let mut last = 0;
    let mut placed = Vec::with_capacity(steps.len());
    for (at, step) in steps.iter().enumerate() {
        let us = match *step {
            Moment::Came(us) => came(us),
            Moment::Due(us) => {
                let next = due.get(due.partition_point(|other| *other <= us));
                let next = next.map_or(i64::MAX, |next| next - early - 1);
                behind(
                    us,
                    match steps.get(at + 1) {
                        Some(Moment::Came(then)) => next.min(came(*then)),
                        _ => next,
                    },
                )
            }
        };
        // The clock on the wall may have gone back a little.
        last = last.max(us);
        placed.push(Duration::from_micros(u64::try_from(last).unwrap_or(0)));
    }
    placed
}

/// A round moment at which what fell due is seen, and nothing of what came behind `latest`.
fn behind(due: i64, latest: i64) -> i64 {
    let up_to = |grid: i64| due + (-due).rem_euclid(grid);
    let round = [DUE_US, MS_US].map(up_to).into_iter();
    let between = due + (latest - due).max(0) / 2;
    { round }.find(|us| *us <= latest).unwrap_or(between)
}

/// Whether something fell due so near to something else that milliseconds don't tell them apart.
fn is_close(steps: &[Moment], due: &[i64]) -> bool {
    let due = due.iter().map(|us| Moment::Due(*us));
    let mut all: Vec<Moment> = steps.iter().copied().chain(due).collect();
    all.sort_by_key(|moment| moment.us());
    all.windows(2).any(|pair| {
        let apart = pair[1].us() - pair[0].us();
        (1..NEAR_US).contains(&apart) && pair.iter().any(|moment| moment.is_due())
    })
}

/// A time as a test says it, to the microsecond where it has any: `3m30s`, `2s4.25ms`.
pub(super) fn written(at: Duration) -> String {
    let rest = at.subsec_micros() % 1_000;
    if rest == 0 {
        return words::span(at);
    }
    let seconds = Duration::from_secs(at.as_secs());
    let whole = match seconds.is_zero() {
        true => String::new(),
        false => words::span(seconds),
    };
    let part = format!("{}.{rest:03}", at.subsec_millis());
    format!("{whole}{}ms", part.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::{Moment::*, *};

    /// Where these steps are, and something falls due at `silent` that none of them looks at.
    fn placed(steps: &[Moment], silent: &[i64]) -> Vec<String> {
        let looked_at = steps.iter().filter(|step| step.is_due());
        let due: Vec<i64> = looked_at
            .map(|step| step.us())
            .chain(silent.iter().copied())
            .collect();
        let placed = place(steps, &due).into_iter();
        placed.map(written).collect()
    }

    #[test]
    fn steps_are_round_where_nothing_is_near() {
        let steps = [Came(1_234), Due(301_234), Came(900_500), Due(1_000_000)];
        assert_eq!(placed(&steps, &[]), ["1ms", "310ms", "900ms", "1s"]);
    }

    #[test]
    fn a_look_stands_before_what_came_next() {
        let steps = [
            Came(0),
            Due(301_000),
            Came(305_400),
            Due(411_000),
            Due(414_500),
        ];
        assert_eq!(
            placed(&steps, &[]),
            ["0s", "301ms", "305ms", "411ms", "420ms"]
        );
    }

    #[test]
    fn what_no_millisecond_tells_apart_is_told_to_the_microsecond() {
        let steps = [Came(1_700), Due(301_700), Due(302_100), Came(302_300)];
        assert_eq!(
            placed(&steps, &[]),
            ["1.7ms", "302ms", "302.2ms", "302.3ms"]
        );
        // Nobody looks at it, and still it must stay on its side of what came.
        let steps = [Came(1_700), Came(301_800)];
        assert_eq!(placed(&steps, &[301_700]), ["1.7ms", "301.8ms"]);
        assert_eq!(placed(&steps, &[]), ["1ms", "301ms"]);
        let steps = [Came(0), Due(301_000)];
        assert_eq!(placed(&steps, &[305_000]), ["0s", "301ms"]);
    }

    #[test]
    fn what_falls_due_as_something_comes_is_looked_at_before_it() {
        let steps = [Came(0), Due(300_500), Came(300_500)];
        assert_eq!(placed(&steps, &[]), ["0s", "300.5ms", "300.5ms"]);
    }

    #[test]
    fn time_never_goes_back() {
        let steps = [Came(5_000), Came(4_000), Due(3_000)];
        assert_eq!(placed(&steps, &[]), ["5ms", "5ms", "10ms"]);
    }

    #[test]
    fn microseconds_are_read_as_they_are_written() {
        for us in [
            0,
            1,
            999,
            1_000,
            1_001,
            1_000_001,
            3_723_004_005,
            86_400_000_010,
        ] {
            let at = Duration::from_micros(us);
            assert_eq!(mapping::duration(&written(at)), Some(at), "{us}");
        }
    }
}
