//! Random numbers that come again: each contestant gets the same sizes and the
//! same moments.

use std::time::Duration;

/// A SplitMix64 generator: a few lines, and good enough to spread moments.
pub(super) struct Dice(u64);

impl Dice {
    /// Numbers that follow from `seed`.
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `least` to `most`.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// So many milliseconds.
    pub(super) fn millis_between(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.between(least, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same_numbers_within_their_bounds() {
        let (mut one, mut other) = (Dice::new(7), Dice::new(7));
        let thrown: Vec<u64> = (0..1000).map(|_| one.between(40, 120)).collect();
        assert!(thrown.iter().all(|&number| number == other.between(40, 120)));
        assert!(thrown.iter().all(|number| (40..=120).contains(number)));
        assert!(thrown.contains(&40) && thrown.contains(&120));
        assert_ne!(Dice::new(8).between(0, u64::MAX - 1), Dice::new(7).between(0, u64::MAX - 1));
    }
}
