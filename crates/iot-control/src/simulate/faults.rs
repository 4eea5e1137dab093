//! A network that is as bad as somebody wants it: loses, doubles and turns round datagrams, the same ones for the same seed.

use std::str::FromStr;

/// How bad; each from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Faults {
    /// Datagrams that are lost.
    loss: f64,
    /// Datagrams that come twice.
    dup: f64,
    /// Datagrams that come after the next one.
    reorder: f64,
}

/// `loss=0.2,dup=0.05,reorder=0.1`; what is not said is 0.
impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for part in text.split(',') {
            let (name, part_of) = part
                .split_once('=')
                .ok_or_else(|| format!("`{part}` is not written name=part, as in loss=0.2"))?;
            let part_of: f64 = part_of
                .parse()
                .ok()
                .filter(|part_of| (0.0..=1.0).contains(part_of))
                .ok_or_else(|| format!("`{name}` takes a part from 0 to 1, not `{part_of}`"))?;
            match name {
                "loss" => faults.loss = part_of,
                "dup" => faults.dup = part_of,
                "reorder" => faults.reorder = part_of,
                _ => return Err(format!("no fault is called `{name}`: loss, dup, reorder")),
            }
        }
        Ok(faults)
    }
}

/// One module's way to its dispatcher and back.
pub(super) struct Network {
    faults: Faults,
    dice: u64,
    late: Option<Vec<u8>>,
}

impl Network {
    /// Another one for each seed.
    pub(super) fn new(faults: Faults, seed: u64) -> Self {
        Self {
            faults,
            // Neighbouring seeds begin far from each other.
            dice: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15),
            late: None,
        }
    }

    /// Whether what happens in such a part of all cases happens now.
    fn happens(&mut self, part: f64) -> bool {
        // Knuth's MMIX numbers: the upper bits are good enough for a network.
        self.dice = { self.dice }
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.dice >> 33) as f64) < part * (1_u64 << 31) as f64
    }

    /// What arrives, now that this is sent.
    pub(super) fn passes(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        let faults = self.faults;
        if self.happens(faults.loss) {
            return Vec::new();
        }
        if self.late.is_none() && self.happens(faults.reorder) {
            self.late = Some(datagram.to_vec());
            return Vec::new();
        }
        let mut arrives = vec![datagram.to_vec()];
        if self.happens(faults.dup) {
            arrives.push(datagram.to_vec());
        }
        arrives.extend(self.late.take());
        arrives
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_as_bad_as_it_is_told_to_be_and_the_same_for_the_same_seed() {
        let faults: Faults = "loss=0.2,dup=0.05,reorder=0.1".parse().expect("faults");
        let run = |seed| {
            let mut network = Network::new(faults, seed);
            let sent = (0..10_000_u32).map(u32::to_le_bytes);
            let came: Vec<Vec<u8>> = sent.flat_map(|sent| network.passes(&sent)).collect();
            came
        };
        let came = run(1);
        assert_eq!(came, run(1));
        assert_ne!(came, run(2));
        let mut once = came.clone();
        once.sort();
        once.dedup();
        let lost = 10_000 - once.len();
        assert!((1_800..2_200).contains(&lost), "{lost}");
        assert!((250..550).contains(&(came.len() - once.len())));
        let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).expect("four");
        let late = came
            .windows(2)
            .filter(|two| number(&two[0]) > number(&two[1]));
        assert!((500..1_000).contains(&late.count()));
    }

    #[test]
    fn faults_are_read_and_others_are_named() {
        let parse = |text: &str| text.parse::<Faults>();
        assert_eq!(parse("dup=1").map(|faults| faults.dup), Ok(1.0));
        for wrong in [
            "", "loss", "loss=2", "loss=-1", "loss=x", "cut=0.1", "loss=NaN",
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
