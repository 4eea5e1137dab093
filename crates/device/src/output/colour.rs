//! Colours as levels of red, green, blue and white. Called by lamps; must not know brightness curves or time.

use super::FULL;

/// A colour, apart from its brightness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tint {
    /// None was asked for: white as the lamp has it.
    #[default]
    Plain,
    /// White of a colour temperature.
    White {
        /// 1,500-9,000 K.
        kelvin: u16,
    },
    /// A colour.
    Hue {
        /// 0-359 degrees: red, green at 120, blue at 240.
        hue: u16,
        /// 0-100 %.
        saturation: u8,
    },
}

/// What a black body of such a temperature looks like in sRGB, rounded, after Mitchell Charity's table; in between lies
/// a line.
const WHITES: [(u16, [u8; 3]); 9] = [
    (1_500, [255, 109, 0]),
    (2_000, [255, 137, 18]),
    (2_500, [255, 161, 72]),
    (3_000, [255, 180, 107]),
    (4_000, [255, 209, 163]),
    (5_000, [255, 228, 206]),
    (6_500, [255, 249, 253]),
    (7_500, [235, 238, 255]),
    (9_000, [214, 225, 255]),
];

/// The levels of a colour that is `share` bright.
pub(super) fn mix(tint: Tint, share: u16, has_white: bool) -> [u16; 4] {
    match tint {
        Tint::Plain | Tint::White { .. } if has_white => [0, 0, 0, share],
        Tint::Plain => [share, share, share, 0],
        Tint::White { kelvin } => {
            let [red, green, blue] = white(kelvin).map(|part| of(share, part.into(), 255));
            [red, green, blue, 0]
        }
        Tint::Hue { hue, saturation } => {
            let colour = of(share, saturation.into(), 100);
            let (low, sector) = (share - colour, hue % 60);
            let rising = low + of(colour, sector.into(), 60);
            let falling = low + of(colour, (60 - sector).into(), 60);
            let [red, green, blue] = match hue / 60 {
                0 => [share, rising, low],
                1 => [falling, share, low],
                2 => [low, share, rising],
                3 => [low, falling, share],
                4 => [rising, low, share],
                _ => [share, low, falling],
            };
            [red, green, blue, 0]
        }
    }
}

/// A part of a level.
fn of(level: u16, part: u32, whole: u32) -> u16 {
    // It is no more than the level.
    (u32::from(level) * part / whole) as u16
}

fn white(kelvin: u16) -> [u8; 3] {
    let above = WHITES.iter().position(|(at, _)| *at >= kelvin);
    let above = above.unwrap_or(WHITES.len() - 1);
    let ((low, from), (high, to)) = (WHITES[above.saturating_sub(1)], WHITES[above]);
    let (gone, whole) = (i32::from(kelvin) - i32::from(low), i32::from(high - low));
    let mut out = to;
    if whole > 0 {
        for (out, (from, to)) in out.iter_mut().zip(from.into_iter().zip(to)) {
            let way = (i32::from(to) - i32::from(from)) * gone.clamp(0, whole) / whole;
            // It lies between two of them.
            *out = (i32::from(from) + way) as u8;
        }
    }
    out
}

/// A level as the duty of a pin: eyes see the dark steps larger than they are.
pub(super) fn bent(level: u16, gamma: f32) -> u16 {
    if level == 0 || gamma == 1.0 {
        return level;
    }
    let share = f32::from(level) / f32::from(FULL);
    let duty = libm::powf(share, gamma) * f32::from(FULL);
    // Something that is on is not dark.
    (libm::roundf(duty) as u16).clamp(1, FULL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_and_what_lies_between() {
        let hue = |hue, saturation| mix(Tint::Hue { hue, saturation }, 10_000, false);
        assert_eq!(hue(0, 100), [10_000, 0, 0, 0]);
        assert_eq!(hue(60, 100), [10_000, 10_000, 0, 0]);
        assert_eq!(hue(90, 100), [5_000, 10_000, 0, 0]);
        assert_eq!(hue(120, 100), [0, 10_000, 0, 0]);
        assert_eq!(hue(180, 100), [0, 10_000, 10_000, 0]);
        assert_eq!(hue(240, 100), [0, 0, 10_000, 0]);
        assert_eq!(hue(300, 100), [10_000, 0, 10_000, 0]);
        assert_eq!(hue(359, 100), [10_000, 0, 166, 0]);
        assert_eq!(hue(0, 50), [10_000, 5_000, 5_000, 0]);
        assert_eq!(hue(77, 0), [10_000, 10_000, 10_000, 0]);
    }

    #[test]
    fn white_comes_from_its_own_pin_where_there_is_one() {
        let warm = Tint::White { kelvin: 2_250 };
        assert_eq!(mix(warm, 8_000, true), [0, 0, 0, 8_000]);
        assert_eq!(mix(Tint::Plain, 8_000, true), [0, 0, 0, 8_000]);
        assert_eq!(mix(Tint::Plain, 8_000, false), [8_000, 8_000, 8_000, 0]);
        assert_eq!(white(2_250), [255, 149, 45]);
        assert_eq!(
            (white(1_500), white(9_000)),
            ([255, 109, 0], [214, 225, 255])
        );
        assert_eq!(mix(warm, 2_550, false), [2_550, 1_490, 450, 0]);
    }

    #[test]
    fn a_bent_level_keeps_its_ends_and_never_goes_dark() {
        for gamma in [0.1, 1.0, 2.2, 100.0] {
            assert_eq!((bent(0, gamma), bent(FULL, gamma)), (0, FULL));
            assert!((1..FULL).all(|level| bent(level, gamma) > 0));
        }
        assert_eq!(bent(5_000, 2.0), 2_500);
        for odd in [-1.0, f32::NAN, f32::INFINITY] {
            assert!((1..=FULL).contains(&bent(5_000, odd)), "{odd}");
        }
    }
}
