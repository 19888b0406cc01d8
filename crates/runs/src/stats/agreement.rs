//! Agreement of two judges beyond chance.
//!
//! J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological
//! Measurement 20 (1960): κ = (p₀ − pₑ)/(1 − pₑ), with p₀ the share on which both agree and pₑ the
//! share on which they would agree by chance, given how often each uses each category.

/// Cohen's κ of a square table: `table[i][j]` items were put into category i by the first judge and
/// j by the second. `None` when the table is not square, has no items, or both judges used the same
/// single category, where agreement by chance is certain and κ undefined.
#[must_use]
pub fn cohen_kappa(table: &[Vec<u64>]) -> Option<f64> {
    if table.iter().any(|row| row.len() != table.len()) {
        return None;
    }
    let total = table.iter().flatten().sum::<u64>() as f64;
    if total == 0.0 {
        return None;
    }
    let by_chance: f64 = (0..table.len())
        .map(|category| {
            let first: u64 = table[category].iter().sum();
            let second: u64 = table.iter().map(|row| row[category]).sum();
            (first as f64 / total) * (second as f64 / total)
        })
        .sum();
    let agreed = (0..table.len()).map(|i| table[i][i]).sum::<u64>() as f64 / total;
    (by_chance < 1.0).then(|| (agreed - by_chance) / (1.0 - by_chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: &[&[u64]], expected: Option<f64>) {
        let table: Vec<Vec<u64>> = table.iter().map(|row| row.to_vec()).collect();
        match (cohen_kappa(&table), expected) {
            (Some(got), Some(expected)) => assert!((got - expected).abs() < 1e-12, "{got}"),
            (got, expected) => assert_eq!(got, expected),
        }
    }

    #[test]
    fn values_are_those_of_worked_examples() {
        // p0 = 35/50, pe = (25·30 + 25·20)/50² = 1/2.
        check(&[&[20, 5], &[10, 15]], Some(0.4));
        // By hand: p0 = 70/100, pe = 0.5·0.6 + 0.3·0.3 + 0.2·0.1 = 0.41.
        check(&[&[44, 5, 1], &[7, 20, 3], &[9, 5, 6]], Some(0.29 / 0.59));
    }

    #[test]
    fn full_agreement_is_one_and_full_disagreement_of_two_even_judges_minus_one() {
        check(&[&[3, 0], &[0, 4]], Some(1.0));
        check(&[&[0, 5], &[5, 0]], Some(-1.0));
    }

    #[test]
    fn what_is_undefined_is_not_a_number() {
        check(&[], None);
        check(&[&[0, 0], &[0, 0]], None);
        check(&[&[9, 0], &[0, 0]], None);
        check(&[&[1, 2]], None);
    }
}
