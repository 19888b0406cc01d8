//! What a task is about, as numbers: beside actions, training has networks say these too.
//!
//! Where the named thing is, is in the pictures and the words; but actions tell of it little and late.
//! Networks that must say it find it with a tenth of the demonstrations. (Auxiliary losses from a
//! simulator's state: Jaderberg et al., arXiv 1611.05397; James et al., arXiv 1707.02267.)

use rapier3d::glamx::Vec3;

use super::view::View;
use super::{Goal, handles};
use crate::interface::{MARKS, WRIST};
use crate::tasks::Task;
use crate::world::body::{cameras, head_lens, wrist_lens_at};
use crate::world::wrist::decode;

/// The middle of where hands work, in the robot's frame, and what is called 1 around it, in metres.
const MIDDLE: Vec3 = Vec3::new(0.4, 0.0, 0.15);
const FAR: Vec3 = Vec3::new(0.2, 0.2, 0.15);
/// What is called 1 between a tool and what it goes for, in metres.
const NEAR: f32 = 0.08;
/// Where distances from a tool end.
const MOST: f32 = 2.0;
/// What is called 1 of a drawer, in metres; doors are in radians.
const DRAWER: f32 = 0.1;

/// Where the tool is to go, where the thing and its place are; the first two again from the tool; then
/// opening, side, whether the thing is held, drawer, door.
pub(super) fn marks(view: &View, side: usize, goal: &Goal) -> [f32; MARKS] {
    let (thing, place) = match view.setup.task {
        Task::OpenDrawer | Task::CloseDrawer => {
            let handle = handles::drawer_handle(view.drawer());
            (handle, handle)
        }
        Task::OpenFridge | Task::CloseFridge => {
            let handle = handles::door_handle(view.door());
            (handle, handle)
        }
        Task::PutInDrawer => (view.item().translation, handles::drawer_handle(view.drawer())),
        Task::PutInFridge => (view.item().translation, handles::door_handle(view.door())),
        Task::PickPlace | Task::Handover => (view.item().translation, view.place()),
    };
    let tool = view.tool(side).translation;
    let from_tool = |at: Vec3| ((at - tool) / NEAR).clamp(Vec3::splat(-MOST), Vec3::splat(MOST));
    let on_table = |at: Vec3| (at - MIDDLE) / FAR;
    let places = [on_table(goal.at), on_table(thing), on_table(place), from_tool(goal.at)];
    let mut marks = [0.0; MARKS];
    let (first, rest) = marks.split_at_mut(15);
    for (into, at) in first.chunks_exact_mut(3).zip(places.into_iter().chain([from_tool(thing)])) {
        into.copy_from_slice(&at.to_array());
    }
    let yes = |is: bool| if is { 1.0 } else { -1.0 };
    rest[0] = 2.0 * goal.opening - 1.0;
    rest[1] = yes(side == 0);
    rest[2] = yes(view.grips(side, view.setup.target().body));
    rest[3] = view.drawer() / DRAWER;
    rest[4] = view.door();
    marks
}

/// Where in the picture of a camera, by its place, the thing and its place are, as far as they are inside it:
/// column and row, from −1 to 1. Where a wrist is, the state says.
pub(crate) fn points(marks: &[f32], state: &[f32], camera: usize) -> [Option<[f32; 2]>; 2] {
    let lens = match camera {
        0 => Some(head_lens()),
        wrist => state[(wrist - 1) * WRIST..]
            .first_chunk()
            .and_then(decode)
            .map(|(tool, _)| wrist_lens_at(&tool)),
    };
    let camera = &cameras()[camera];
    let inside = |[column, row]: &[f32; 2]| column.abs().max(row.abs()) < 1.0;
    [3, 6].map(|at| {
        let at = Vec3::from_slice(&marks[at..at + 3]) * FAR + MIDDLE;
        lens?.place(camera, at).filter(inside)
    })
}

/// Whether millimetres matter: the tool is near a thing that it does not hold yet, or holds it near its place.
pub(crate) fn is_fine(marks: &[f32]) -> bool {
    let [thing, place, from_tool] = [3, 6, 12].map(|at| Vec3::from_slice(&marks[at..at + 3]));
    let holds = marks[17] > 0.0;
    if holds { ((thing - place) * FAR).length() < NEAR } else { from_tool.length() < 1.5 }
}
