//! Where a GenBank feature lies: `complement(join(3..9,12..>20))` and its kin.

use std::ops::Range;

use super::Strand;

/// How deep parentheses may lie in one another; files have two or three.
const MOST_DEPTH: usize = 16;

/// A location, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) strand: Strand,
    /// Ascending.
    pub(super) parts: Vec<Range<usize>>,
    pub(super) partial: bool,
}

/// Reads a location, whose blanks are removed already. `Ok(None)` is one that holds no base of this
/// record: a place between two bases, or another record's.
pub(super) fn parse(text: &str) -> Result<Option<Location>, String> {
    let mut parser = Parser { text, rest: text, partial: false };
    let listed = parser.location(0)?;
    if !parser.rest.is_empty() {
        return Err(parser.wrong());
    }
    let Some((_, strand)) = listed.first().cloned() else { return Ok(None) };
    // In the order of reading: ascending on the forward strand, descending on the other. Parts may
    // overlap by a few bases, where a ribosome slips back.
    let follows = |pair: &[(Range<usize>, Strand)]| match strand {
        Strand::Forward => pair[0].0.start < pair[1].0.start,
        Strand::Reverse => pair[1].0.start < pair[0].0.start,
    };
    let in_order =
        listed.iter().all(|(_, other)| *other == strand) && listed.windows(2).all(follows);
    let mut parts: Vec<Range<usize>> = listed.into_iter().map(|(part, _)| part).collect();
    parts.sort_by_key(|part| (part.start, part.end));
    Ok(Some(Location { strand, parts, partial: parser.partial || !in_order }))
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    partial: bool,
}

impl Parser<'_> {
    fn wrong(&self) -> String {
        let at = self.text.len() - self.rest.len() + 1;
        let shown: String = self.text.chars().take(60).collect();
        format!("`{shown}` is no location (at its character {at})")
    }

    fn take(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        if self.take(word) { Ok(()) } else { Err(self.wrong()) }
    }

    /// Parts in the order of reading.
    fn location(&mut self, depth: usize) -> Result<Vec<(Range<usize>, Strand)>, String> {
        if depth > MOST_DEPTH {
            return Err(self.wrong());
        }
        if self.take("complement(") {
            let mut parts = self.location(depth + 1)?;
            self.expect(")")?;
            parts.reverse();
            for (_, strand) in &mut parts {
                *strand = match strand {
                    Strand::Forward => Strand::Reverse,
                    Strand::Reverse => Strand::Forward,
                };
            }
            return Ok(parts);
        }
        if self.take("join(") || self.take("order(") {
            let mut parts = self.location(depth + 1)?;
            while self.take(",") {
                parts.extend(self.location(depth + 1)?);
            }
            self.expect(")")?;
            return Ok(parts);
        }
        self.range()
    }

    /// `5`, `3..9`, `<3..>9`, `3^4`, or another record's `J00194.1:3..9`.
    fn range(&mut self) -> Result<Vec<(Range<usize>, Strand)>, String> {
        let until = self.rest.find([',', '(', ')']).unwrap_or(self.rest.len());
        if let Some(colon) = self.rest[..until].find(':') {
            if colon == 0 {
                return Err(self.wrong());
            }
            self.rest = &self.rest[until..];
            self.partial = true;
            return Ok(Vec::new());
        }
        let first = self.position()?;
        if self.take("^") {
            self.position()?;
            return Ok(Vec::new());
        }
        let last = if self.take("..") { self.position()? } else { first };
        if first == 0 || last < first {
            return Err(self.wrong());
        }
        Ok(vec![(first - 1..last, Strand::Forward)])
    }

    /// A number, perhaps with a sign that the feature goes on beyond it.
    fn position(&mut self) -> Result<usize, String> {
        self.partial |= self.take("<") || self.take(">");
        let n = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = self.rest[..n].parse().map_err(|_| self.wrong())?;
        self.rest = &self.rest[n..];
        Ok(number)
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "a location of one part is one range")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, strand: Strand, parts: &[Range<usize>], partial: bool) {
        let want = Location { strand, parts: parts.to_vec(), partial };
        assert_eq!(parse(text), Ok(Some(want)), "{text}");
    }

    #[test]
    fn locations_are_read_as_the_format_has_them() {
        check("5", Strand::Forward, &[4..5], false);
        check("3..9", Strand::Forward, &[2..9], false);
        check("<3..9", Strand::Forward, &[2..9], true);
        check("join(3..9,12..>20)", Strand::Forward, &[2..9, 11..20], true);
        check("order(3..9,12..20)", Strand::Forward, &[2..9, 11..20], false);
        check("complement(join(3..9,12..20))", Strand::Reverse, &[2..9, 11..20], false);
        check("join(complement(12..20),complement(3..9))", Strand::Reverse, &[2..9, 11..20], false);
        check("join(3..9,9..20)", Strand::Forward, &[2..9, 8..20], false);
        check("join(J00194.1:1..4,3..9)", Strand::Forward, &[2..9], true);
    }

    #[test]
    fn parts_that_do_not_follow_one_another_are_no_whole_gene() {
        check("join(90..99,1..6)", Strand::Forward, &[0..6, 89..99], true);
        check("join(1..6,complement(8..9))", Strand::Forward, &[0..6, 7..9], true);
    }

    #[test]
    fn a_place_without_bases_is_none_and_no_location_is_an_error() {
        assert_eq!(parse("3^4"), Ok(None));
        assert_eq!(parse("J00194.1:1..4"), Ok(None));
        for text in
            ["", "0..3", "9..3", "join(1..2", "1..2)", "1..x", ":1..2", "99999999999999999999"]
        {
            parse(text).expect_err(text);
        }
        parse(&"complement(".repeat(10_000)).expect_err("too deep");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9<>.,^:a(]{0,20}|.{0,20}|((join|complement|order)\\(){0,5}[0-9.,)]{0,20}") {
            if let Ok(Some(location)) = parse(&text) {
                prop_assert!(location.parts.iter().all(|part| !part.is_empty()));
                prop_assert!(location.parts.is_sorted_by_key(|part| part.start));
            }
        }
    }
}
