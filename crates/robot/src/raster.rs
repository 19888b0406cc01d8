//! Cameras without a graphics card: a z-buffer rasteriser for the primitives of a scene, or other triangles.
//!
//! Flat shading under one sun, everything triangulated once, what is out of view culled by its bounding
//! ball. A picture is drawn at a multiple of its size and averaged, because the edges of a 4 cm object
//! then move smoothly over the pixels and not in steps of a centimetre. The same scene gives the same
//! bytes on every machine.

mod mesh;

use rapier3d::glamx::{Pose3, Vec3};

pub use mesh::Mesh;

/// Everything that can be seen, in triangles, body by body.
#[derive(Debug, Clone)]
pub struct Models {
    bodies: Vec<Vec<Model>>,
    /// From the scene to the sun, of length 1.
    pub sun: Vec3,
    /// What is seen where there is nothing.
    pub background: [u8; 3],
}

/// Something that is seen of a body.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its triangles.
    pub mesh: Mesh,
    /// Where they are on the body.
    pub pose: Pose3,
    /// Its colour.
    pub rgb: [u8; 3],
}

#[derive(Debug, Clone)]
struct Model {
    mesh: Mesh,
    pose: Pose3,
    radius: f32,
    rgb: [f32; 3],
}

impl Models {
    /// The models of all bodies of a scene.
    #[must_use]
    pub fn new(scene: &crate::world::Scene) -> Self {
        let model = |geom: &crate::world::Geom| Model {
            mesh: Mesh::of(&geom.shape),
            pose: geom.pose,
            radius: geom.shape.half_extents().length(),
            rgb: geom.rgb.map(f32::from),
        };
        Self::of(scene.bodies.iter().map(|body| body.geoms.iter().map(model).collect()).collect())
    }

    /// Models of bodies of whatever triangles.
    #[must_use]
    pub fn of_parts(bodies: Vec<Vec<Part>>) -> Self {
        let model = |Part { mesh, pose, rgb }: Part| Model {
            radius: mesh.vertices.iter().map(|vertex| vertex.length()).fold(0.0, f32::max),
            rgb: rgb.map(f32::from),
            mesh,
            pose,
        };
        Self::of(bodies.into_iter().map(|parts| parts.into_iter().map(model).collect()).collect())
    }

    fn of(bodies: Vec<Vec<Model>>) -> Self {
        Self { bodies, sun: Vec3::new(-0.35, 0.25, 0.9).normalize(), background: [118, 124, 130] }
    }
}

/// What a picture is drawn into: used again for each picture of one size.
#[derive(Debug, Clone)]
pub struct Raster {
    width: usize,
    height: usize,
    /// Samples along each side of a pixel.
    samples: usize,
    depth: Vec<f32>,
    colour: Vec<[u8; 3]>,
    body: Vec<u16>,
    vertices: Vec<Vec3>,
}

/// Nearer than this is not drawn, in metres.
const NEAR: f32 = 0.02;

impl Raster {
    /// For pictures of `height` rows of `width` pixels, each the mean of `samples`² samples.
    #[must_use]
    pub fn new(width: usize, height: usize, samples: usize) -> Self {
        let n = width * height * samples * samples;
        Self {
            width,
            height,
            samples,
            depth: vec![0.0; n],
            colour: vec![[0; 3]; n],
            body: vec![0; n],
            vertices: Vec::new(),
        }
    }

    /// Draws all bodies at their `poses` as a camera at `camera` (x right, y down, z forward) of
    /// `width_rads` from the left to the right edge sees them.
    pub fn draw(&mut self, models: &Models, poses: &[Pose3], camera: &Pose3, width_rads: f32) {
        let (width, height) = (self.width * self.samples, self.height * self.samples);
        #[allow(clippy::cast_precision_loss, reason = "pictures are small")]
        let (half_width, half_height) = (0.5 * width as f32, 0.5 * height as f32);
        let focal = half_width / libm::tanf(0.5 * width_rads);
        // Unit normals of the side planes, pointing inwards, in terms of |x| and |y|.
        let edge_x = plane(half_width / focal);
        let edge_y = plane(half_height / focal);
        self.depth.fill(0.0);
        self.colour.fill(models.background);
        self.body.fill(u16::MAX);
        let from_world = camera.inverse();
        let sun_from_world = from_world.rotation * models.sun;
        for (body_idx, (body, pose)) in models.bodies.iter().zip(poses).enumerate() {
            let to_camera = from_world * *pose;
            for model in body {
                let to_camera = to_camera * model.pose;
                let centre = to_camera.translation;
                let outside = |edge: [f32; 2], across: f32| {
                    edge[0] * centre.z - edge[1] * across.abs() < -model.radius
                };
                if centre.z < NEAR - model.radius
                    || outside(edge_x, centre.x)
                    || outside(edge_y, centre.y)
                {
                    continue;
                }
                self.vertices.clear();
                self.vertices.extend(model.mesh.vertices.iter().map(|&v| to_camera * v));
                for triangle in &model.mesh.triangles {
                    let [a, b, c] = triangle.map(|idx| self.vertices[usize::from(idx)]);
                    let normal = (b - a).cross(c - a);
                    // Away from the camera, or too near to be projected.
                    if normal.dot(a) >= 0.0 || a.z < NEAR || b.z < NEAR || c.z < NEAR {
                        if normal.dot(a) < 0.0 && a.z.max(b.z).max(c.z) >= NEAR {
                            let rgb = shade(model.rgb, normal, sun_from_world);
                            let lens = (focal, half_width, half_height, width, height);
                            self.clipped([a, b, c], rgb, body_idx, lens);
                        }
                        continue;
                    }
                    let rgb = shade(model.rgb, normal, sun_from_world);
                    let project = |v: Vec3| {
                        let inverse = 1.0 / v.z;
                        Vec3::new(
                            half_width + focal * v.x * inverse,
                            half_height + focal * v.y * inverse,
                            inverse,
                        )
                    };
                    self.fill([project(a), project(b), project(c)], rgb, body_idx, width, height);
                }
            }
        }
    }

    /// A triangle that reaches behind the near plane: what is before it, as one or two triangles.
    fn clipped(
        &mut self,
        corners: [Vec3; 3],
        rgb: [u8; 3],
        body_idx: usize,
        (focal, half_width, half_height, width, height): (f32, f32, f32, usize, usize),
    ) {
        let mut kept = [Vec3::ZERO; 4];
        let mut n_kept = 0;
        for idx in 0..3 {
            let (from, to) = (corners[idx], corners[(idx + 1) % 3]);
            if from.z >= NEAR {
                kept[n_kept] = from;
                n_kept += 1;
            }
            if (from.z >= NEAR) != (to.z >= NEAR) {
                let t = (NEAR - from.z) / (to.z - from.z);
                kept[n_kept] = from + (to - from) * t;
                n_kept += 1;
            }
        }
        let project = |v: Vec3| {
            let inverse = 1.0 / v.z;
            Vec3::new(
                half_width + focal * v.x * inverse,
                half_height + focal * v.y * inverse,
                inverse,
            )
        };
        for idx in 1..n_kept.saturating_sub(1) {
            let triangle = [project(kept[0]), project(kept[idx]), project(kept[idx + 1])];
            self.fill(triangle, rgb, body_idx, width, height);
        }
    }

    /// Fills one triangle; corners are column, row, and one over the depth.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "columns and rows are small and clamped to the picture"
    )]
    fn fill(
        &mut self,
        [a, b, c]: [Vec3; 3],
        rgb: [u8; 3],
        body: usize,
        width: usize,
        height: usize,
    ) {
        let area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
        if area.abs() < 1e-9 {
            return;
        }
        let low = (a.y.min(b.y).min(c.y) - 0.5).ceil().max(0.0) as usize;
        let high = ((a.y.max(b.y).max(c.y) - 0.5).floor() + 1.0).clamp(0.0, height as f32) as usize;
        let inverse = 1.0 / area;
        let slope_x = ((b.z - a.z) * (c.y - a.y) - (c.z - a.z) * (b.y - a.y)) * inverse;
        let slope_y = ((c.z - a.z) * (b.x - a.x) - (b.z - a.z) * (c.x - a.x)) * inverse;
        for row in low..high {
            let y = row as f32 + 0.5;
            let (mut left, mut right) = (f32::MAX, f32::MIN);
            for (from, to) in [(a, b), (b, c), (c, a)] {
                if (from.y <= y) != (to.y <= y) {
                    let x = from.x + (to.x - from.x) * (y - from.y) / (to.y - from.y);
                    left = left.min(x);
                    right = right.max(x);
                }
            }
            if left > right {
                continue;
            }
            let first = (left - 0.5).ceil().max(0.0) as usize;
            let last = ((right - 0.5).ceil()).clamp(0.0, width as f32) as usize;
            let mut z = a.z + slope_x * (first as f32 + 0.5 - a.x) + slope_y * (y - a.y);
            for at in row * width + first..row * width + last.max(first) {
                if z > self.depth[at] {
                    self.depth[at] = z;
                    self.colour[at] = rgb;
                    self.body[at] = body as u16;
                }
                z += slope_x;
            }
        }
    }

    /// The picture drawn last, three bytes a pixel, row by row, into `rgb`.
    ///
    /// # Panics
    ///
    /// Where `rgb` is not of the picture's size.
    pub fn rgb(&self, rgb: &mut [u8]) {
        assert_eq!(rgb.len(), self.width * self.height * 3, "a picture of another size");
        let samples = self.samples;
        let n = u32::try_from(samples * samples).unwrap_or(u32::MAX);
        for (row, line) in rgb.chunks_exact_mut(self.width * 3).enumerate() {
            for (col, pixel) in line.chunks_exact_mut(3).enumerate() {
                let mut sums = [0_u32; 3];
                for sub in 0..samples {
                    let at = (row * samples + sub) * self.width * samples + col * samples;
                    for colour in &self.colour[at..at + samples] {
                        for (sum, &value) in sums.iter_mut().zip(colour) {
                            *sum += u32::from(value);
                        }
                    }
                }
                for (value, sum) in pixel.iter_mut().zip(sums) {
                    *value = u8::try_from((sum + n / 2) / n).unwrap_or(u8::MAX);
                }
            }
        }
    }

    /// Which body is seen in each pixel's first sample (`u16::MAX`: none), and how far it is in metres
    /// along the camera's axis (infinite: nothing).
    #[must_use]
    pub fn labels(&self) -> Vec<(u16, f32)> {
        let stride = self.width * self.samples;
        (0..self.height)
            .flat_map(|row| (0..self.width).map(move |col| (row, col)))
            .map(|(row, col)| {
                let at = row * self.samples * stride + col * self.samples;
                (self.body[at], 1.0 / self.depth[at])
            })
            .collect()
    }
}

fn plane(slope: f32) -> [f32; 2] {
    let length = (1.0 + slope * slope).sqrt();
    [slope / length, 1.0 / length]
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "light is between 0 and 1"
)]
fn shade(rgb: [f32; 3], normal: Vec3, sun: Vec3) -> [u8; 3] {
    let light = 0.58 + 0.42 * normal.normalize_or_zero().dot(sun).max(-0.6);
    rgb.map(|value| (value * light) as u8)
}
