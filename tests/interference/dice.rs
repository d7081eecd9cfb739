//! Chance that is the same for the same seed and the same question, whoever asks
//! first: an answer does not hang on how tasks interleave. SplitMix64 (Steele et
//! al. 2014), started from the seed and a hash of the question (FNV-1a).

#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// For the `time`-th time that `question` is asked.
    pub(crate) fn new(seed: u64, question: &str, time: u64) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in question.bytes().chain(time.to_le_bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let mut dice = Self(seed);
        dice.0 = dice.next() ^ hash;
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `from..to`.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }

    /// True so many times in a thousand.
    pub(crate) fn per_mille(&mut self, share: u64) -> bool {
        self.between(0, 1000) < share
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.between(0, from.len() as u64) as usize].clone()
    }
}

#[test]
fn the_same_question_has_the_same_answer_and_another_one_another() {
    let ask = |seed, question, time| Dice::new(seed, question, time).between(0, u64::MAX);
    assert_eq!(ask(1, "GET /a", 0), ask(1, "GET /a", 0));
    let others = [
        ask(2, "GET /a", 0),
        ask(1, "GET /b", 0),
        ask(1, "GET /a", 1),
    ];
    assert!(!others.contains(&ask(1, "GET /a", 0)));
}
