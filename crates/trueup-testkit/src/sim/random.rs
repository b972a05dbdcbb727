//! Choices that depend on a seed alone.

/// A stream of choices (SplitMix64). Two with one seed choose alike.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Makes the stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// Draws a number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Draws a number below `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let number = self.number() >> 11;
        usize::try_from(number % (end.max(1) as u64)).unwrap_or(0)
    }

    /// Says yes in `percent` of 100 cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Draws one of `things`.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())]
    }
}
