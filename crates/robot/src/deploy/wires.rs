//! Every exchange of a deployment, and how processes inherit them.

use std::fmt;
use std::os::fd::{AsRawFd, RawFd};
use std::process::Command;

use super::{SlowLinks, WorldLinks};
use crate::fast::FastLinks;
use crate::interface::STATE;
use crate::linux;
use crate::shared::{Carrier, Exchange, Layout, Reader, Stamp, Writer};
use crate::{Error, Result};

/// Environment variable that tells a process the numbers of its descriptors.
const VARIABLE: &str = "TETRAD_ROBOT_WIRES";

/// Longest prompt, in bytes.
const MOST_PROMPT: usize = 1024;

/// Most robots of a deployment.
const MOST_ROBOTS: usize = 8;

/// How much is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Robots.
    pub n_robots: usize,
    /// Bytes of all pictures of one robot.
    pub frame_bytes: usize,
    /// Floats of a latent.
    pub latent_width: usize,
}

/// Which process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The world.
    World,
    /// S1 of a robot.
    S1(usize),
    /// S2 of all robots.
    S2,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::World => f.pad("world"),
            Role::S1(robot) => write!(f, "s1.{robot}"),
            Role::S2 => f.pad("s2"),
        }
    }
}

/// What belongs to one robot.
#[derive(Debug)]
struct Robot {
    state: Exchange,
    frames_fast: Exchange,
    frames_slow: Exchange,
    latent: Exchange,
    action: Exchange,
    prompt: Exchange,
    /// What the world counts about this robot.
    counts: Exchange,
    /// A sign of life of its S1.
    pulse: Exchange,
}

/// Every exchange of a deployment. Who reads and writes which is fixed: each has one of each.
#[derive(Debug)]
pub struct Wires {
    robots: Vec<Robot>,
    world_pulse: Exchange,
    s2_pulse: Exchange,
    /// Anything published here ends all processes.
    halt: Exchange,
    carrier: Option<Carrier>,
}

const EMPTY: Layout = Layout { n_floats: 0, n_bytes: 0 };

impl Robot {
    const N: usize = 8;

    fn layouts(shape: &Shape) -> [Layout; Robot::N] {
        let frames = Layout { n_floats: STATE, n_bytes: shape.frame_bytes };
        [
            Layout { n_floats: STATE, n_bytes: 0 },
            frames,
            frames,
            Layout { n_floats: shape.latent_width, n_bytes: 0 },
            FastLinks::action_layout(),
            Layout { n_floats: 0, n_bytes: MOST_PROMPT },
            WorldLinks::counts_layout(),
            EMPTY,
        ]
    }

    fn new(exchanges: [Exchange; Robot::N]) -> Robot {
        let [state, frames_fast, frames_slow, latent, action, prompt, counts, pulse] = exchanges;
        Robot { state, frames_fast, frames_slow, latent, action, prompt, counts, pulse }
    }

    fn exchanges(&self) -> [&Exchange; Robot::N] {
        [
            &self.state,
            &self.frames_fast,
            &self.frames_slow,
            &self.latent,
            &self.action,
            &self.prompt,
            &self.counts,
            &self.pulse,
        ]
    }
}

impl Wires {
    /// New exchanges, all empty.
    ///
    /// # Errors
    /// When there are none or too many robots, or no memory.
    pub fn create(shape: Shape) -> Result<Wires> {
        if !(1..=MOST_ROBOTS).contains(&shape.n_robots) {
            let reason = format!("{} robots; from 1 to {MOST_ROBOTS} are possible", shape.n_robots);
            return Err(Error::config("a deployment", reason));
        }
        let mut robots = Vec::new();
        for _ in 0..shape.n_robots {
            let mut exchanges = Vec::new();
            for layout in Robot::layouts(&shape) {
                exchanges.push(Exchange::create(layout)?);
            }
            robots.extend(exchanges.try_into().map(Robot::new));
        }
        Ok(Wires {
            robots,
            world_pulse: Exchange::create(EMPTY)?,
            s2_pulse: Exchange::create(EMPTY)?,
            halt: Exchange::create(EMPTY)?,
            carrier: None,
        })
    }

    /// The same, with what goes from process to process at each tick (states, pictures, latents, actions)
    /// over services of iceoryx2, named `<carrier's name>/<robot>/latent` and so on. Prompts, counts
    /// and signs of life stay in memory of our own. Every process has to do this for itself.
    #[must_use]
    pub fn over(mut self, carrier: Carrier) -> Wires {
        self.carrier = Some(carrier);
        self
    }

    fn writer(&self, of: &Exchange, robot: usize, name: &str) -> Result<Writer> {
        let writer = of.writer();
        match &self.carrier {
            None => Ok(writer),
            Some(carrier) => writer.over(carrier, &format!("{robot}/{name}")),
        }
    }

    fn reader(&self, of: &Exchange, robot: usize, name: &str) -> Result<Reader> {
        let reader = of.reader();
        match &self.carrier {
            None => Ok(reader),
            Some(carrier) => reader.over(carrier, &format!("{robot}/{name}")),
        }
    }

    fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        let robots = self.robots.iter().flat_map(Robot::exchanges);
        [&self.world_pulse, &self.s2_pulse, &self.halt].into_iter().chain(robots)
    }

    /// Lets a command inherit all of them. They must live until it is spawned. The child is killed when
    /// the thread that spawns it ends.
    pub fn hand_to(&self, command: &mut Command) {
        let numbers: Vec<RawFd> =
            self.exchanges().map(|exchange| exchange.descriptor().as_raw_fd()).collect();
        let text: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        command.env(VARIABLE, text.join(","));
        linux::child::inherit(command, numbers);
    }

    /// Those that this process was started with; none if it was not started with any.
    ///
    /// # Errors
    /// When they are not what a supervisor of this version hands out.
    pub fn inherited() -> Result<Option<Wires>> {
        let Ok(text) = std::env::var(VARIABLE) else { return Ok(None) };
        let wrong = || Error::config("a process of a robot", format!("{VARIABLE} is `{text}`"));
        let mut exchanges = Vec::new();
        for number in text.split(',') {
            let number: RawFd = number.parse().map_err(|_| wrong())?;
            let descriptor = linux::memory::inherited(number)
                .map_err(|source| Error::kernel(format!("inherit descriptor {number}"), source))?;
            exchanges.push(Exchange::attach(descriptor)?);
        }
        let mut exchanges = exchanges.into_iter();
        let mut next = || exchanges.next().ok_or_else(wrong);
        let (world_pulse, s2_pulse, halt) = (next()?, next()?, next()?);
        let rest: Vec<Exchange> = exchanges.collect();
        if rest.is_empty() || !rest.len().is_multiple_of(Robot::N) {
            return Err(wrong());
        }
        let mut robots = Vec::new();
        for robot in rest.chunks(Robot::N) {
            robots.extend(<[Exchange; Robot::N]>::try_from(robot.to_vec()).map(Robot::new));
        }
        Ok(Some(Wires { robots, world_pulse, s2_pulse, halt, carrier: None }))
    }

    /// How much is exchanged.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape {
            n_robots: self.robots.len(),
            frame_bytes: self.robots[0].frames_fast.layout().n_bytes,
            latent_width: self.robots[0].latent.layout().n_floats,
        }
    }

    /// The ends that the world holds.
    ///
    /// # Errors
    /// When services cannot be opened.
    pub fn world(&self) -> Result<Vec<WorldLinks>> {
        let links = |(idx, robot): (usize, &Robot)| {
            Ok(WorldLinks {
                state: self.writer(&robot.state, idx, "state")?,
                frames_fast: self.writer(&robot.frames_fast, idx, "frames-fast")?,
                frames_slow: self.writer(&robot.frames_slow, idx, "frames-slow")?,
                action: self.reader(&robot.action, idx, "action")?,
                counts: robot.counts.writer(),
            })
        };
        self.robots.iter().enumerate().map(links).collect()
    }

    /// The ends that S1 of a robot holds.
    ///
    /// # Errors
    /// When there is no such robot, or services cannot be opened.
    pub fn s1(&self, robot: usize) -> Result<FastLinks> {
        let links = self.robot(robot)?;
        Ok(FastLinks {
            state: self.reader(&links.state, robot, "state")?,
            frames: self.reader(&links.frames_fast, robot, "frames-fast")?,
            latent: self.reader(&links.latent, robot, "latent")?,
            action: self.writer(&links.action, robot, "action")?,
        })
    }

    /// The ends that S2 holds.
    ///
    /// # Errors
    /// When services cannot be opened.
    pub fn s2(&self) -> Result<Vec<SlowLinks>> {
        let links = |(idx, robot): (usize, &Robot)| {
            Ok(SlowLinks {
                frames: self.reader(&robot.frames_slow, idx, "frames-slow")?,
                prompt: robot.prompt.reader(),
                latent: self.writer(&robot.latent, idx, "latent")?,
            })
        };
        self.robots.iter().enumerate().map(links).collect()
    }

    /// Where a process gives its signs of life.
    ///
    /// # Errors
    /// When there is no such robot.
    pub fn pulse(&self, role: Role) -> Result<Writer> {
        self.pulse_of(role).map(Exchange::writer)
    }

    /// How many signs of life a process has given, all its predecessors included.
    ///
    /// # Errors
    /// When there is no such robot.
    pub fn n_pulses(&self, role: Role) -> Result<u64> {
        self.pulse_of(role).map(Exchange::n_published)
    }

    fn pulse_of(&self, role: Role) -> Result<&Exchange> {
        Ok(match role {
            Role::World => &self.world_pulse,
            Role::S2 => &self.s2_pulse,
            Role::S1(robot) => &self.robot(robot)?.pulse,
        })
    }

    /// Tells a robot what to do, in words. What is longer than 1024 bytes is cut off, between two
    /// letters. For one process alone, the supervisor's.
    ///
    /// # Errors
    /// When there is no such robot.
    pub fn say(&self, robot: usize, prompt: &str) -> Result<()> {
        let end =
            (0..=MOST_PROMPT.min(prompt.len())).rev().find(|&end| prompt.is_char_boundary(end));
        let bytes = &prompt.as_bytes()[..end.unwrap_or(0)];
        self.robot(robot)?.prompt.writer().publish(Stamp::default(), &[], bytes);
        Ok(())
    }

    /// What the world has counted about a robot. For one process alone, the supervisor's.
    ///
    /// # Errors
    /// When there is no such robot.
    pub fn counts(&self, robot: usize) -> Result<super::WorldCounts> {
        let mut reader = self.robot(robot)?.counts.reader();
        reader.take();
        Ok(super::WorldCounts::from_floats(reader.floats()))
    }

    /// How many latents were published for a robot.
    ///
    /// # Errors
    /// When there is no such robot.
    pub fn n_latents(&self, robot: usize) -> Result<u64> {
        Ok(self.robot(robot)?.latent.n_published())
    }

    /// Ends all processes, each at its next tick.
    pub fn halt(&self) {
        self.halt.writer().publish(Stamp::default(), &[], &[]);
    }

    /// Whether all is to end.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.halt.n_published() > 0
    }

    fn robot(&self, robot: usize) -> Result<&Robot> {
        let n = self.robots.len();
        self.robots.get(robot).ok_or_else(|| {
            Error::config("a deployment", format!("no robot {robot}; there are {n}, from 0"))
        })
    }
}
