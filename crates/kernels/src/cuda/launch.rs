//! What a CUDA C candidate says about itself: scratch memory, and the list of launches.

/// Most launches of a candidate.
const MOST_LAUNCHES: usize = 4096;

/// Shared memory that a block can have on the largest devices, with the static part.
const MOST_SHARED_BYTES: u32 = 227 << 10;

/// What a kernel is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// An input or parameter: `in0`.
    Given(usize),
    /// An output: `out0`.
    Returned(usize),
    /// Bytes into the scratch memory: `scratch+1024`.
    Scratch(u64),
}

/// One launch of a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The kernel.
    pub name: String,
    /// Blocks along each axis.
    pub grid: [u32; 3],
    /// Threads of a block along each axis.
    pub block: [u32; 3],
    /// Dynamic shared memory of each block.
    pub shared_bytes: u32,
    /// Pointers.
    pub arguments: Vec<Argument>,
}

/// All that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launches {
    /// Bytes of scratch memory.
    pub scratch_bytes: u64,
    /// In order.
    pub launches: Vec<Launch>,
}

impl Launches {
    /// Reads the comments of a candidate's text; says in one line what is wrong with them.
    ///
    /// # Errors
    /// When nothing is launched, or a line cannot be read.
    pub fn read(source: &str) -> Result<Self, String> {
        let mut found = Self { scratch_bytes: 0, launches: Vec::new() };
        for (idx, line) in source.lines().enumerate() {
            let Some(rest) = line.trim().strip_prefix("//") else { continue };
            let rest = rest.trim_start();
            let wrong = |reason: String| format!("line {}: {reason}", idx + 1);
            if let Some(bytes) = rest.strip_prefix("scratch:") {
                found.scratch_bytes =
                    bytes
                        .trim()
                        .parse()
                        .ok()
                        .filter(|bytes| *bytes <= 1 << 40)
                        .ok_or_else(|| wrong("`scratch:` wants a number of bytes".to_owned()))?;
            } else if let Some(launch) = rest.strip_prefix("launch:") {
                found.launches.push(self::launch(launch).map_err(wrong)?);
                if found.launches.len() > MOST_LAUNCHES {
                    return Err(wrong(format!("more than {MOST_LAUNCHES} launches")));
                }
            }
        }
        if found.launches.is_empty() {
            return Err("no line `// launch: NAME GRID BLOCK SHARED ARGUMENTS`".to_owned());
        }
        let beyond = found.launches.iter().flat_map(|launch| &launch.arguments).find(
            |argument| matches!(argument, Argument::Scratch(at) if *at > found.scratch_bytes),
        );
        match beyond {
            Some(Argument::Scratch(at)) => {
                Err(format!("`scratch+{at}` is beyond {} bytes of scratch", found.scratch_bytes))
            }
            _ => Ok(found),
        }
    }
}

/// Whether a comment is one of ours and well formed.
pub(crate) fn is_line(comment: &str) -> bool {
    let Some(rest) = comment.trim().strip_prefix("//") else { return false };
    let rest = rest.trim_start();
    let bytes = rest.strip_prefix("scratch:");
    bytes.is_some_and(|bytes| bytes.trim().parse::<u64>().is_ok())
        || rest.strip_prefix("launch:").is_some_and(|text| launch(text).is_ok())
}

fn launch(text: &str) -> Result<Launch, String> {
    let mut words = text.split_whitespace();
    let mut next = |what: &str| words.next().ok_or_else(|| format!("`launch:` lacks its {what}"));
    let name = next("kernel")?.to_owned();
    let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if name.len() > 200 || !name.chars().all(letters) || name.starts_with(|c: char| c.is_numeric())
    {
        return Err("the kernel's name is no identifier".to_owned());
    }
    let grid = extents(next("grid")?, [i32::MAX as u32, 65535, 65535])?;
    let block = extents(next("block")?, [1024, 1024, 64])?;
    if block.iter().map(|&each| u64::from(each)).product::<u64>() > 1024 {
        return Err("a block has at most 1024 threads".to_owned());
    }
    let shared = next("bytes of shared memory")?;
    let shared_bytes = shared
        .parse()
        .ok()
        .filter(|bytes| *bytes <= MOST_SHARED_BYTES)
        .ok_or_else(|| format!("shared memory is 0 to {MOST_SHARED_BYTES} bytes"))?;
    let arguments = words.map(argument).collect::<Result<_, _>>()?;
    Ok(Launch { name, grid, block, shared_bytes, arguments })
}

fn extents(text: &str, most: [u32; 3]) -> Result<[u32; 3], String> {
    let mut found = [1; 3];
    for (axis, part) in text.split(',').enumerate() {
        let value =
            part.parse().ok().filter(|value| axis < 3 && *value >= 1 && *value <= most[axis]);
        found[axis.min(2)] =
            value.ok_or_else(|| format!("`{}` is no size of a grid or block", shown(text)))?;
    }
    Ok(found)
}

fn argument(text: &str) -> Result<Argument, String> {
    let number = |rest: &str| rest.parse::<usize>().ok().filter(|idx| *idx < 4096);
    let found = if let Some(rest) = text.strip_prefix("in") {
        number(rest).map(Argument::Given)
    } else if let Some(rest) = text.strip_prefix("out") {
        number(rest).map(Argument::Returned)
    } else {
        text.strip_prefix("scratch+").and_then(|rest| rest.parse().ok()).map(Argument::Scratch)
    };
    found.ok_or_else(|| format!("`{}` is not `inN`, `outN` or `scratch+BYTES`", shown(text)))
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launches_are_read_in_order() {
        let text = "// scratch: 64\n  // launch: f 3,4 8,2,2 16 in0 scratch+8\n\
                    // launch: g 1 32 0 out1\nvoid f() {}\n";
        let read = Launches::read(text).expect("well formed");
        assert_eq!(read.scratch_bytes, 64);
        assert_eq!(read.launches.len(), 2);
        let first = &read.launches[0];
        assert_eq!((first.grid, first.block, first.shared_bytes), ([3, 4, 1], [8, 2, 2], 16));
        assert_eq!(first.arguments, [Argument::Given(0), Argument::Scratch(8)]);
        assert_eq!(read.launches[1].arguments, [Argument::Returned(1)]);
    }

    #[test]
    fn what_no_device_would_launch_is_refused() {
        for line in [
            "",
            "// launch:",
            "// launch: f",
            "// launch: f 1 2048 0",
            "// launch: f 1 32,32,2 0",
            "// launch: f 0 32 0",
            "// launch: f 1,1,1,1 32 0",
            "// launch: f 1 32 999999",
            "// launch: f 1 32 0 x",
            "// launch: f() 1 32 0",
            "// launch: f 1 32 0 scratch+1",
            "// launch: f 1 32 0 in99999999999999999999",
            "// scratch: -1",
        ] {
            assert!(Launches::read(line).is_err(), "{line}");
        }
    }
}
