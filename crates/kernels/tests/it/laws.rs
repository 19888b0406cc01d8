//! Laws of positions and schedules.

use kernels::emit;
use kernels::loops::{Affine, Atom};
use kernels::plan::Schedule;
use kernels::schedules::{self, Schedules};
use kernels::{Space, suite};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const EXTENTS: [usize; 3] = [6, 5, 8];

/// What a position is at a point.
fn at(index: &Affine, point: &[i64]) -> i64 {
    let term = |(factor, atom): &(i64, Atom)| {
        factor
            * match atom {
                Atom::Var(var) => point[*var],
                Atom::Div(inner, by) => at(inner, point).div_euclid(*by),
                Atom::Mod(inner, by) => at(inner, point).rem_euclid(*by),
                Atom::Value(_) => unreachable!("none is made here"),
            }
    };
    index.constant + index.terms.iter().map(term).sum::<i64>()
}

/// How positions come about: a step, and what happens to the sum.
fn indices() -> impl Strategy<Value = Affine> {
    let step = (0usize..3, -4i64..9, -3i64..9, 0usize..4, 1i64..13);
    prop::collection::vec(step, 1..5).prop_map(|steps| {
        steps.into_iter().fold(Affine::default(), |sum, (var, factor, constant, how, by)| {
            let sum = sum.plus(&Affine::var(var).times(factor)).offset(constant);
            match how {
                0 => sum.divided(by, &EXTENTS),
                1 => sum.remainder(by, &EXTENTS),
                2 => sum.divided(by, &EXTENTS).times(by).plus(&sum.remainder(by, &EXTENTS)),
                _ => sum,
            }
        })
    })
}

fn points() -> impl Strategy<Value = Vec<i64>> {
    EXTENTS.map(|extent| 0..extent as i64).to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    #[test]
    fn positions_obey_integer_arithmetic(
        one in indices(), other in indices(), by in 1i64..20, point in points(),
    ) {
        let (a, b) = (at(&one, &point), at(&other, &point));
        prop_assert_eq!(at(&one.plus(&other), &point), a + b);
        prop_assert_eq!(at(&one.times(-by), &point), -by * a);
        prop_assert_eq!(at(&one.divided(by, &EXTENTS), &point), a.div_euclid(by));
        prop_assert_eq!(at(&one.remainder(by, &EXTENTS), &point), a.rem_euclid(by));
        let (low, high) = one.range(&EXTENTS).expect("made of variables");
        prop_assert!(low <= a && a <= high, "{a} is not in {low}..={high}");
    }

    #[test]
    fn replacing_variables_commutes_with_evaluation(
        index in indices(), point in points(),
    ) {
        // The first variable is split in two, the others change places: those of the new space are
        // 3, 2 for the first, then 8 and 5.
        let extents = [3, 2, 8, 5];
        let by = [Affine::var(0).times(2).plus(&Affine::var(1)), Affine::var(3), Affine::var(2)];
        let there = [point[0] / 2, point[0] % 2, point[2], point[1]];
        prop_assert_eq!(at(&index.substitute(&by, &extents), &there), at(&index, &point));
    }

    #[test]
    fn a_stride_is_what_a_step_adds(index in indices(), point in points(), var in 0usize..3) {
        let mut next = point.clone();
        next[var] += 1;
        if let Some(stride) = index.stride(var) {
            prop_assert_eq!(at(&index, &next) - at(&index, &point), stride);
        }
        if !index.mentions(var) {
            prop_assert_eq!(at(&index, &next), at(&index, &point));
        }
    }
}

/// What a schedule makes must be a whole one of its own program, and say the same twice.
fn check(space: &Schedules, genotype: &kernels::space::Genotype, name: &str) {
    let schedule: Schedule = serde_json::from_value(genotype.0.clone()).expect("a schedule");
    assert_eq!(schedule.parts.len(), space.program().definitions.len(), "{name}");
    let candidate = space.emit(genotype);
    assert_eq!(candidate, space.emit(genotype), "{name}");
    assert_eq!(candidate, emit::c(space.program(), &schedule), "{name}");
    let kind = space.descriptors(genotype);
    let nests = ["1", "2", "3", "4", "5-or-more"].map(|n| format!("nests-{n}"));
    assert!(nests.contains(&kind.fusion), "{name}: {kind:?}");
    let parallel = ["none", "outer", "blocks", "reduction"];
    assert!(parallel.contains(&kind.parallel.as_str()), "{name}: {kind:?}");
    let memory = ["plain", "packed", "streaming", "packed-streaming"];
    assert!(memory.contains(&kind.memory.as_str()), "{name}: {kind:?}");
}

#[test]
fn every_move_gives_a_whole_schedule_of_every_bundled_task() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut last: Option<kernels::space::Genotype> = None;
    for task in suite::tasks() {
        let space = Schedules::new(&task).unwrap_or_else(|error| panic!("{error}"));
        let base = space.base();
        let plain = space.emit(&base).source;
        assert!(!plain.contains("#pragma omp"), "{}", task.name);
        let random = schedules::random(space.program(), &mut rng);
        let random = kernels::space::Genotype(serde_json::to_value(random).expect("plain data"));
        let mutated = space.mutate(&random, 3, &mut rng);
        let crossed = space.cross(&mutated, &base, &mut rng);
        let foreign = last.as_ref().and_then(|foreign| space.adopt(foreign));
        let own = space.adopt(&mutated);
        assert_eq!(own.as_ref(), Some(&mutated), "{}: its own schedule applies whole", task.name);
        let all = space.seeds().into_iter().chain([base, random, mutated.clone(), crossed]);
        for genotype in all.chain(foreign) {
            check(&space, &genotype, &task.name);
            for idx in 0..task.variants.len() {
                let variant = space.emit_variant(&genotype, idx);
                assert!(variant.is_some(), "{}: variant {idx}", task.name);
            }
        }
        assert!(space.emit_variant(&mutated, task.variants.len()).is_none());
        last = Some(mutated);
    }
}

#[test]
fn what_is_no_schedule_stands_for_the_base() {
    let task = suite::find("rms_norm").unwrap_or_else(|| suite::tasks().remove(0));
    let space = Schedules::new(&task).unwrap_or_else(|error| panic!("{error}"));
    let base = space.emit(&space.base());
    for text in ["null", "{}", r#"{"width":16,"flags":0,"parts":[]}"#] {
        let genotype = kernels::space::Genotype(serde_json::from_str(text).expect("JSON"));
        assert_eq!(space.emit(&genotype), base, "{text}");
    }
}
