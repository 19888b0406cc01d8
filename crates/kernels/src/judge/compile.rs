//! From source text to a program: the compiler runs in a sandbox of its own.
//!
//! The sandbox holds the machine's compiler and libraries and nothing else, so there is nothing
//! that a text could include or a section name smuggle in. Between compiling and linking the
//! assembly and the object are looked at; the program is static, for a world without files.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sandbox::outcome::Command;
use sandbox::policy::{Protection, Seed, SeedContent};
use sandbox::{Ending, Evidence, Launcher, Outcome, Policy, Sandbox};

use super::{object, scan};
use crate::evaluation::{Reason, Rejection};
use crate::{Candidate, Error, Language, cuda};

/// The other half of every program.
const WORKER: &str = include_str!("../../worker/worker.c");

/// Options of every candidate; its own come after.
const FLAGS: &str = "-std=gnu11 -O3 -march=native -fopenmp -fno-stack-protector -fno-common \
                     -fno-asynchronous-unwind-tables -w";

/// Options of CUDA C, run for function: as C++, without what a device has not.
const SHIM_FLAGS: &str = "-x c++ -std=gnu++17 -O1 -march=native -fno-stack-protector \
                          -fno-asynchronous-unwind-tables -fno-exceptions -fno-rtti \
                          -fno-threadsafe-statics -w";

/// Fibers jump to the beginning of a function, which control-flow protection would forbid.
#[cfg(target_arch = "x86_64")]
const SHIM_JUMPS: &str = "-fcf-protection=none";
#[cfg(not(target_arch = "x86_64"))]
const SHIM_JUMPS: &str = "";

/// Compiled programs kept in memory.
const MOST_KEPT: usize = 64;

/// Longest program, assembly or object read back.
const MOST_BYTES: usize = 32 << 20;

/// Longest detail of a rejection.
const DETAIL_CHARS: usize = 300;

/// Longest text of remarks.
const REMARK_CHARS: usize = 2000;

/// A program that was looked at and may run.
#[derive(Debug)]
pub(super) struct Program {
    /// The executable file.
    pub(super) bytes: Vec<u8>,
    /// What the compiler says about loops.
    pub(super) remarks: String,
}

/// What compiling gives: a program, or what is wrong with the text.
pub(super) type Compiled = Result<Arc<Program>, Rejection>;

/// Where programs are made.
#[derive(Debug)]
pub(super) struct Workshop {
    sandbox: Sandbox,
    wall: Duration,
    /// The compiler's first line about itself.
    version: String,
    kept: HashMap<String, Compiled>,
    order: VecDeque<String>,
}

fn policy() -> Policy {
    let env = [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C"), ("TMPDIR", "/tmp")];
    let env: BTreeMap<String, String> =
        env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let mut policy = Policy::system(env);
    policy.host_name = "workshop".to_owned();
    let content = SeedContent::Bytes(WORKER.as_bytes().to_vec());
    policy.seeds.push(Seed { path: "/tmp/worker.c".into(), content, mode: 0o644 });
    policy.limits.cpu_secs = 60;
    policy.limits.address_space_bytes = 3 << 30;
    policy.limits.resident_bytes = 1 << 30;
    policy.limits.file_bytes = 64 << 20;
    policy.limits.folder_bytes = 256 << 20;
    policy.limits.output_bytes = 256 << 10;
    // What records is not needed: nobody asks what the compiler did.
    let recorders = [Protection::SeccompNotify, Protection::FileWatch, Protection::MemoryWatchdog];
    policy.required.retain(|protection| !recorders.contains(protection));
    policy
}

fn shell(script: String, stdin: &str, wall: Duration) -> Command {
    let argv = vec!["sh".to_owned(), "-c".to_owned(), script];
    Command { argv, cwd: Some("/tmp".into()), stdin: stdin.as_bytes().to_vec(), wall: Some(wall) }
}

fn tool(reason: String) -> Error {
    Error::Tool { tool: "gcc".to_owned(), reason }
}

impl Workshop {
    /// Opens one, and compiles the worker in it. `wall` limits each compilation.
    pub(super) fn open(launcher: &Launcher, wall: Duration) -> Result<Workshop, Error> {
        let sandbox = Sandbox::start_with(policy(), launcher, Evidence::Off)?;
        let kept = HashMap::new();
        let mut workshop =
            Workshop { sandbox, wall, version: String::new(), kept, order: VecDeque::new() };
        let script = "gcc --version && gcc -O2 -std=gnu11 -fopenmp -c -o worker.o worker.c";
        let outcome =
            workshop.sandbox.run(&shell(script.to_owned(), "", Duration::from_secs(60)))?;
        if outcome.ending != (Ending::Exited { code: 0 }) {
            let errors = String::from_utf8_lossy(&outcome.stderr);
            return Err(tool(first_lines(&errors, DETAIL_CHARS)));
        }
        let text = String::from_utf8_lossy(&outcome.stdout);
        text.lines().next().unwrap_or_default().trim().clone_into(&mut workshop.version);
        Ok(workshop)
    }

    /// The compiler's first line about itself.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Makes a program of a candidate, or finds it made before.
    pub(super) fn compile(&mut self, candidate: &Candidate) -> Result<Compiled, Error> {
        let id = candidate.id();
        if let Some(found) = self.kept.get(&id) {
            return Ok(found.clone());
        }
        let compiled = self.compile_anew(candidate)?;
        if self.order.len() >= MOST_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.kept.remove(&oldest);
        }
        self.order.push_back(id.clone());
        self.kept.insert(id, compiled.clone());
        Ok(compiled)
    }

    fn compile_anew(&mut self, candidate: &Candidate) -> Result<Compiled, Error> {
        let (source, options) = match prepared(candidate) {
            Ok(prepared) => prepared,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let script = format!(
            "rm -f k*; gcc {options} -S -o k.s - \
             && gcc -c -o k.o k.s \
             && objcopy -G tetrad_kernel -G tetrad_scratch_bytes k.o \
             && gcc -static -fopenmp -o k worker.o k.o -lm"
        );
        let outcome = self.sandbox.run(&shell(script, &source, self.wall))?;
        let errors = String::from_utf8_lossy(&outcome.stderr);
        if candidate.language == Language::Cuda && errors.contains("cc1plus") {
            let reason = "CUDA C is run on the CPU as C++, and there is no C++ compiler; install \
                          g++"
            .to_owned();
            return Err(Error::Tool { tool: "g++".to_owned(), reason });
        }
        if let Some(rejection) = self.failed(&outcome)? {
            return Ok(Err(rejection));
        }
        let assembly = self.take("/tmp/k.s")?;
        if let Some(rejection) = check_assembly(&assembly) {
            return Ok(Err(rejection));
        }
        if let Err(rejection) = object::check(&self.take("/tmp/k.o")?) {
            return Ok(Err(rejection));
        }
        let bytes = self.take("/tmp/k")?;
        if outcome.ending != (Ending::Exited { code: 0 }) || bytes.is_empty() {
            return Ok(Err(compile_error(&outcome)));
        }
        let remarks = String::from_utf8_lossy(&self.take("/tmp/k.remarks")?).into_owned();
        let remarks = remarks.replace("<stdin>:", "").chars().take(REMARK_CHARS).collect();
        Ok(Ok(Arc::new(Program { bytes, remarks })))
    }

    /// The rejection of a compilation that gave no object; what failed to link is looked at first.
    fn failed(&mut self, outcome: &Outcome) -> Result<Option<Rejection>, Error> {
        let limit = |detail: &str| {
            Some(Rejection { reason: Reason::CompileLimit, detail: detail.to_owned() })
        };
        let errors = String::from_utf8_lossy(&outcome.stderr);
        let starved = ["cannot allocate", "out of memory", "Cannot allocate memory", "Killed"];
        Ok(match outcome.ending {
            Ending::WallLimit => limit(&format!("the compiler ran longer than {:?}", self.wall)),
            Ending::MemoryLimit => limit("the compiler wanted too much memory"),
            Ending::Exited { code: 0 } => None,
            _ if starved.iter().any(|text| errors.contains(text)) => {
                limit("the compiler wanted too much memory")
            }
            _ if errors.contains("No space left") || errors.contains("File too large") => {
                limit("the compiler wrote too much")
            }
            _ if errors.contains("File size limit exceeded") => {
                limit("the compiler wrote too much")
            }
            _ if self.take("/tmp/k.o")?.is_empty() => Some(compile_error(outcome)),
            _ => None,
        })
    }

    fn take(&self, path: &str) -> Result<Vec<u8>, Error> {
        Ok(self.sandbox.read(path, MOST_BYTES)?.unwrap_or_default())
    }
}

/// What the compiler reads, and its options.
fn prepared(candidate: &Candidate) -> Result<(Cow<'_, str>, String), Rejection> {
    match candidate.language {
        Language::C => {
            scan::check_source(&candidate.source)?;
            scan::check_flags(&candidate.flags)?;
            // Flags are from a list of ours: no quoting needed.
            let flags = candidate.flags.join(" ");
            let remarks = "-fopt-info-vec-optimized=k.remarks -x c";
            Ok((Cow::Borrowed(&candidate.source), format!("{FLAGS} {flags} {remarks}")))
        }
        Language::Cuda => {
            cuda::check_flags(&candidate.flags)?;
            let source = cuda::shim::translate(&candidate.source)?;
            scan::check_source(&source)?;
            Ok((Cow::Owned(source), format!("{SHIM_FLAGS} {SHIM_JUMPS}")))
        }
    }
}

fn compile_error(outcome: &Outcome) -> Rejection {
    let errors = String::from_utf8_lossy(&outcome.stderr);
    Rejection { reason: Reason::Compile, detail: first_errors(&errors) }
}

/// The first errors in one line: place and text.
fn first_errors(text: &str) -> String {
    let errors: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("error:") || line.contains("undefined reference"))
        .map(|line| line.trim_start_matches("<stdin>:"))
        .take(3)
        .collect();
    let joined =
        if errors.is_empty() { first_lines(text, DETAIL_CHARS) } else { errors.join("; ") };
    joined.chars().take(DETAIL_CHARS).collect()
}

fn first_lines(text: &str, most_chars: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let joined = lines.join("; ");
    if joined.is_empty() {
        "it said nothing".to_owned()
    } else {
        joined.chars().take(most_chars).collect()
    }
}

/// What in the assembly no compiler writes of itself: text that was put there.
fn check_assembly(text: &[u8]) -> Option<Rejection> {
    /// The compiler's own mark before inline assembly.
    const INLINE: &[u8] = b"#APP";
    /// Instructions that ask the kernel, and directives that read files.
    const WORDS: [&[u8]; 6] =
        [b"syscall", b"sysenter", b"int", b".incbin", b".include", b".symver"];
    let found = text.split(|byte| *byte == b'\n').find_map(|line| {
        let line = line.trim_ascii();
        if line.starts_with(INLINE) {
            return Some("inline assembly".to_owned());
        }
        // Several statements may stand in one line.
        line.split(|byte| *byte == b';').find_map(|statement| {
            let word = statement.trim_ascii().split(u8::is_ascii_whitespace).next()?;
            let found = WORDS.contains(&word);
            found.then(|| format!("`{}` in the assembly", String::from_utf8_lossy(word)))
        })
    });
    found.map(|detail| Rejection { reason: Reason::Forbidden, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_in_one_line_without_file_names() {
        let text = "<stdin>: In function 'f':\n<stdin>:3:5: error: expected ';'\n   3 | x\n\
                    <stdin>:4:1: error: 'y' undeclared\n";
        assert_eq!(first_errors(text), "3:5: error: expected ';'; 4:1: error: 'y' undeclared");
    }

    #[test]
    fn inline_and_smuggled_assembly_is_found() {
        for text in [
            "#APP\n# 3 \"<stdin>\" 1\n\tnop\n",
            "\tsyscall\n",
            "x:\tnop; syscall\n",
            " .incbin \"f\"\n",
        ] {
            assert!(check_assembly(text.as_bytes()).is_some(), "{text}");
        }
        let plain = "\t.string\t\"a syscall\"\n\tcvttss2si\t%xmm0, %eax\n\t.size\tsyscalls, 3\n";
        assert_eq!(check_assembly(plain.as_bytes()), None);
    }
}
