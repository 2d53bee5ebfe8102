//! Bytes that look random and are the same every time.

/// `count` bytes that only depend on `seed`; all byte values occur, so that they are no text.
pub fn noise(seed: u64, count: u64) -> Vec<u8> {
    // xorshift64*, which must not start at 0.
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_be_bytes()[0]
    };
    (0..count).map(|_| next()).collect()
}
