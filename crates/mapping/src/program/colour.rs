//! Colours as devices of other makes count them: red, green and blue for our hue and saturation.

/// Largest value of a primary.
const PRIMARY_MAX: f64 = 255.0;

/// Red, green and blue, 0-255, of a hue in degrees and a saturation in %, as bright as can be.
#[must_use]
pub fn primaries(hue: f64, saturation: f64) -> [f64; 3] {
    let saturation = (saturation / 100.0).clamp(0.0, 1.0);
    // How far each primary is from the hue, in sixths of the circle.
    let of = |offset: f64| {
        let place = (offset + hue.rem_euclid(360.0) / 60.0) % 6.0;
        let share = place.min(4.0 - place).clamp(0.0, 1.0);
        (PRIMARY_MAX * (1.0 - saturation * share)).round()
    };
    [of(5.0), of(3.0), of(1.0)]
}

/// The hue, 0-359 degrees, and the saturation in % of red, green and blue, whole; grey has the hue 0.
#[must_use]
pub fn of_primaries([red, green, blue]: [f64; 3]) -> (f64, f64) {
    let (high, low) = (red.max(green).max(blue), red.min(green).min(blue));
    let span = high - low;
    if span <= 0.0 {
        return (0.0, 0.0);
    }
    let sixth = if high == red {
        ((green - blue) / span).rem_euclid(6.0)
    } else if high == green {
        (blue - red) / span + 2.0
    } else {
        (red - green) / span + 4.0
    };
    (
        (sixth * 60.0).round() % 360.0,
        (100.0 * span / high).round(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_colours_are_what_everybody_calls_them() {
        for (hue, saturation, expected) in [
            (0.0, 100.0, [255.0, 0.0, 0.0]),
            (120.0, 100.0, [0.0, 255.0, 0.0]),
            (240.0, 100.0, [0.0, 0.0, 255.0]),
            (60.0, 100.0, [255.0, 255.0, 0.0]),
            (0.0, 0.0, [255.0, 255.0, 255.0]),
            (30.0, 60.0, [255.0, 179.0, 102.0]),
        ] {
            assert_eq!(primaries(hue, saturation), expected, "{hue} {saturation}");
        }
    }

    #[test]
    fn a_colour_that_comes_back_is_the_same_one() {
        for hue in 0..360 {
            for saturation in [11, 30, 50, 77, 100] {
                let (hue, saturation) = (f64::from(hue), f64::from(saturation));
                let (back, pale) = of_primaries(primaries(hue, saturation));
                let apart = (back - hue).abs().min(360.0 - (back - hue).abs());
                assert!(
                    apart <= 2.0 && (pale - saturation).abs() <= 1.0,
                    "{hue} {saturation}: {back} {pale}"
                );
            }
        }
    }
}
