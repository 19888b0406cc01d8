//! One joint under its limits, a tick at a time.

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

    /// The velocity for the next tick towards `goal`, which itself moves by `goal_velocity`. `share` of
    /// the velocity limit may be used; whoever is faster brakes.
    pub(super) fn towards(
        &self,
        position: f64,
        velocity: f64,
        goal: f64,
        goal_velocity: f64,
        share: f64,
    ) -> f64 {
        // What is left when the joint moves as its goal does: so a goal in steady motion is followed
        // without lag, and one that jumped without swinging past it.
        let left = goal - (position + goal_velocity * self.tick);
        let wanted = goal_velocity + self.stoppable(left.abs()).copysign(left);
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
            let moves = (at - last) / BOUNDS.tick;
            last = at;
            velocity = BOUNDS.towards(position, velocity, at, moves.clamp(-2.0, 2.0), 1.0);
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
        assert!(furthest < 1e-3, "{furthest}");
    }

    #[test]
    fn the_end_of_the_range_is_not_passed_at_full_speed() {
        let path = follow(|time| 5.0 * time, 400);
        assert!(path.iter().all(|(_, position)| *position <= 1.0 + 1e-12));
        assert!(path[399].1 > 0.999);
    }
}
