//! How often experts succeed: `experts [task|all] [n] [first seed] [disturbance] [pictures folder]`.
//! With `NOVEL` set scenes hold what training never shows, with `TRACE` every tenth of a second is printed,
//! with `ENGINE=mujoco` (and the feature of this name) MuJoCo moves the world.
#![allow(clippy::print_stdout, reason = "a development tool that reports")]

use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use robot::collect::demonstrate_in;
use robot::tasks::{Setup, Task, Variation};
use robot::world::body::cameras;
use robot::world::{Vec3, World};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let word = args.first().map_or("all", String::as_str);
    let n: u64 = args.get(1).map_or(Ok(20), |text| text.parse())?;
    let first: u64 = args.get(2).map_or(Ok(0), |text| text.parse())?;
    let disturbance: f32 = args.get(3).map_or(Ok(0.0), |text| text.parse())?;
    let folder = args.get(4).map(Path::new);
    let novel = std::env::var("NOVEL").is_ok();
    let variation = if novel { Variation::NOVEL } else { Variation::TRAIN };
    let tasks: Vec<Task> =
        Task::ALL.into_iter().filter(|task| word == "all" || task.name() == word).collect();
    for task in tasks {
        let (mut n_done, mut secs, mut ticks, mut failed) = (0_u64, 0.0, 0_u64, Vec::new());
        for seed in first..first + n {
            let start = Instant::now();
            let folder = folder.filter(|_| seed == first);
            let (done, n_ticks) = attempt(task, seed, variation, disturbance, folder)?;
            secs += start.elapsed().as_secs_f64();
            ticks += n_ticks;
            if done {
                n_done += 1;
            } else {
                failed.push(seed);
            }
        }
        let interval = runs::stats::Rate { hits: n_done, n }.wilson();
        let (low, high) = interval.map_or((0.0, 0.0), |interval| (interval.low, interval.high));
        println!(
            "{}: {n_done}/{n} (95% {:.1}..{:.1} %), {:.2} s simulated, {:.0} ticks/s, failed {failed:?}",
            task.name(),
            100.0 * low,
            100.0 * high,
            ticks as f64 / n as f64 / 200.0,
            ticks as f64 / secs,
        );
    }
    Ok(())
}

fn attempt(
    task: Task,
    seed: u64,
    variation: Variation,
    disturbance: f32,
    folder: Option<&Path>,
) -> Result<(bool, u64), Box<dyn std::error::Error>> {
    let setup = Setup::new(task, seed, variation);
    if folder.is_some() {
        println!("{:?}", setup.instructions);
        for item in &setup.items {
            println!("{} {:?}", item.name, item.item);
        }
    }
    let trace = std::env::var("TRACE").is_ok();
    let (mut tick, mut failure) = (0_u64, Ok(()));
    let world = world(&setup)?;
    let outcome = demonstrate_in(world, &setup, disturbance, folder.is_some(), &mut |seen| {
        if let (Some(folder), Some(pictures)) = (folder, seen.pictures)
            && tick % 96 == 0
            && failure.is_ok()
        {
            failure = show(folder, tick, &pictures[0], seen.world);
        }
        if trace && tick % 20 == 0 {
            let physics = seen.world.physics();
            let joint = |body: Option<usize>| body.map_or(0.0, |body| physics.joint(body).0);
            let (drawer, door) = (joint(setup.drawer), joint(setup.door));
            let item = setup.item_pose(seen.world, setup.target).translation;
            for (robot, (state, action)) in seen.states.iter().zip(seen.actions).enumerate() {
                println!(
                    "{tick} robot {robot} {:.2} left {:.3?} {:.3?} right {:.3?} {:.3?} item {:.3?} drawer {drawer:.3} door {door:.3}",
                    action[20],
                    at(&state[..10]),
                    at(&action[..10]),
                    at(&state[10..20]),
                    at(&action[10..20]),
                    item.to_array()
                );
            }
        }
        tick += 1;
    });
    failure?;
    Ok((outcome.success, u64::from(outcome.n_ticks)))
}

/// The world with the engine that is asked for.
fn world(setup: &Setup) -> Result<World, Box<dyn std::error::Error>> {
    match std::env::var("ENGINE").as_deref() {
        #[cfg(feature = "mujoco")]
        Ok("mujoco") => Ok(setup.world_with(Box::new(robot::world::Mujoco::new(&setup.scene)?))),
        Err(_) | Ok("rapier") => Ok(setup.world()),
        Ok(other) => Err(format!("no engine `{other}` in this build").into()),
    }
}

fn at(wrist: &[f32]) -> [f32; 4] {
    [wrist[0], wrist[1], wrist[2], wrist[9]]
}

fn show(folder: &Path, tick: u64, pictures: &[Vec<u8>; 3], world: &World) -> std::io::Result<()> {
    for (camera, rgb) in cameras().iter().zip(pictures) {
        let path = folder.join(format!("{tick:05}-{}.png", camera.name));
        png(&path, camera.width as u32, camera.height as u32, rgb)?;
    }
    let (eye, target) = (Vec3::new(-0.5, -0.9, 0.95), Vec3::new(0.5, 0.0, 0.05));
    png(
        &folder.join(format!("{tick:05}-photo.png")),
        480,
        360,
        &world.photograph(eye, target, 480, 360),
    )
}

/// A picture without any compression worth the name.
fn png(path: &Path, width: u32, height: u32, rgb: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    let mut file = std::fs::File::create(path)?;
    file.write_all(b"\x89PNG\r\n\x1a\n")?;
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    for row in rgb.chunks_exact(width as usize * 3) {
        packed.write_all(&[0])?;
        packed.write_all(row)?;
    }
    for (kind, data) in [(b"IHDR", header), (b"IDAT", packed.finish()?), (b"IEND", Vec::new())] {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(&data);
        file.write_all(&u32::try_from(data.len()).unwrap_or(0).to_be_bytes())?;
        file.write_all(kind)?;
        file.write_all(&data)?;
        file.write_all(&crc.sum().to_be_bytes())?;
    }
    Ok(())
}
