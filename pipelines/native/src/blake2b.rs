//! BLAKE2b (RFC 7693), keyed, of at most 64 bytes.

const IV: [u64; 8] = [
    0x6a09e667f3bcc908,
    0xbb67ae8584caa73b,
    0x3c6ef372fe94f82b,
    0xa54ff53a5f1d36f1,
    0x510e527fade682d1,
    0x9b05688c2b3e6c1f,
    0x1f83d9abfb41bd6b,
    0x5be0cd19137e2179,
];

const SIGMA: [[usize; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

const BLOCK: usize = 128;

/// A hash under one key, ready for any number of texts.
pub struct Keyed {
    state: [u64; 8],
    size: usize,
}

/// A word of each of the N texts that are hashed at once, each in its lane of the machine's vectors.
type Lanes<const N: usize> = [u64; N];

impl Keyed {
    /// `key` of 1 to 64 bytes, `size` of 1 to 64.
    pub fn new(key: &[u8], size: usize) -> Keyed {
        let mut state = IV;
        state[0] ^= 0x0101_0000 ^ (key.len() as u64) << 8 ^ size as u64;
        let mut block = [0u8; BLOCK];
        block[..key.len()].copy_from_slice(key);
        let mut lanes = state.map(|word| [word]);
        let mut step = Step::<1>::new();
        step.put(0, &block);
        step.done[0] = BLOCK as u64;
        compress(&mut lanes, &step);
        Keyed {
            state: lanes.map(|lane| lane[0]),
            size,
        }
    }

    /// The hash of each text in lower-case hex, `2 * size` characters. An empty text has no hash here (its key would be
    /// its last block) and is left out: no record is empty.
    pub fn hex<'a>(&self, texts: impl Iterator<Item = &'a [u8]>, out: &mut [u8]) {
        #[cfg(all(target_arch = "x86_64", has_avx512))]
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the machine has what the function is compiled for.
            return self.hex_in_lanes::<8>(texts, out, |state, step| unsafe { avx512::compress(state, step) });
        }
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has what the function is compiled for.
            return self.hex_in_lanes::<4>(texts, out, |state, step| unsafe { avx2::compress(state, step) });
        }
        self.hex_in_lanes::<1>(texts, out, compress)
    }

    fn hex_in_lanes<'a, const N: usize>(
        &self,
        texts: impl Iterator<Item = &'a [u8]>,
        out: &mut [u8],
        compress: impl Fn(&mut [Lanes<N>; 8], &Step<N>),
    ) {
        let mut waiting = texts.enumerate().filter(|(_, text)| !text.is_empty());
        let mut lanes = [[0; N]; 8];
        let mut hashed: [Option<Text>; N] = [None; N];
        let mut step = Step::new();
        loop {
            let mut is_idle = true;
            for lane in 0..N {
                if hashed[lane].is_none() {
                    hashed[lane] = waiting.next().map(|(place, rest)| Text {
                        rest,
                        place,
                        done: BLOCK as u64,
                    });
                    (0..8).for_each(|word| lanes[word][lane] = self.state[word]);
                }
                if let Some(text) = &mut hashed[lane] {
                    text.next_block(lane, &mut step);
                    is_idle = false;
                }
            }
            if is_idle {
                return;
            }
            compress(&mut lanes, &step);
            for lane in 0..N {
                if let Some(text) = hashed[lane].filter(|text| text.rest.is_empty()) {
                    let bytes = (0..8).flat_map(|word| lanes[word][lane].to_le_bytes()).take(self.size);
                    write_hex(bytes, &mut out[text.place * 2 * self.size..][..2 * self.size]);
                    hashed[lane] = None;
                }
            }
        }
    }
}

/// What is still to be hashed of one text.
#[derive(Clone, Copy)]
struct Text<'a> {
    rest: &'a [u8],
    place: usize,
    done: u64,
}

impl Text<'_> {
    #[inline(always)]
    fn next_block<const N: usize>(&mut self, lane: usize, step: &mut Step<N>) {
        if self.rest.len() > BLOCK {
            step.put(lane, self.rest[..BLOCK].try_into().expect("a block"));
            self.rest = &self.rest[BLOCK..];
            self.done += BLOCK as u64;
            step.last[lane] = 0;
        } else {
            let mut block = [0u8; BLOCK];
            block[..self.rest.len()].copy_from_slice(self.rest);
            step.put(lane, &block);
            self.done += self.rest.len() as u64;
            self.rest = &[];
            step.last[lane] = u64::MAX;
        }
        step.done[lane] = self.done;
    }
}

/// A block of each lane, how many bytes are done with it, and all bits set where it is the last.
struct Step<const N: usize> {
    words: [Lanes<N>; 16],
    done: Lanes<N>,
    last: Lanes<N>,
}

impl<const N: usize> Step<N> {
    fn new() -> Step<N> {
        Step {
            words: [[0; N]; 16],
            done: [0; N],
            last: [0; N],
        }
    }

    #[inline(always)]
    fn put(&mut self, lane: usize, block: &[u8; BLOCK]) {
        for (word, bytes) in self.words.iter_mut().zip(block.chunks_exact(8)) {
            word[lane] = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        }
    }
}

pub fn write_hex(bytes: impl Iterator<Item = u8>, out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[(byte >> 4) as usize];
        pair[1] = DIGITS[(byte & 15) as usize];
    }
}

const COLUMNS_AND_DIAGONALS: [[usize; 4]; 8] = [
    [0, 4, 8, 12],
    [1, 5, 9, 13],
    [2, 6, 10, 14],
    [3, 7, 11, 15],
    [0, 5, 10, 15],
    [1, 6, 11, 12],
    [2, 7, 8, 13],
    [3, 4, 9, 14],
];

/// Lane after lane, on any machine.
fn compress<const N: usize>(state: &mut [Lanes<N>; 8], step: &Step<N>) {
    for lane in 0..N {
        let mut v: [u64; 16] = std::array::from_fn(|word| if word < 8 { state[word][lane] } else { IV[word - 8] });
        v[12] ^= step.done[lane];
        v[14] ^= step.last[lane];
        for round in 0..12 {
            let order = &SIGMA[round % 10];
            for (place, four) in COLUMNS_AND_DIAGONALS.into_iter().enumerate() {
                mix(
                    &mut v,
                    four,
                    step.words[order[2 * place]][lane],
                    step.words[order[2 * place + 1]][lane],
                );
            }
        }
        for word in 0..8 {
            state[word][lane] ^= v[word] ^ v[word + 8];
        }
    }
}

#[inline(always)]
fn mix(v: &mut [u64; 16], [a, b, c, d]: [usize; 4], x: u64, y: u64) {
    v[a] = v[a].wrapping_add(v[b]).wrapping_add(x);
    v[d] = (v[d] ^ v[a]).rotate_right(32);
    v[c] = v[c].wrapping_add(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right(24);
    v[a] = v[a].wrapping_add(v[b]).wrapping_add(y);
    v[d] = (v[d] ^ v[a]).rotate_right(16);
    v[c] = v[c].wrapping_add(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right(63);
}

/// The eight mixes of a round, written out: the sixteen words stay in registers only where their numbers are constants.
macro_rules! round {
    ($mix:ident, $order:ident) => {
        $mix!($order, 0, 0, 4, 8, 12);
        $mix!($order, 1, 1, 5, 9, 13);
        $mix!($order, 2, 2, 6, 10, 14);
        $mix!($order, 3, 3, 7, 11, 15);
        $mix!($order, 4, 0, 5, 10, 15);
        $mix!($order, 5, 1, 6, 11, 12);
        $mix!($order, 6, 2, 7, 8, 13);
        $mix!($order, 7, 3, 4, 9, 14);
    };
}

/// The same for four lanes in one register each.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{Lanes, Step, IV, SIGMA};
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn load(lanes: &Lanes<4>) -> __m256i {
        _mm256_loadu_si256(lanes.as_ptr().cast())
    }

    /// # Safety
    /// The machine has AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn compress(state: &mut [Lanes<4>; 8], step: &Step<4>) {
        let by_24 = _mm256_setr_epi8(
            3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10, 3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10,
        );
        let by_16 = _mm256_setr_epi8(
            2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9, 2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9,
        );
        let mut v = [_mm256_setzero_si256(); 16];
        for word in 0..8 {
            v[word] = load(&state[word]);
            v[word + 8] = _mm256_set1_epi64x(IV[word] as i64);
        }
        v[12] = _mm256_xor_si256(v[12], load(&step.done));
        v[14] = _mm256_xor_si256(v[14], load(&step.last));
        macro_rules! mix {
            ($order:ident, $place:literal, $a:literal, $b:literal, $c:literal, $d:literal) => {
                let x = load(&step.words[$order[2 * $place]]);
                let y = load(&step.words[$order[2 * $place + 1]]);
                v[$a] = _mm256_add_epi64(_mm256_add_epi64(v[$a], v[$b]), x);
                v[$d] = _mm256_shuffle_epi32::<0xb1>(_mm256_xor_si256(v[$d], v[$a]));
                v[$c] = _mm256_add_epi64(v[$c], v[$d]);
                v[$b] = _mm256_shuffle_epi8(_mm256_xor_si256(v[$b], v[$c]), by_24);
                v[$a] = _mm256_add_epi64(_mm256_add_epi64(v[$a], v[$b]), y);
                v[$d] = _mm256_shuffle_epi8(_mm256_xor_si256(v[$d], v[$a]), by_16);
                v[$c] = _mm256_add_epi64(v[$c], v[$d]);
                let mixed = _mm256_xor_si256(v[$b], v[$c]);
                v[$b] = _mm256_or_si256(_mm256_srli_epi64::<63>(mixed), _mm256_add_epi64(mixed, mixed));
            };
        }
        for order in SIGMA.iter().chain(&SIGMA[..2]) {
            round!(mix, order);
        }
        for word in 0..8 {
            let new = _mm256_xor_si256(_mm256_xor_si256(v[word], v[word + 8]), load(&state[word]));
            _mm256_storeu_si256(state[word].as_mut_ptr().cast(), new);
        }
    }
}

/// The same for eight lanes, on machines that rotate by themselves.
#[cfg(all(target_arch = "x86_64", has_avx512))]
#[allow(clippy::incompatible_msrv)] // it is compiled where the compiler knows it
mod avx512 {
    use super::{Lanes, Step, IV, SIGMA};
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load(lanes: &Lanes<8>) -> __m512i {
        _mm512_loadu_si512(lanes.as_ptr().cast())
    }

    /// # Safety
    /// The machine has AVX-512F.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn compress(state: &mut [Lanes<8>; 8], step: &Step<8>) {
        let mut v = [_mm512_setzero_si512(); 16];
        for word in 0..8 {
            v[word] = load(&state[word]);
            v[word + 8] = _mm512_set1_epi64(IV[word] as i64);
        }
        v[12] = _mm512_xor_si512(v[12], load(&step.done));
        v[14] = _mm512_xor_si512(v[14], load(&step.last));
        macro_rules! mix {
            ($order:ident, $place:literal, $a:literal, $b:literal, $c:literal, $d:literal) => {
                let x = load(&step.words[$order[2 * $place]]);
                let y = load(&step.words[$order[2 * $place + 1]]);
                v[$a] = _mm512_add_epi64(_mm512_add_epi64(v[$a], v[$b]), x);
                v[$d] = _mm512_ror_epi64::<32>(_mm512_xor_si512(v[$d], v[$a]));
                v[$c] = _mm512_add_epi64(v[$c], v[$d]);
                v[$b] = _mm512_ror_epi64::<24>(_mm512_xor_si512(v[$b], v[$c]));
                v[$a] = _mm512_add_epi64(_mm512_add_epi64(v[$a], v[$b]), y);
                v[$d] = _mm512_ror_epi64::<16>(_mm512_xor_si512(v[$d], v[$a]));
                v[$c] = _mm512_add_epi64(v[$c], v[$d]);
                v[$b] = _mm512_ror_epi64::<63>(_mm512_xor_si512(v[$b], v[$c]));
            };
        }
        for order in SIGMA.iter().chain(&SIGMA[..2]) {
            round!(mix, order);
        }
        for word in 0..8 {
            let new = _mm512_xor_si512(_mm512_xor_si512(v[word], v[word + 8]), load(&state[word]));
            _mm512_storeu_si512(state[word].as_mut_ptr().cast(), new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{compress, Keyed};

    /// Texts of all lengths around the ends of blocks, in an order that lets lanes end at different times.
    fn texts() -> Vec<Vec<u8>> {
        let lengths = (0..700).map(|n| (n * 37) % 700);
        lengths
            .map(|length| (0..length).map(|n| (n * 31 + length) as u8).collect())
            .collect()
    }

    fn hashed(hex: impl Fn(&Keyed, &[Vec<u8>], &mut [u8])) -> Vec<u8> {
        let (texts, mut out) = (texts(), vec![0; 32 * 700]);
        hex(&Keyed::new(b"a key", 16), &texts, &mut out);
        out
    }

    /// Whatever a machine has, the hashes are the same; Python's tests hold those that this one uses against hashlib.
    #[test]
    fn the_vectors_of_every_machine_agree() {
        let plain = hashed(|keyed, texts, out| {
            keyed.hex_in_lanes::<1>(texts.iter().map(Vec::as_slice), out, compress);
        });
        let used = hashed(|keyed, texts, out| keyed.hex(texts.iter().map(Vec::as_slice), out));
        assert_eq!(plain, used);
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            let four = hashed(|keyed, texts, out| {
                // SAFETY: the machine has AVX2.
                let compress = |state: &mut _, step: &_| unsafe { super::avx2::compress(state, step) };
                keyed.hex_in_lanes::<4>(texts.iter().map(Vec::as_slice), out, compress);
            });
            assert_eq!(plain, four);
        }
    }
}
