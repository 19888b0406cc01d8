//! Two robots: one presents an object, the other takes it and puts it down.

use rapier3d::glamx::Vec3;

use super::carry::{self, go_home};
use super::view::View;
use super::{Advice, at_home};

pub(super) fn give(view: &View, side: usize) -> Advice {
    carry::to_place(view, side)
}

pub(super) fn receive(view: &View, side: usize) -> Advice {
    let _ = Vec3::ZERO;
    let mut advice = go_home(view, side, 0.0);
    advice.goal = at_home(side);
    advice
}
