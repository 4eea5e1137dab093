//! Numbers within limits.

/// `number`, or the limit that it is beyond; `low` where it is no number.
///
/// `clamp` of the standard library would panic for limits that are no limits, in words for whatever they are: 15 kB of every
/// firmware.
pub(crate) fn within(number: f32, low: f32, high: f32) -> f32 {
    number.max(low).min(high)
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn a_number_is_within_its_limits() {
        let all = [-1.0, 0.0, 0.5, 1.0, 2.0, f32::INFINITY, f32::NAN];
        let within = all.map(|number| within(number, 0.0, 1.0));
        assert_eq!(within, [0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 0.0]);
    }
}
