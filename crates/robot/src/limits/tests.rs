//! Whatever the policy says.

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::interface::TICK_NS;
use crate::kinematics::tests::{BENT, arm};

/// A body of two arms for tests.
pub(crate) fn body() -> Limits {
    let arm = |y: f64| ArmLimits {
        chain: arm(y),
        workspace: Workspace { low: [0.1, y - 0.4, 0.35], high: [0.65, y + 0.4, 1.0] },
        posture: Posture { rest: BENT, pull: [0.02; ARM_JOINTS] },
    };
    Limits { arms: [arm(0.2), arm(-0.2)], gripper_speed: 4.0 }
}

fn limiter() -> Limiter {
    Limiter::new(&body(), TICK_NS).expect("limits")
}

/// An action for the wrists as they are at these joints.
fn action_at(joints: [Joints; ARMS], gripper: f32) -> [f32; ACTION] {
    let mut action = [0.5; ACTION];
    for (arm, limits) in body().arms.iter().enumerate() {
        let wrist = limits.chain.forward(&joints[arm]);
        let values = wrist.position.into_iter().chain(wrist.columns());
        for (into, value) in action[arm * WRIST..].iter_mut().zip(values) {
            *into = value as f32;
        }
        action[arm * WRIST + WRIST - 1] = gripper;
    }
    action
}

/// What a policy of some character says at a tick.
fn say(rng: &mut ChaCha8Rng, character: u8, tick: u32) -> [f32; ACTION] {
    let wild = [f32::NAN, f32::INFINITY, -f32::INFINITY, f32::MAX, -1e30, 0.0, -0.0, 1e-40];
    match character {
        // Anything at all.
        0 => std::array::from_fn(|_| f32::from_bits(rng.random())),
        // Jumps from one end of the workspace to the other.
        1 => std::array::from_fn(|_| rng.random_range(-2.0..2.0)),
        // Holds still far away, in one direction for a while.
        2 => {
            let side = if (tick / 60).is_multiple_of(2) { 5.0 } else { -5.0 };
            let mut action = action_at([BENT; 2], 1.0);
            for arm in 0..ARMS {
                action[arm * WRIST + tick as usize / 97 % 3] = side;
            }
            action
        }
        // Sensible but for a value now and then.
        _ => {
            let turn = f64::from(tick) / 40.0;
            let mut joints = [BENT; 2];
            joints[0][1] += 0.5 * turn.sin();
            joints[1][3] += 0.4 * turn.cos();
            let mut action = action_at(joints, turn.sin() as f32);
            if rng.random_range(0..5) == 0 {
                action[rng.random_range(0..ACTION)] = wild[rng.random_range(0..wild.len())];
            }
            action
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_the_policy_says_what_is_published_is_inside_all_limits(
        seed in any::<u64>(), character in 0_u8..4, spread in 0.0_f64..0.5,
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut limiter = limiter();
        let start = |rng: &mut ChaCha8Rng| Targets {
            joints: [BENT, BENT].map(|rest| rest.map(|q| q + spread * rng.random_range(-1.0..1.0))),
            grippers: [0.3, 0.9],
            completion: 0.0,
        };
        limiter.begin_at(&start(&mut rng));
        let mut audit = Audit::new(&body(), TICK_NS);
        let mut pace = Pace::Follow(1.0);
        for tick in 0..400 {
            if rng.random_range(0..40) == 0 {
                pace = [Pace::Follow(1.0), Pace::Follow(0.25), Pace::Stand][rng.random_range(0..3)];
            }
            let action = say(&mut rng, character, tick);
            let (targets, _) = limiter.step(Some(&action), pace);
            let published = Targets::from_floats(&targets.to_floats()).expect("all of them");
            let broken = audit.see(&published);
            prop_assert_eq!(broken, None, "at tick {}", tick);
        }
    }
}

#[test]
fn whatever_arrives_at_the_world_what_it_passes_on_is_inside_all_limits() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (mut limiter, mut audit) = (limiter(), Audit::new(&body(), TICK_NS));
    for tick in 0..2000 {
        let wild = |rng: &mut ChaCha8Rng| match rng.random_range(0..9) {
            0 => f32::NAN,
            1 => f32::MAX,
            _ => rng.random_range(-4.0..4.0),
        };
        // Held for a while, so that something moves.
        let floats: [f32; TARGETS] = if tick % 50 < 40 {
            let mut rng = ChaCha8Rng::seed_from_u64(tick / 50);
            std::array::from_fn(|_| rng.random_range(-4.0..4.0))
        } else {
            std::array::from_fn(|_| wild(&mut rng))
        };
        let received = Targets::from_floats(&floats).expect("all of them");
        let (targets, _) = limiter.step_joints(Some(&received), Pace::Follow(1.0));
        let passed_on = Targets::from_floats(&targets.to_floats()).expect("all of them");
        assert_eq!(audit.see(&passed_on), None);
    }
}

#[test]
fn a_sensible_action_is_followed_to_where_it_points() {
    let mut limiter = limiter();
    let mut to = [BENT; 2];
    to[0][1] += 0.3;
    to[1][5] -= 0.3;
    let action = action_at(to, 0.8);
    let mut last = None;
    for _ in 0..300 {
        let (targets, verdict) = limiter.step(Some(&action), Pace::Follow(1.0));
        assert_eq!(verdict, Verdict::Followed);
        last = Some(targets);
    }
    let targets = last.expect("ticks");
    for (arm, limits) in body().arms.iter().enumerate() {
        let (at, goal) =
            (limits.chain.forward(&targets.joints[arm]), limits.chain.forward(&to[arm]));
        let off: f64 = (0..3).map(|i| (at.position[i] - goal.position[i]).powi(2)).sum();
        assert!(off.sqrt() < 1e-3, "{} m off", off.sqrt());
        assert!((targets.grippers[arm] - 0.8).abs() < 1e-6);
    }
    assert!((targets.completion - 0.5).abs() < 1e-9);
}

#[test]
fn a_second_limiter_passes_on_what_the_first_one_says() {
    let (mut first, mut second) = (limiter(), limiter());
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for tick in 0..600 {
        let action = say(&mut rng, 3, tick);
        let (said, _) = first.step(Some(&action), Pace::Follow(1.0));
        let received = Targets::from_floats(&said.to_floats()).expect("finite");
        let (passed_on, _) = second.step_joints(Some(&received), Pace::Follow(1.0));
        for (arm, joints) in said.joints.iter().enumerate() {
            for (idx, joint) in joints.iter().enumerate() {
                let off = (joint - passed_on.joints[arm][idx]).abs();
                assert!(off < 3e-4, "joint {idx} of arm {arm} is {off} rad off at tick {tick}");
            }
        }
    }
}

#[test]
fn an_action_that_is_no_number_is_refused_and_the_last_good_one_followed() {
    let mut limiter = limiter();
    let mut to = [BENT; 2];
    to[0][1] += 0.2;
    let good = action_at(to, 0.5);
    limiter.step(Some(&good), Pace::Follow(1.0));
    for idx in 0..ACTION {
        let mut bad = good;
        bad[idx] = f32::NAN;
        let (targets, verdict) = limiter.step(Some(&bad), Pace::Follow(1.0));
        assert_eq!(verdict, Verdict::Refused);
        assert!(targets.is_finite());
    }
    let mut parallel = good;
    parallel.copy_within(3..6, 6);
    assert_eq!(limiter.step(Some(&parallel), Pace::Follow(1.0)).1, Verdict::Refused);
    for _ in 0..300 {
        limiter.step(None, Pace::Follow(1.0));
    }
    let wrist = |joints: &Joints| body().arms[0].chain.forward(joints).position;
    let (at, goal) = (wrist(&limiter.targets().joints[0]), wrist(&to[0]));
    assert!((0..3).all(|i| (at[i] - goal[i]).abs() < 1e-3), "{at:?} {goal:?}");
}

#[test]
fn who_stands_comes_to_rest_and_stays() {
    let mut limiter = limiter();
    let mut to = [BENT; 2];
    to[0][3] -= 0.8;
    for _ in 0..40 {
        limiter.step(Some(&action_at(to, 1.0)), Pace::Follow(1.0));
    }
    for _ in 0..100 {
        limiter.step(Some(&action_at(to, 1.0)), Pace::Stand);
    }
    let at = limiter.targets();
    let (later, verdict) = limiter.step(Some(&action_at(to, 1.0)), Pace::Stand);
    assert_eq!((later, verdict), (at, Verdict::Standing));
}

#[test]
fn the_auditor_finds_each_kind_of_broken_limit() {
    let limits = body();
    let start = Targets { joints: [BENT; 2], grippers: [0.5; 2], completion: 0.0 };
    let check = |change: fn(&mut Targets), matches: fn(Broken) -> bool| {
        let mut audit = Audit::new(&limits, TICK_NS);
        assert_eq!((audit.see(&start), audit.see(&start)), (None, None));
        let mut next = start;
        change(&mut next);
        let broken = audit.see(&next).expect("a broken limit");
        assert!(matches(broken) && audit.n_broken() == 1, "{broken:?}");
    };
    check(|t| t.joints[1][4] = f64::NAN, |b| b == Broken::Number);
    check(|t| t.joints[0][0] = 2.9, |b| matches!(b, Broken::Range { arm: 0, joint: 0, .. }));
    check(|t| t.joints[1][2] += 0.02, |b| matches!(b, Broken::Velocity { arm: 1, joint: 2, .. }));
    check(|t| t.joints[1][2] += 0.001, |b| matches!(b, Broken::Acceleration { arm: 1, .. }));
    check(|t| t.grippers[1] = 0.7, |b| matches!(b, Broken::Gripper { arm: 1, .. }));
    check(|t| t.completion = f64::INFINITY, |b| b == Broken::Number);
    let mut narrow = limits;
    let wrist = limits.arms[0].chain.forward(&BENT).position;
    narrow.arms[0].workspace.high[0] = wrist[0] + 1e-7;
    let mut audit = Audit::new(&narrow, TICK_NS);
    audit.see(&start);
    let mut next = start;
    next.joints[0][1] += 1e-4;
    assert!(matches!(audit.see(&next), Some(Broken::Workspace { arm: 0, .. })));
}

#[test]
fn limits_that_leave_nothing_are_refused_by_name() {
    let check = |change: fn(&mut Limits), part: &str| {
        let mut limits = body();
        change(&mut limits);
        let error = Limiter::new(&limits, TICK_NS).expect_err("no limits").to_string();
        assert!(error.contains(part), "{error}");
    };
    check(|limits| limits.arms[0].workspace.high[2] = 0.0, "`left`: nothing is in the workspace");
    check(|limits| limits.arms[1].posture.rest[0] = 9.0, "`right`: the rest posture");
    check(|limits| limits.arms[1].workspace.low[0] = 0.63, "at rest the wrist is");
    check(|limits| limits.gripper_speed = f64::NAN, "NaN is no speed");
    assert!(Limiter::new(&body(), 0).is_err());
}

#[test]
fn a_measured_state_begins_a_motion_and_one_with_no_number_does_not() {
    let mut limiter = limiter();
    let mut state = [0.4; STATE];
    assert!(limiter.begin(&state));
    assert!((limiter.targets().joints[1][6] - 0.4).abs() < 1e-6);
    state[STATE - 1] = f32::NAN;
    assert!(!limiter.begin(&state));
    assert!((limiter.targets().joints[1][6] - 0.4).abs() < 1e-6);
}

#[test]
fn a_wrist_that_came_to_a_side_of_its_workspace_can_leave_it_again() {
    let mut limiter = limiter();
    let waves = |tick: u32| {
        let mut action = action_at([BENT; 2], 0.5);
        let (sin, cos) = (tick as f32 / 300.0 * std::f32::consts::TAU).sin_cos();
        for arm in 0..ARMS {
            action[arm * WRIST] += 0.08 * sin;
            action[arm * WRIST + 2] += 0.08 * (cos - 1.0);
        }
        action
    };
    let (mut longest, mut standing) = (0, 0);
    for tick in 0..1200 {
        limiter.step(Some(&waves(tick)), Pace::Follow(1.0));
        let stands = limiter.arms[0].velocity.iter().all(|velocity| *velocity == 0.0);
        standing = if stands { standing + 1 } else { 0 };
        longest = longest.max(standing);
    }
    assert!(longest < 5, "stood for {longest} ticks");
}
