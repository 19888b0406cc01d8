//! What lies in a slot: a header, floats, bytes; and a sum over all of it.

use std::sync::atomic::Ordering;

use super::slots::Word;

/// What a writer says about a value. Times are nanoseconds of the monotonic clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    /// When what the writer saw was observed; not when it was done. An age is counted from here.
    pub observed_at: u64,
    /// When it is published.
    pub published_at: u64,
    /// The first eight bytes of the SHA-256 of the weights that made it; 0 for none.
    pub checkpoint: u64,
    /// Which prompt it was made for; 0 for none.
    pub prompt: u32,
}

/// What stands before a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    /// Counts values from 1, over restarts of the writer.
    pub sequence: u64,
    /// Counts writers from 1: each that attaches is another.
    pub incarnation: u32,
    /// Floats that the value has, at most what the layout allows.
    pub n_floats: u32,
    /// Bytes that the value has, at most what the layout allows.
    pub n_bytes: u32,
    /// What the writer says.
    pub stamp: Stamp,
}

/// Words of a header with the sum.
pub(super) const HEADER: usize = 8;

/// Room for values of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Most floats of a value.
    pub n_floats: usize,
    /// Most bytes of a value.
    pub n_bytes: usize,
}

impl Layout {
    pub(super) fn n_words(self) -> usize {
        HEADER + self.n_floats.div_ceil(2) + self.n_bytes.div_ceil(8)
    }
}

/// A sum in which every word and its place counts. It finds damage, not malice.
#[derive(Clone, Copy)]
struct Sum(u64);

impl Sum {
    fn add(&mut self, word: u64) {
        // An odd factor (from 2^64 / φ) keeps every bit; the rotation brings high bits down.
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}

fn fields(header: &Header) -> [u64; HEADER - 1] {
    let stamp = &header.stamp;
    [
        header.sequence,
        u64::from(header.incarnation) << 32 | u64::from(stamp.prompt),
        u64::from(header.n_floats) << 32 | u64::from(header.n_bytes),
        stamp.observed_at,
        stamp.published_at,
        stamp.checkpoint,
        0,
    ]
}

/// Writes a value.
pub(super) fn write<W: Word>(slot: &[W], header: &Header, floats: &[f32], bytes: &[u8]) {
    let mut sum = Sum(1);
    let fields = fields(header);
    let mut put = |word: &W, value: u64| {
        sum.add(value);
        word.store(value, Ordering::Relaxed);
    };
    for (word, value) in slot.iter().zip(fields) {
        put(word, value);
    }
    let mut rest = slot[HEADER..].iter();
    for pair in floats.chunks(2) {
        let high = pair.get(1).map_or(0, |value| u64::from(value.to_bits()));
        if let Some(word) = rest.next() {
            put(word, high << 32 | u64::from(pair[0].to_bits()));
        }
    }
    for part in bytes.chunks(8) {
        let mut eight = [0; 8];
        eight[..part.len()].copy_from_slice(part);
        if let Some(word) = rest.next() {
            put(word, u64::from_le_bytes(eight));
        }
    }
    slot[HEADER - 1].store(sum.0, Ordering::Relaxed);
}

/// Reads only the header, of a slot that nobody writes.
pub(super) fn header<W: Word>(slot: &[W]) -> Header {
    let at = |idx: usize| slot[idx].load(Ordering::Relaxed);
    Header {
        sequence: at(0),
        incarnation: (at(1) >> 32) as u32,
        n_floats: (at(2) >> 32) as u32,
        n_bytes: at(2) as u32,
        stamp: Stamp {
            observed_at: at(3),
            published_at: at(4),
            checkpoint: at(5),
            prompt: at(1) as u32,
        },
    }
}

/// Copies the value of a slot whose header is `header`, and says whether all of it is as it was
/// written. Buffers that are too short are not filled, and that is not whole either.
pub(super) fn read<W: Word>(
    slot: &[W],
    header: &Header,
    floats: &mut [f32],
    bytes: &mut [u8],
) -> bool {
    let (n_floats, n_bytes) = (header.n_floats as usize, header.n_bytes as usize);
    let room = Layout { n_floats, n_bytes }.n_words() <= slot.len();
    if !room || n_floats > floats.len() || n_bytes > bytes.len() {
        return false;
    }
    let mut sum = Sum(1);
    for value in fields(header) {
        sum.add(value);
    }
    let mut rest = slot[HEADER..].iter().map(|word| {
        let value = word.load(Ordering::Relaxed);
        sum.add(value);
        value
    });
    for (pair, word) in floats[..n_floats].chunks_mut(2).zip(&mut rest) {
        pair[0] = f32::from_bits(word as u32);
        if let Some(second) = pair.get_mut(1) {
            *second = f32::from_bits((word >> 32) as u32);
        }
    }
    for (part, word) in bytes[..n_bytes].chunks_mut(8).zip(&mut rest) {
        part.copy_from_slice(&word.to_le_bytes()[..part.len()]);
    }
    sum.0 == slot[HEADER - 1].load(Ordering::Relaxed)
}
