//! Positions and rotations.

use serde::{Deserialize, Serialize};

pub(crate) type Vector = [f64; 3];

pub(crate) fn add(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(crate) fn sub(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(crate) fn scale(a: Vector, by: f64) -> Vector {
    a.map(|value| value * by)
}

pub(crate) fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(crate) fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(crate) fn norm(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

/// A frame in another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pose {
    /// Its origin, in metres.
    pub position: [f64; 3],
    /// Rows of its rotation matrix: columns are its axes in the other frame.
    pub rotation: [[f64; 3]; 3],
}

impl Pose {
    /// The other frame itself.
    pub const IDENTITY: Pose = Pose::at([0.0; 3]);

    /// Moved, not turned.
    #[must_use]
    pub const fn at(position: [f64; 3]) -> Pose {
        Pose { position, rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] }
    }

    /// From a position and the first two columns of a rotation, as wrists are described. Columns that
    /// are not quite orthogonal or of length one are made so, the first keeping its direction (Zhou et
    /// al. 2019). Nothing where they are parallel, or anything is not a finite number.
    #[must_use]
    pub fn from_columns(position: [f64; 3], first: [f64; 3], second: [f64; 3]) -> Option<Pose> {
        /// Shorter columns say nothing about a direction.
        const SHORTEST: f64 = 1e-3;
        let finite = |vector: &Vector| vector.iter().all(|value| value.is_finite());
        let length = norm(first);
        if ![position, first, second].iter().all(finite) || length <= SHORTEST || length.is_nan() {
            return None;
        }
        let x = scale(first, 1.0 / length);
        let y = sub(second, scale(x, dot(x, second)));
        let length = norm(y);
        if length <= SHORTEST || !length.is_finite() {
            return None;
        }
        let y = scale(y, 1.0 / length);
        let z = cross(x, y);
        Some(Pose { position, rotation: std::array::from_fn(|row| [x[row], y[row], z[row]]) })
    }

    /// The first two columns of the rotation, as wrists are described.
    #[must_use]
    pub fn columns(&self) -> [f64; 6] {
        let r = &self.rotation;
        [r[0][0], r[1][0], r[2][0], r[0][1], r[1][1], r[2][1]]
    }

    /// A vector of this frame in the other.
    #[must_use]
    pub fn rotate(&self, vector: [f64; 3]) -> [f64; 3] {
        self.rotation.map(|row| dot(row, vector))
    }

    /// A frame that is `next` in this one, in the other.
    #[must_use]
    pub fn then(&self, next: &Pose) -> Pose {
        Pose {
            position: add(self.position, self.rotate(next.position)),
            rotation: multiply(&self.rotation, &next.rotation),
        }
    }

    /// Turned by `angle` about `axis`, of length one, both in its own frame.
    #[must_use]
    pub fn turned(&self, axis: [f64; 3], angle: f64) -> Pose {
        let (sin, cos) = angle.sin_cos();
        let [x, y, z] = axis;
        let t = 1.0 - cos;
        let turn = [
            [cos + x * x * t, x * y * t - z * sin, x * z * t + y * sin],
            [y * x * t + z * sin, cos + y * y * t, y * z * t - x * sin],
            [z * x * t - y * sin, z * y * t + x * sin, cos + z * z * t],
        ];
        Pose { position: self.position, rotation: multiply(&self.rotation, &turn) }
    }

    /// What turns this frame into `other`: an axis times an angle of at most π, in the outer frame.
    #[must_use]
    pub fn turn_to(&self, other: &Pose) -> [f64; 3] {
        let (from, to) = (&self.rotation, &other.rotation);
        let r: [Vector; 3] = std::array::from_fn(|i| std::array::from_fn(|j| dot(to[i], from[j])));
        let twice = [r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]];
        let (sin, cos) = (norm(twice) / 2.0, (r[0][0] + r[1][1] + r[2][2] - 1.0) / 2.0);
        if sin > 1e-6 {
            return scale(twice, sin.atan2(cos) / (2.0 * sin));
        }
        if cos > 0.0 {
            return scale(twice, 0.5);
        }
        // Half a turn: R = 2aaᵀ − 1, so any column of R + 1 that is not zero is along the axis.
        let column = |j: usize| -> Vector {
            std::array::from_fn(|i| r[i][j] + if i == j { 1.0 } else { 0.0 })
        };
        let longest =
            [0, 1, 2].map(column).into_iter().max_by(|a, b| norm(*a).total_cmp(&norm(*b)));
        longest.map_or([0.0; 3], |along| scale(along, std::f64::consts::PI / norm(along)))
    }

    /// Whether the rotation is one, and everything a finite number.
    #[must_use]
    pub fn is_rigid(&self) -> bool {
        let r = &self.rotation;
        let column = |j: usize| [r[0][j], r[1][j], r[2][j]];
        let near = |value: f64, to: f64| (value - to).abs() < 1e-6;
        self.position.iter().all(|value| value.is_finite())
            && (0..3).all(|j| near(norm(column(j)), 1.0))
            && near(dot(column(0), column(1)), 0.0)
            && near(dot(cross(column(0), column(1)), column(2)), 1.0)
    }
}

fn multiply(a: &[Vector; 3], b: &[Vector; 3]) -> [Vector; 3] {
    a.map(|row| std::array::from_fn(|j| row[0] * b[0][j] + row[1] * b[1][j] + row[2] * b[2][j]))
}
