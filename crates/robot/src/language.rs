//! Words to numbers, for S2.
//!
//! Words that instructions are made of have a number each. Any other word is cut into overlapping
//! threes of letters, and each of these gets one of [`BUCKETS`] numbers by its hash: an unknown word is
//! something definite, and words alike look alike.

/// Numbers for parts of unknown words.
pub const BUCKETS: usize = 128;

/// The number of nothing, that fills short instructions up.
pub const PAD: u16 = 0;

/// The number of the end of an instruction.
pub const END: u16 = 1;

/// Tokens of an instruction for models: all of ours fit.
pub const LENGTH: usize = 32;

/// Every known word; the position plus 2 is its number, so new words are added at the end.
pub const WORDS: &[&str] = &[
    "the",
    "a",
    "it",
    "and",
    "then",
    "in",
    "into",
    "on",
    "onto",
    "to",
    "from",
    "of",
    "with",
    "put",
    "place",
    "move",
    "take",
    "pick",
    "up",
    "drop",
    "bring",
    "set",
    "lay",
    "grab",
    "open",
    "close",
    "shut",
    "pull",
    "push",
    "hand",
    "give",
    "pass",
    "over",
    "receive",
    "get",
    "accept",
    "robot",
    "opposite",
    "other",
    "red",
    "green",
    "blue",
    "yellow",
    "orange",
    "purple",
    "white",
    "pink",
    "cube",
    "block",
    "brick",
    "can",
    "tin",
    "ball",
    "bottle",
    "mug",
    "cup",
    "bar",
    "stick",
    "bin",
    "box",
    "tray",
    "plate",
    "dish",
    "stand",
    "drawer",
    "fridge",
    "refrigerator",
    "door",
    "inside",
];

/// How many numbers there are: every token is smaller.
pub const VOCABULARY: usize = 2 + WORDS.len() + BUCKETS;

/// The numbers for parts of unknown words.
pub const STRANGE: std::ops::Range<u16> = (VOCABULARY - BUCKETS) as u16..VOCABULARY as u16;

/// The tokens of a text, with [`END`] after them, filled up with [`PAD`] or cut to `length`.
#[must_use]
pub fn tokens(text: &str, length: usize) -> Vec<u16> {
    let mut tokens = Vec::with_capacity(length);
    let lower = text.to_lowercase();
    for word in lower.split(|letter: char| !letter.is_alphanumeric()) {
        if word.is_empty() {
            continue;
        }
        match WORDS.iter().position(|known| *known == word) {
            Some(idx) => tokens.push(number(2 + idx)),
            None => parts(word, &mut tokens),
        }
        // No text, however long, needs more.
        if tokens.len() >= length {
            break;
        }
    }
    tokens.truncate(length.saturating_sub(1));
    tokens.push(END);
    tokens.resize(length, PAD);
    tokens
}

fn parts(word: &str, tokens: &mut Vec<u16>) {
    let letters: Vec<char> = std::iter::once('<').chain(word.chars()).chain(Some('>')).collect();
    for part in letters.windows(3.min(letters.len())).take(16) {
        // FNV-1a.
        let hash = part.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &letter| {
            (hash ^ u64::from(u32::from(letter))).wrapping_mul(0x0100_0000_01b3)
        });
        let bucket = usize::try_from(hash >> 32).unwrap_or(0) % BUCKETS;
        tokens.push(number(2 + WORDS.len() + bucket));
    }
}

fn number(idx: usize) -> u16 {
    u16::try_from(idx).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_have_one_number_whatever_their_case_and_commas() {
        let plain = tokens("put the red cube in the bin", 16);
        assert_eq!(plain, tokens("Put the RED cube, in the bin!", 16));
        assert_eq!(plain.iter().filter(|&&token| token > END).count(), 7);
    }

    #[test]
    fn unknown_words_are_definite_and_within_the_vocabulary() {
        let one = tokens("put the saxophone down", 32);
        assert_eq!(one, tokens("put the saxophone down", 32));
        assert_ne!(one, tokens("put the trombone down", 32));
        assert!(one.iter().all(|&token| usize::from(token) < VOCABULARY));
    }

    #[test]
    fn a_long_text_is_cut_and_still_ends() {
        let long = "put ".repeat(100_000);
        let tokens = tokens(&long, 24);
        assert_eq!((tokens.len(), tokens[23]), (24, END));
    }

    #[test]
    fn no_word_is_known_twice() {
        let mut words = WORDS.to_vec();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), WORDS.len());
    }
}
