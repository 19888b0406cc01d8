//! Primitives and other bodies as triangles, counter-clockwise seen from outside.

use std::f32::consts::{PI, TAU};

use rapier3d::glamx::Vec3;

use crate::world::Shape;

/// Triangles over common vertices.
#[derive(Debug, Clone)]
pub struct Mesh {
    /// Corners in the primitive's frame.
    pub vertices: Vec<Vec3>,
    /// Three corners each, by index.
    pub triangles: Vec<[u16; 3]>,
}

/// Sides of a cylinder; a circle of 2.5 cm then is true to 0.5 mm.
const SIDES: u16 = 16;
/// Rings of a ball.
const RINGS: u16 = 8;

impl Mesh {
    /// The triangles of a primitive.
    #[must_use]
    pub fn of(shape: &Shape) -> Self {
        match *shape {
            Shape::Cuboid(half) => cuboid(half),
            Shape::Cylinder(radius, half) => cylinder(radius, half),
            Shape::Ball(radius) => ball(radius),
        }
    }

    /// Triangles by the indices of their corners; nothing where a corner is not among the vertices, or
    /// is beyond the 65536 that an index can name.
    #[must_use]
    pub fn of_triangles(vertices: Vec<Vec3>, triangles: &[[i32; 3]]) -> Option<Self> {
        let corner = |&idx: &i32| {
            let idx = u16::try_from(idx).ok()?;
            (usize::from(idx) < vertices.len()).then_some(idx)
        };
        let triangle = |[a, b, c]: &[i32; 3]| Some([corner(a)?, corner(b)?, corner(c)?]);
        let triangles = triangles.iter().map(triangle).collect::<Option<_>>()?;
        Some(Self { vertices, triangles })
    }
}

fn cuboid(half: Vec3) -> Mesh {
    let vertices = (0..8)
        .map(|corner| {
            let sign = |bit: usize| if corner >> bit & 1 == 0 { -1.0 } else { 1.0 };
            half * Vec3::new(sign(0), sign(1), sign(2))
        })
        .collect();
    let quads: [[u16; 4]; 6] =
        [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]];
    let triangles = quads.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]).collect();
    Mesh { vertices, triangles }
}

fn circle(idx: u16, radius: f32, z: f32) -> Vec3 {
    let angle = TAU * f32::from(idx) / f32::from(SIDES);
    Vec3::new(radius * libm::cosf(angle), radius * libm::sinf(angle), z)
}

fn cylinder(radius: f32, half: f32) -> Mesh {
    let mut vertices: Vec<Vec3> = (0..SIDES).map(|idx| circle(idx, radius, -half)).collect();
    vertices.extend((0..SIDES).map(|idx| circle(idx, radius, half)));
    let mut triangles = Vec::new();
    for idx in 0..SIDES {
        let next = (idx + 1) % SIDES;
        triangles.push([idx, next, next + SIDES]);
        triangles.push([idx, next + SIDES, idx + SIDES]);
        if idx > 0 && next > 0 {
            triangles.push([0, next, idx]);
            triangles.push([SIDES, idx + SIDES, next + SIDES]);
        }
    }
    Mesh { vertices, triangles }
}

fn ball(radius: f32) -> Mesh {
    let mut vertices = vec![Vec3::new(0.0, 0.0, -radius)];
    for ring in 1..RINGS {
        let angle = PI * f32::from(ring) / f32::from(RINGS);
        let (across, up) = (radius * libm::sinf(angle), -radius * libm::cosf(angle));
        vertices.extend((0..SIDES).map(|idx| circle(idx, across, up)));
    }
    vertices.push(Vec3::new(0.0, 0.0, radius));
    let top = SIDES * (RINGS - 1) + 1;
    let mut triangles = Vec::new();
    for idx in 0..SIDES {
        let next = (idx + 1) % SIDES;
        triangles.push([0, next + 1, idx + 1]);
        for ring in 0..RINGS - 2 {
            let (low, high) = (1 + ring * SIDES, 1 + (ring + 1) * SIDES);
            triangles.push([low + idx, low + next, high + next]);
            triangles.push([low + idx, high + next, high + idx]);
        }
        let last = 1 + (RINGS - 2) * SIDES;
        triangles.push([top, last + idx, last + next]);
    }
    Mesh { vertices, triangles }
}

#[cfg(test)]
mod tests {
    use rapier3d::glamx::Pose3;

    use super::*;
    use crate::raster::{Models, Part, Raster};
    use crate::world::scene::{Group, Joint};
    use crate::world::{Body, Geom, Scene};

    #[test]
    fn triangles_have_corners_that_are_there() {
        let corners = vec![Vec3::ZERO, Vec3::X, Vec3::Y];
        let mesh = Mesh::of_triangles(corners.clone(), &[[0, 1, 2]]);
        assert_eq!(mesh.map(|mesh| mesh.triangles), Some(vec![[0, 1, 2]]));
        for idx in [3, -1, 70_000] {
            assert!(Mesh::of_triangles(corners.clone(), &[[0, 1, idx]]).is_none(), "{idx}");
        }
    }

    #[test]
    fn other_triangles_are_drawn_as_a_primitive_s_are() {
        let half = Vec3::new(0.1, 0.2, 0.05);
        let place = Pose3::from_translation(Vec3::new(0.05, 0.0, 1.0));
        let mut scene = Scene::default();
        scene.add(Body {
            name: "box".to_owned(),
            parent: None,
            pose: Pose3::IDENTITY,
            joint: Joint::Fixed,
            geoms: vec![Geom::new(Shape::Cuboid(half), Vec3::ZERO, [200, 20, 10])],
            mass: 0.0,
            inertial: None,
            group: Group::Fixture,
            friction: 0.5,
            weighs: false,
        });
        let Mesh { vertices, triangles } = Mesh::of(&Shape::Cuboid(half));
        let triangles: Vec<[i32; 3]> =
            triangles.iter().map(|corners| corners.map(i32::from)).collect();
        let mesh = Mesh::of_triangles(vertices, &triangles).unwrap();
        let part = Part { mesh, pose: Pose3::IDENTITY, rgb: [200, 20, 10] };
        let draw = |models: &Models| {
            let (mut raster, mut rgb) = (Raster::new(32, 24, 2), vec![0; 32 * 24 * 3]);
            raster.draw(models, &[place], &Pose3::IDENTITY, 1.0);
            raster.rgb(&mut rgb);
            rgb
        };
        let picture = draw(&Models::of_parts(vec![vec![part]]));
        assert!(picture == draw(&Models::new(&scene)));
        let pixel = &picture[(12 * 32 + 17) * 3..][..3];
        assert!(pixel[0] > 50 && pixel[1] < 30, "{pixel:?}");
    }

    #[test]
    fn every_triangle_looks_outwards() {
        let shapes =
            [Shape::Cuboid(Vec3::new(1.0, 2.0, 3.0)), Shape::Cylinder(1.0, 2.0), Shape::Ball(1.5)];
        for shape in shapes {
            let mesh = Mesh::of(&shape);
            for triangle in &mesh.triangles {
                let [a, b, c] = triangle.map(|idx| mesh.vertices[usize::from(idx)]);
                assert!((b - a).cross(c - a).dot(a + b + c) > 0.0, "{shape:?} {triangle:?}");
            }
        }
    }
}
