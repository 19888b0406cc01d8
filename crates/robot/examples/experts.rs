//! How often experts succeed: `experts [task|all] [n] [first seed] [pictures folder]`.
#![allow(clippy::print_stdout, reason = "a development tool that reports")]

use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use robot::experts::Expert;
use robot::interface::TICKS_PER_FRAME;
use robot::tasks::{Judge, Setup, Task, Variation};
use robot::world::{Driver, picture_buffers};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let word = args.first().map_or("all", String::as_str);
    let n: u64 = args.get(1).map_or(Ok(20), |text| text.parse())?;
    let first: u64 = args.get(2).map_or(Ok(0), |text| text.parse())?;
    let folder = args.get(3).map(Path::new);
    let novel = std::env::var("NOVEL").is_ok();
    let variation = if novel { Variation::NOVEL } else { Variation::TRAIN };
    let tasks: Vec<Task> =
        Task::ALL.into_iter().filter(|task| word == "all" || task.name() == word).collect();
    for task in tasks {
        let (mut n_done, mut secs, mut ticks, mut failed) = (0_u64, 0.0, 0_u64, Vec::new());
        for seed in first..first + n {
            let start = Instant::now();
            let folder = folder.filter(|_| seed == first);
            let (done, n_ticks) = attempt(task, seed, variation, folder)?;
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
    folder: Option<&Path>,
) -> Result<(bool, u64), Box<dyn std::error::Error>> {
    let setup = Setup::new(task, seed, variation);
    let mut world = setup.world();
    let n = world.n_robots();
    let mut experts: Vec<Expert> = (0..n).map(|robot| Expert::new(&setup, &world, robot)).collect();
    let mut drivers: Vec<Driver> = (0..n).map(|robot| Driver::new(world.joints(robot))).collect();
    let mut judge = Judge::default();
    let mut pictures = picture_buffers();
    let limit = (task.limit_secs() * 200.0) as u64;
    if folder.is_some() {
        println!("{:?}", setup.instructions);
    }
    if std::env::var("ITEMS").is_ok() {
        for item in &setup.items {
            println!("{} {:?}", item.name, item.item);
        }
    }
    let trace = std::env::var("TRACE").is_ok();
    for tick in 0..limit {
        if tick % u64::from(TICKS_PER_FRAME) == 0 && folder.is_some() {
            world.look(0, &mut pictures);
        }
        if let Some(folder) = folder.filter(|_| tick % 100 == 0) {
            for (name, (w, h), rgb) in [
                ("head", (128, 96), &pictures[0]),
                ("left", (64, 64), &pictures[1]),
                ("right", (64, 64), &pictures[2]),
            ] {
                png(&folder.join(format!("{tick:05}-{name}.png")), w, h, rgb)?;
            }
            let eye = glam(-0.5, -0.9, 0.95);
            let photo = world.photograph(eye, glam(0.5, 0.0, 0.05), 480, 360);
            png(&folder.join(format!("{tick:05}-photo.png")), 480, 360, &photo)?;
        }
        let mut targets = Vec::new();
        let mut done = 1.0_f32;
        for (robot, (expert, driver)) in experts.iter_mut().zip(&mut drivers).enumerate() {
            let action = expert.act(&setup, &world);
            done = done.min(action[robot::interface::ACTION - 1]);
            targets.push(driver.targets(&action)?);
            if trace && tick % 20 == 0 {
                let side = expert.side();
                let tool = world.tool(robot, side).translation;
                let item = setup.item_pose(&world, 0).translation;
                println!(
                    "{tick} r{robot} s{side} done {:.2} cmd {:.3?} tool {:.3?} gap {:.3} item {:.3?} turning {:.2?} drawer {:.3} door {:.3}",
                    action[20],
                    &action[side * 10..side * 10 + 3],
                    tool.to_array(),
                    world.joints(robot).openings[side] * 0.09,
                    item.to_array(),
                    world.physics().velocity(setup.target().body).1.to_array(),
                    setup.drawer.map_or(0.0, |b| world.physics().joint(b).0),
                    setup.door.map_or(0.0, |b| world.physics().joint(b).0),
                );
            }
        }
        world.step(&targets);
        if judge.watch(&setup, &world) && done >= 1.0 {
            return Ok((true, tick));
        }
    }
    Ok((false, limit))
}

fn glam(x: f32, y: f32, z: f32) -> robot::world::Vec3 {
    robot::world::Vec3::new(x, y, z)
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
    let mut packed =
        flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
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
