//! An arm for tests, and what must hold of any.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;

/// Seven joints, alternately about z and y, as many arms have them; left by `y` metres.
pub(crate) fn arm(y: f64) -> Chain {
    let lengths = [0.0, 0.1, 0.15, 0.15, 0.12, 0.12, 0.06];
    let joints = std::array::from_fn(|idx| Joint {
        origin: Pose::at([0.0, 0.0, lengths[idx]]),
        axis: if idx % 2 == 0 { [0.0, 0.0, 1.0] } else { [0.0, 1.0, 0.0] },
        range: if idx % 2 == 0 { [-2.8, 2.8] } else { [-1.9, 1.9] },
        velocity: 2.0 + 0.2 * idx as f64,
        acceleration: 10.0 + idx as f64,
    });
    Chain { base: Pose::at([0.0, y, 0.3]), joints, tool: Pose::at([0.0, 0.0, 0.1]) }
}

/// A bent posture in the middle of what the arm can do.
pub(crate) const BENT: Joints = [0.0, 0.7, 0.0, 0.9, 0.0, 0.6, 0.0];

fn joints() -> impl Strategy<Value = Joints> {
    proptest::array::uniform7(-1.0_f64..1.0).prop_map(|shares| {
        let chain = arm(0.2);
        std::array::from_fn(|idx| {
            let [low, high] = chain.joints[idx].range;
            (low + high) / 2.0 + shares[idx] * (high - low) / 2.0
        })
    })
}

#[test]
fn the_arm_is_as_long_as_its_links_and_bends_about_its_axes() {
    let chain = arm(0.2);
    chain.check("left").expect("an arm");
    let straight = chain.forward(&[0.0; 7]);
    assert!((straight.position[2] - (0.3 + 0.7 + 0.1)).abs() < 1e-12);
    // A quarter turn of the second joint about y lays what is beyond it (0.7 m) along x.
    let mut joints = [0.0; 7];
    joints[1] = std::f64::consts::FRAC_PI_2;
    let bent = chain.forward(&joints);
    let expected = [0.7, 0.2, 0.4];
    assert!(norm(sub(bent.position, expected)) < 1e-12, "{bent:?}");
    assert!(norm(sub(bent.rotate([0.0, 0.0, 1.0]), [1.0, 0.0, 0.0])) < 1e-12);
}

#[test]
fn arms_that_are_none_are_refused_by_name() {
    let check = |change: fn(&mut Chain), part: &str| {
        let mut chain = arm(0.2);
        change(&mut chain);
        let error = chain.check("left").expect_err("no arm").to_string();
        assert!(error.contains("`left`") && error.contains(part), "{error}");
    };
    check(|chain| chain.joints[3].axis = [0.0, 2.0, 0.0], "joint 3: its axis");
    check(|chain| chain.joints[2].range = [1.0, -1.0], "joint 2: nothing is between");
    check(|chain| chain.joints[0].velocity = f64::NAN, "joint 0: NaN is no limit");
    check(|chain| chain.joints[6].origin.rotation[0][0] = -1.0, "joint 6: its origin");
    check(|chain| chain.base.position[0] = f64::INFINITY, "base or tool");
}

#[test]
fn columns_that_say_no_direction_give_no_pose() {
    let pose = |first, second| Pose::from_columns([0.0; 3], first, second);
    assert_eq!(pose([0.0; 3], [0.0, 1.0, 0.0]), None);
    assert_eq!(pose([1.0, 0.0, 0.0], [2.0, 0.0, 0.0]), None);
    assert_eq!(pose([f64::NAN, 0.0, 1.0], [0.0, 1.0, 0.0]), None);
    assert_eq!(pose([1e300, 0.0, 0.0], [0.0, 1e300, 1e300]), None);
    assert!(pose([2.0, 0.1, 0.0], [0.3, 0.5, 0.0]).expect("a pose").is_rigid());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_jacobian_is_the_slope_of_the_forward_kinematics(joints in joints()) {
        let chain = arm(-0.2);
        let reach = chain.reach(&joints);
        prop_assert_eq!(reach.wrist, chain.forward(&joints));
        let jacobian = reach.jacobian();
        let small = 1e-6;
        for idx in 0..ARM_JOINTS {
            let mut moved = joints;
            moved[idx] += small;
            let wrist = chain.forward(&moved);
            let way = scale(sub(wrist.position, reach.wrist.position), 1.0 / small);
            let turn = scale(reach.wrist.turn_to(&wrist), 1.0 / small);
            for row in 0..3 {
                prop_assert!((way[row] - jacobian[row][idx]).abs() < 1e-4);
                prop_assert!((turn[row] - jacobian[row + 3][idx]).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn a_turn_of_any_angle_is_found_again(axis in proptest::array::uniform3(-1.0_f64..1.0), share in 0.0_f64..=1.0) {
        prop_assume!(norm(axis) > 0.1);
        let axis = scale(axis, 1.0 / norm(axis));
        let from = Pose::IDENTITY.turned([0.6, 0.0, 0.8], 1.0);
        // Half a turn exactly at share 1: then the axis has either sign.
        let angle = share * std::f64::consts::PI;
        let turn = from.turn_to(&from.turned(axis, angle));
        let expected = scale(from.rotate(axis), angle);
        let off = norm(sub(turn, expected));
        let mirrored = norm(add(turn, expected));
        prop_assert!(off < 1e-5 || (share > 0.9999 && mirrored < 1e-5), "{turn:?} {expected:?}");
    }

    #[test]
    fn out_of_reach_is_answered_inside_the_ranges(at in proptest::array::uniform3(-1e6_f64..1e6)) {
        let chain = arm(0.2);
        let posture = Posture { rest: BENT, pull: [0.02; ARM_JOINTS] };
        let solution = Inverse::default().solve(&chain, &BENT, &posture, &Pose::at(at));
        prop_assert_eq!(chain.clamp(&solution.joints), solution.joints);
        prop_assert!(solution.off.is_finite());
    }
}

/// Near a range or a singular posture damping leaves a little, and now and then a step leads into a
/// corner: it is a search from nearby, not a formula.
#[test]
fn where_the_arm_was_it_can_nearly_always_go_again() {
    let (chain, mut runner) = (arm(0.2), TestRunner::deterministic());
    let draws = (joints(), proptest::array::uniform7(-0.25_f64..0.25));
    let mut missed = Vec::new();
    for _ in 0..400 {
        let (to, nearby) = draws.new_tree(&mut runner).expect("a draw").current();
        let target = chain.forward(&to);
        let from = chain.clamp(&std::array::from_fn(|idx| to[idx] + nearby[idx]));
        let inverse = Inverse { n_steps: 60, ..Inverse::default() };
        let free = Posture { rest: BENT, pull: [0.0; ARM_JOINTS] };
        let solution = inverse.solve(&chain, &from, &free, &target);
        assert_eq!(chain.clamp(&solution.joints), solution.joints);
        if solution.off > 0.02 || solution.turned > 0.15 {
            missed.push(solution);
        }
    }
    assert!(missed.len() <= 4, "{missed:?}");
}
