//! SHA-256 (FIPS 180-4).

const START: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

const K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2,
];

pub fn sha256(text: &[u8]) -> [u32; 8] {
    let compress = compression();
    let mut state = START;
    let (blocks, rest) = text.split_at(text.len() / 64 * 64);
    compress(&mut state, blocks);
    let mut last = [0u8; 128];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    let size = if rest.len() < 56 { 64 } else { 128 };
    last[size - 8..size].copy_from_slice(&(text.len() as u64 * 8).to_be_bytes());
    compress(&mut state, &last[..size]);
    state
}

type Compress = fn(&mut [u32; 8], &[u8]);

/// The fastest way of this machine; its blocks are of 64 bytes.
fn compression() -> Compress {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("sha") && std::arch::is_x86_feature_detected!("sse4.1") {
        // SAFETY: the machine has what the function is compiled for.
        return |state, blocks| unsafe { by_instruction::compress(state, blocks) };
    }
    |state, blocks| blocks.chunks_exact(64).for_each(|block| compress_block(state, block))
}

fn compress_block(state: &mut [u32; 8], block: &[u8]) {
    let mut w = [0u32; 64];
    for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes(bytes.try_into().expect("four bytes"));
    }
    for i in 16..64 {
        let small0 = w[i - 15].rotate_right(7) ^ w[i - 15].rotate_right(18) ^ (w[i - 15] >> 3);
        let small1 = w[i - 2].rotate_right(17) ^ w[i - 2].rotate_right(19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16]
            .wrapping_add(small0)
            .wrapping_add(w[i - 7])
            .wrapping_add(small1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for i in 0..64 {
        let big1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let one = h
            .wrapping_add(big1)
            .wrapping_add(choice)
            .wrapping_add(K[i])
            .wrapping_add(w[i]);
        let big0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        let two = big0.wrapping_add(majority);
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(one), c, b, a, one.wrapping_add(two));
    }
    for (word, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(new);
    }
}

/// The same by the machine's own instructions for it.
#[cfg(target_arch = "x86_64")]
mod by_instruction {
    use super::K;
    use std::arch::x86_64::*;

    /// # Safety
    /// The machine has SHA and SSE4.1.
    #[target_feature(enable = "sha,sse4.1,ssse3,sse2")]
    pub unsafe fn compress(state: &mut [u32; 8], blocks: &[u8]) {
        let big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
        let [a, b, c, d, e, f, g, h] = state.map(|word| word as i32);
        // the instructions want the eight words as ABEF and CDGH
        let mut abef = _mm_set_epi32(a, b, e, f);
        let mut cdgh = _mm_set_epi32(c, d, g, h);
        for block in blocks.chunks_exact(64) {
            let (before_abef, before_cdgh) = (abef, cdgh);
            let mut words = [_mm_setzero_si128(); 4];
            for (word, bytes) in words.iter_mut().zip(block.chunks_exact(16)) {
                *word = _mm_shuffle_epi8(_mm_loadu_si128(bytes.as_ptr().cast()), big_endian);
            }
            for (round, constants) in K.chunks_exact(4).enumerate() {
                let now = words[round % 4];
                let sum = _mm_add_epi32(now, _mm_loadu_si128(constants.as_ptr().cast()));
                cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
                abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32::<0x0e>(sum));
                if round < 12 {
                    // the four words that come after the next twelve
                    let (next, second, third) =
                        (words[(round + 1) % 4], words[(round + 2) % 4], words[(round + 3) % 4]);
                    let mixed = _mm_add_epi32(_mm_sha256msg1_epu32(now, next), _mm_alignr_epi8::<4>(third, second));
                    words[round % 4] = _mm_sha256msg2_epu32(mixed, third);
                }
            }
            abef = _mm_add_epi32(abef, before_abef);
            cdgh = _mm_add_epi32(cdgh, before_cdgh);
        }
        let words = |pair: __m128i| {
            let mut out = [0u32; 4];
            _mm_storeu_si128(out.as_mut_ptr().cast(), pair);
            out
        };
        let ([f, e, b, a], [h, g, d, c]) = (words(abef), words(cdgh));
        *state = [a, b, c, d, e, f, g, h];
    }
}
