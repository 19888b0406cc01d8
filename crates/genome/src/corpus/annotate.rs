//! Genes where nobody says them: Prodigal finds coding sequences, ARAGORN tRNA and tmRNA genes.
//!
//! Both are called as programs. What they say is kept as GFF3 under the digest of the file that they
//! read, so that no genome is read twice. It is a prediction, and called so.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::build::Watch;
use crate::error::Error;
use crate::fasta::Record;

/// Below that many bases Prodigal cannot learn a genome's own habits, and is told to use those that it
/// brings.
const LEARNABLE_BASES: usize = 100_000;

/// How often a program is asked whether it has ended.
const PERIOD: Duration = Duration::from_millis(20);

/// Which programs there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Programs {
    /// Prodigal's version.
    pub prodigal: Option<String>,
    /// ARAGORN's version.
    pub aragorn: Option<String>,
}

impl Programs {
    /// Asks for the versions of those that are installed.
    pub fn find() -> Programs {
        // Both print their version in the first line of some page, on either stream.
        let said = |program: &str, flag: &str, mark: &str| {
            let output = Command::new(program).arg(flag).stdin(Stdio::null()).output().ok()?;
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            let at = text.find(mark)? + mark.len();
            let version = text[at..].split([' ', ':', '\n']).next()?.trim();
            Some(version.to_owned())
        };
        Programs {
            prodigal: said("prodigal", "-v", "Prodigal V"),
            aragorn: said("aragorn", "-h", "ARAGORN v"),
        }
    }

    /// For `corpus.json`.
    pub(super) fn versions(&self) -> BTreeMap<String, String> {
        let one = |name: &str, version: &Option<String>| {
            version.as_ref().map(|version| (name.to_owned(), version.clone()))
        };
        [one("prodigal", &self.prodigal), one("aragorn", &self.aragorn)]
            .into_iter()
            .flatten()
            .collect()
    }

    pub(super) fn any(&self) -> bool {
        self.prodigal.is_some() || self.aragorn.is_some()
    }
}

/// Predicts the genes of one file's sequences and writes them to `to`, as GFF3.
pub(super) fn predict(
    programs: &Programs,
    records: &[Record],
    code: u8,
    to: &Path,
    watch: &mut dyn Watch,
) -> Result<(), Error> {
    let failed = |source| Error::File { action: "write annotation", path: to.into(), source };
    let scratch = Scratch::new(to).map_err(failed)?;
    let fasta = scratch.folder.join("sequences.fa");
    let mut text = String::new();
    for (idx, record) in records.iter().enumerate() {
        // Names of our own: the programs cut or change some.
        let _ = write!(text, ">s{idx}\n{}\n", String::from_utf8_lossy(&record.sequence));
    }
    std::fs::write(&fasta, text).map_err(failed)?;
    let mut gff = String::from("##gff-version 3\n");
    if let Some(version) = &programs.prodigal {
        let out = scratch.folder.join("prodigal.gff");
        let n_bases: usize = records.iter().map(|record| record.sequence.len()).sum();
        let mut command = Command::new("prodigal");
        command.arg("-q").args(["-f", "gff"]).arg("-i").arg(&fasta).arg("-o").arg(&out);
        if n_bases < LEARNABLE_BASES {
            command.args(["-p", "meta"]);
        } else {
            command.args(["-p", "single", "-g", &code.to_string()]);
        }
        run("prodigal", command, watch)?;
        let said = std::fs::read_to_string(&out).map_err(failed)?;
        let _ = writeln!(gff, "# predicted by Prodigal {version}");
        let rows = said.lines().filter(|line| !line.starts_with('#'));
        for (idx, columns) in rows.filter_map(|line| ours(line.split_once('\t')?)) {
            let Some(record) = records.get(idx) else { continue };
            let _ = writeln!(gff, "{}\t{columns}", record.name);
        }
    }
    if let Some(version) = &programs.aragorn {
        let out = scratch.folder.join("aragorn.txt");
        let mut command = Command::new("aragorn");
        // Linear: a gene over the end of what is written is no place in it.
        command.args(["-t", "-m", "-l", "-w"]).arg(format!("-gc{code}"));
        command.arg("-o").arg(&out).arg(&fasta);
        run("aragorn", command, watch)?;
        let said = std::fs::read_to_string(&out).map_err(failed)?;
        let _ = writeln!(gff, "# predicted by ARAGORN {version}");
        aragorn_rows(&said, records, &mut gff);
    }
    let partial = to.with_extension("partial");
    std::fs::write(&partial, gff).map_err(failed)?;
    std::fs::rename(&partial, to).map_err(failed)
}

/// The number in our name of a sequence, and the rest.
fn ours<'a>((name, rest): (&str, &'a str)) -> Option<(usize, &'a str)> {
    Some((name.strip_prefix('s')?.parse().ok()?, rest))
}

/// ARAGORN's list as rows of GFF: `>s0`, `89 genes found`, `1 tRNA-Ile c[225381,225457] 35 (gat)`.
fn aragorn_rows(said: &str, records: &[Record], gff: &mut String) {
    let mut record = None;
    for line in said.lines() {
        if let Some(name) = line.strip_prefix(">s") {
            let name = name.split_whitespace().next();
            record = name.and_then(|idx| records.get(idx.parse::<usize>().ok()?));
            continue;
        }
        let mut words = line.split_whitespace();
        let (Some(number), Some(what), Some(place)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let (strand, place) = match place.strip_prefix('c') {
            Some(place) => ('-', place),
            None => ('+', place),
        };
        let place = place.strip_prefix('[').and_then(|place| place.strip_suffix(']'));
        let Some((first, last)) = place.and_then(|place| place.split_once(',')) else { continue };
        let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) else {
            continue;
        };
        let kind = if what.starts_with("tmRNA") { "tmRNA" } else { "tRNA" };
        let Some(record) = record else { continue };
        if number.parse::<usize>().is_ok() && first >= 1 && first <= last {
            let name = &record.name;
            let _ = writeln!(
                gff,
                "{name}\tARAGORN\t{kind}\t{first}\t{last}\t.\t{strand}\t.\tName={what}"
            );
        }
    }
}

/// Runs a program to its end, or to the user's wish to stop.
fn run(program: &'static str, mut command: Command, watch: &mut dyn Watch) -> Result<(), Error> {
    let failed = |reason: String| Error::Program { program, reason };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    loop {
        match child.try_wait().map_err(|error| failed(error.to_string()))? {
            // It hears the same Ctrl-C as we do, and ends by it.
            _ if watch.stopped() => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Error::Interrupted);
            }
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(failed(format!("it ended with {status}"))),
            None => std::thread::sleep(PERIOD),
        }
    }
}

/// A folder that goes with what was in it.
struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    fn new(beside: &Path) -> std::io::Result<Scratch> {
        let folder = beside.with_extension(format!("scratch-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Scratch { folder })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is in nobody's way.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aragorn_s_list_becomes_rows_under_the_sequences_own_names() {
        let record = |name: &str| Record {
            name: name.to_owned(),
            description: None,
            sequence: b"ACGT".to_vec(),
        };
        let said = ">s0\n2 genes found\n1   tRNA-Ile               [21,97]\t35  \t(gat)\n\
            2   tmRNA  c[100,460]\t90,125\tANDENYALAA**\n>s1\n1 gene found\n\
            1   tRNA-Ala  c[-3,70]\t34\t(tgc)\n>end \t2 sequences\n";
        let mut gff = String::new();
        aragorn_rows(said, &[record("gi|1|"), record("b")], &mut gff);
        let want = "gi|1|\tARAGORN\ttRNA\t21\t97\t.\t+\t.\tName=tRNA-Ile\n\
                    gi|1|\tARAGORN\ttmRNA\t100\t460\t.\t-\t.\tName=tmRNA\n";
        assert_eq!(gff, want);
    }
}
