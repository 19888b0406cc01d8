//! What a camera of the package sees, drawn by our rasteriser from MuJoCo's geoms: its own renderer needs
//! OpenGL. Light and shadows are not the package's; places, sizes and colours are.

use std::path::Path;

use mujoco_rs::prelude::{MjModel, MjtGeomBase, MjtObjBase};
use rapier3d::glamx::{Mat3, Pose3, Quat, Vec3};

use super::{Aloha, single};
use crate::error::{Error, Result, expect_length};
use crate::interface::Camera;
use crate::raster::{Mesh, Models, Part, Raster};
use crate::world::Shape;

/// Samples along each side of a pixel.
const SAMPLES: usize = 2;
/// Geoms of this group and above are not shown, as in MuJoCo's own pictures.
const HIDDEN_GROUP: i32 = 3;

/// A camera that looks at the world of [`Aloha`].
#[derive(Debug)]
pub struct View {
    camera: Camera,
    /// In the model.
    idx: usize,
    width_rads: f32,
    models: Models,
    raster: Raster,
    /// Geoms that are drawn.
    geoms: Vec<usize>,
    poses: Vec<Pose3>,
}

impl View {
    /// Through the model's camera of that name, in its height's angle whatever the width.
    ///
    /// # Errors
    /// [`Error::Config`] where there is no such camera, or a geom that cannot be drawn.
    pub fn new(aloha: &Aloha, camera: Camera) -> Result<Self> {
        let model = aloha.data.model();
        let found = model.name_to_id(MjtObjBase::mjOBJ_CAMERA, &camera.name);
        let idx = found.ok_or_else(|| wrong(format!("no camera `{}`", camera.name)))?;
        let shown = |geom: &usize| {
            model.geom_group()[*geom] < HIDDEN_GROUP && model.geom_rgba()[*geom][3] > 0.0
        };
        let geoms: Vec<usize> = (0..model.geom_bodyid().len()).filter(shown).collect();
        let part = |&geom: &usize| {
            let rgb = [0, 1, 2].map(|at| byte(model.geom_rgba()[geom][at]));
            Ok(vec![Part { mesh: mesh(model, geom)?, pose: Pose3::IDENTITY, rgb }])
        };
        let mut models = Models::of_parts(geoms.iter().map(part).collect::<Result<_>>()?);
        // The package's scene has no sky.
        models.background = [0; 3];
        #[allow(clippy::cast_precision_loss, reason = "pictures are small")]
        let wide = camera.width as f32 / camera.height as f32;
        let half_height = 0.5 * single(model.cam_fovy()[idx]).to_radians();
        let width_rads = 2.0 * libm::atanf(libm::tanf(half_height) * wide);
        let raster = Raster::new(camera.width, camera.height, SAMPLES);
        Ok(Self { camera, idx, width_rads, models, raster, geoms, poses: Vec::new() })
    }

    /// Its name and size.
    #[must_use]
    pub fn camera(&self) -> &Camera {
        &self.camera
    }

    /// Draws what is seen now, `[H, W, 3]` bytes.
    ///
    /// # Errors
    /// If `into` has another size.
    pub fn draw(&mut self, aloha: &Aloha, into: &mut [u8]) -> Result<()> {
        expect_length("a picture", into.len(), self.camera.bytes())?;
        let data = &aloha.data;
        let (places, turns) = (data.geom_xpos(), data.geom_xmat());
        self.poses.clear();
        self.poses.extend(self.geoms.iter().map(|&geom| pose(&places[geom], &turns[geom])));
        let camera = pose(&data.cam_xpos()[self.idx], &data.cam_xmat()[self.idx]);
        // MuJoCo's cameras look along -z with y up, the rasteriser's along z with y down.
        let camera = camera * Pose3::from_rotation(Quat::from_xyzw(1.0, 0.0, 0.0, 0.0));
        self.raster.draw(&self.models, &self.poses, &camera, self.width_rads);
        self.raster.rgb(into);
        Ok(())
    }

    /// Draws what is seen now into a PNG file, to be looked at.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save(&mut self, aloha: &Aloha, path: &Path) -> Result<()> {
        let mut picture = vec![0; self.camera.bytes()];
        self.draw(aloha, &mut picture)?;
        let size = [self.camera.width, self.camera.height].map(|side| side as u32);
        image::save_buffer(path, &picture, size[0], size[1], image::ColorType::Rgb8)
            .map_err(|error| Error::file(path, std::io::Error::other(error)))
    }
}

fn wrong(reason: String) -> Error {
    Error::config("gym-aloha", reason)
}

/// The triangles of a geom in its own frame.
fn mesh(model: &MjModel, geom: usize) -> Result<Mesh> {
    let [x, y, z] = model.geom_size()[geom].map(single);
    match model.geom_type()[geom] {
        MjtGeomBase::mjGEOM_BOX => Ok(Mesh::of(&Shape::Cuboid(Vec3::new(x, y, z)))),
        MjtGeomBase::mjGEOM_SPHERE => Ok(Mesh::of(&Shape::Ball(x))),
        MjtGeomBase::mjGEOM_CYLINDER => Ok(Mesh::of(&Shape::Cylinder(x, y))),
        MjtGeomBase::mjGEOM_MESH => {
            let name = model.id_to_name(MjtObjBase::mjOBJ_GEOM, geom).unwrap_or("without a name");
            let of = usize::try_from(model.geom_dataid()[geom]).ok();
            let of = of.ok_or_else(|| wrong(format!("geom `{name}` has no mesh")))?;
            let part = |first: i32, n: i32| first as usize..(first + n) as usize;
            let vertices = part(model.mesh_vertadr()[of], model.mesh_vertnum()[of]);
            let triangles = part(model.mesh_faceadr()[of], model.mesh_facenum()[of]);
            let vertices =
                model.mesh_vert()[vertices].iter().map(|&[x, y, z]| Vec3::new(x, y, z)).collect();
            Mesh::of_triangles(vertices, &model.mesh_face()[triangles])
                .ok_or_else(|| wrong(format!("the mesh of geom `{name}` is too large to draw")))
        }
        other => Err(wrong(format!("a geom of kind {other:?}, which is not drawn"))),
    }
}

/// From a place and the rows of a rotation.
fn pose(place: &[f64; 3], turn: &[f64; 9]) -> Pose3 {
    let [x, y, z] = place.map(single);
    let turn = Quat::from_mat3(&Mat3::from_cols_array(&turn.map(single)).transpose());
    Pose3::from_parts(Vec3::new(x, y, z), turn.normalize())
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "colours are from 0 to 1"
)]
fn byte(share: f32) -> u8 {
    (share.clamp(0.0, 1.0) * 255.0).round() as u8
}
