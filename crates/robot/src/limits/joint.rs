//! One joint under its limits, a tick at a time.

/// What is as good as one, where positions were rounded to f32 on their way.
const ROUNDING: f64 = 1.02;

/// Limits of a joint, and the length of a tick.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) velocity: f64,
    pub(super) acceleration: f64,
    /// Seconds.
    pub(super) tick: f64,
}

impl Bounds {
    /// The fastest velocity of this tick after which the joint can still stop within `distance`, this
    /// tick included: v t + v²/2a ≤ distance. Braking tick by tick needs no more than the v²/2a of
    /// steady braking, so whoever keeps to this can keep to it in the next tick too.
    fn stoppable(&self, distance: f64) -> f64 {
        let (a, t) = (self.acceleration, self.tick);
        a * ((t * t + 2.0 * distance.max(0.0) / a).sqrt() - t)
    }

    /// The velocity for the next tick towards a goal that has moved by `moved` since the tick before, and
    /// goes on as it does. `share` of the velocity limit may be used; whoever is faster brakes.
    pub(super) fn towards(
        &self,
        position: f64,
        velocity: f64,
        goal: f64,
        moved: f64,
        share: f64,
    ) -> f64 {
        let (most, change) = (self.velocity * share, self.acceleration * self.tick);
        let goal_velocity = (moved / self.tick).clamp(-self.velocity, self.velocity);
        // Who was where the goal was, and may move as it does, is with it at each tick. What is left
        // besides can be braked in one.
        let exact = (goal - position) / self.tick;
        let may = exact.abs() <= most * ROUNDING && (exact - velocity).abs() <= change * ROUNDING;
        if may && (exact - goal_velocity).abs() <= change {
            return self.within(position, velocity, exact, share);
        }
        // What is left when the joint moves as its goal does: so a goal in steady motion is caught up
        // with, and one that jumped is reached without swinging past it.
        let left = goal - (position + goal_velocity * self.tick);
        let wanted = goal_velocity + self.stoppable(left.abs()).copysign(left);
        self.within(position, velocity, wanted, share)
    }

    /// The velocity for the next tick towards a goal as it stands: all of the way, or as fast as it may be
    /// braked from there: half a tick too late, so that it swings past what jumped by up to a fiftieth. A
    /// goal in motion is followed at a distance that grows with its speed.
    pub(super) fn approach(&self, position: f64, velocity: f64, goal: f64, share: f64) -> f64 {
        let left = goal - position;
        let braked = (2.0 * self.acceleration * left.abs()).sqrt();
        let wanted = (left.abs() / self.tick).min(braked).copysign(left);
        self.within(position, velocity, wanted, share)
    }

    fn within(&self, position: f64, velocity: f64, wanted: f64, share: f64) -> f64 {
        let (most, change) = (self.velocity * share, self.acceleration * self.tick);
        let wanted = wanted.clamp(-most, most).clamp(velocity - change, velocity + change);
        wanted.min(self.stoppable(self.high - position)).max(-self.stoppable(position - self.low))
    }

    /// Least and greatest velocity for the next tick.
    pub(super) fn interval(&self, position: f64, velocity: f64, share: f64) -> [f64; 2] {
        let (most, change) = (self.velocity * share, self.acceleration * self.tick);
        // Who is faster than its share brakes; so both ends are not on the wrong side of that.
        let low = (-most).max(velocity - change).min(velocity + change);
        let high = most.min(velocity + change).max(velocity - change);
        [
            low.max(-self.stoppable(position - self.low)),
            high.min(self.stoppable(self.high - position)),
        ]
    }

    /// The velocity for the next tick of a joint that stops as fast as it may.
    pub(super) fn brake(&self, velocity: f64) -> f64 {
        let change = self.acceleration * self.tick;
        if velocity.abs() <= change { 0.0 } else { velocity - change.copysign(velocity) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds =
        Bounds { low: -1.0, high: 1.0, velocity: 2.0, acceleration: 10.0, tick: 0.005 };

    /// Positions under a goal that is a function of time.
    fn follow(goal: impl Fn(f64) -> f64, n: usize) -> Vec<(f64, f64)> {
        let (mut position, mut velocity, mut last) = (0.0, 0.0, goal(0.0));
        let step = |tick: usize| {
            let at = goal((tick + 1) as f64 * BOUNDS.tick);
            velocity = BOUNDS.towards(position, velocity, at, at - last, 1.0);
            last = at;
            position += velocity * BOUNDS.tick;
            (at, position)
        };
        (0..n).map(step).collect()
    }

    #[test]
    fn a_goal_that_jumps_is_reached_without_swinging_past_it() {
        let path = follow(|time| if time > 0.0 { 0.5 } else { 0.0 }, 200);
        assert!(path.iter().all(|(_, position)| *position <= 0.5 + 1e-9));
        assert!((path[199].1 - 0.5).abs() < 1e-4, "{:?}", path[199]);
    }

    #[test]
    fn a_goal_in_smooth_motion_is_followed_without_lag() {
        let path = follow(|time| 0.4 * (1.0 - (2.0 * time).cos()), 600);
        let furthest = path.iter().map(|(at, position)| (at - position).abs()).fold(0.0, f64::max);
        assert!(furthest < 1e-9, "{furthest}");
    }

    #[test]
    fn a_goal_that_stands_is_approached_as_fast_as_it_may_be_braked() {
        let (mut position, mut velocity, mut n) = (0.0, 0.0, 0);
        while (position - 0.5_f64).abs() > 1e-4 {
            velocity = BOUNDS.approach(position, velocity, 0.5, 1.0);
            position += velocity * BOUNDS.tick;
            assert!(position < 0.51, "{position}");
            n += 1;
        }
        // 2 √(0.5 m / 10 m/s²) = 0.447 s at best.
        assert!(n < 120, "{n}");
    }

    #[test]
    fn the_end_of_the_range_is_not_passed_at_full_speed() {
        let path = follow(|time| 5.0 * time, 400);
        assert!(path.iter().all(|(_, position)| *position <= 1.0 + 1e-12));
        assert!(path[399].1 > 0.999);
    }
}
