//! Wrists as numbers: position, the first two columns of the rotation, the gripper's opening.

use rapier3d::glamx::{Mat3, Pose3, Quat, Vec3};

use crate::interface::WRIST;

/// A tool's pose and its gripper's opening as the interface's values.
#[must_use]
pub fn encode(tool: &Pose3, opening: f32) -> [f32; WRIST] {
    let matrix = Mat3::from_quat(tool.rotation);
    let (at, x, y) = (tool.translation, matrix.x_axis, matrix.y_axis);
    [at.x, at.y, at.z, x.x, x.y, x.z, y.x, y.y, y.z, opening]
}

/// The pose and opening that such values mean. The two columns need be neither of length 1 nor
/// perpendicular; columns without a direction give none.
#[must_use]
pub fn decode(wrist: &[f32; WRIST]) -> Option<(Pose3, f32)> {
    if !wrist.iter().all(|value| value.is_finite()) {
        return None;
    }
    let x = Vec3::new(wrist[3], wrist[4], wrist[5]).try_normalize()?;
    let y = Vec3::new(wrist[6], wrist[7], wrist[8]);
    let y = (y - x * x.dot(y)).try_normalize()?;
    let rotation = Quat::from_mat3(&Mat3::from_cols(x, y, x.cross(y)));
    let at = Vec3::new(wrist[0], wrist[1], wrist[2]);
    Some((Pose3::from_parts(at, rotation), wrist[9]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrist_comes_back_from_its_numbers() {
        let turn = Quat::from_scaled_axis(Vec3::new(0.4, -1.1, 0.7));
        let pose = Pose3::from_parts(Vec3::new(0.1, -0.2, 0.3), turn);
        let (back, opening) = decode(&encode(&pose, 0.25)).expect("a valid wrist");
        assert!((back.translation - pose.translation).length() < 1e-6);
        assert!(back.rotation.dot(turn).abs() > 1.0 - 1e-6);
        assert!((opening - 0.25).abs() < 1e-6);
    }

    #[test]
    fn numbers_without_a_direction_are_no_wrist() {
        assert!(decode(&[0.0; WRIST]).is_none());
        let mut wrist = encode(&Pose3::IDENTITY, 0.0);
        wrist[9] = f32::NAN;
        assert!(decode(&wrist).is_none());
    }
}
