//! From files of sequences to a corpus.
//!
//! Bases go to `NAME.bases.partial`; the index is written when all are there, and then the folder is a
//! corpus. The same command after an interruption begins again, but predicts no genes twice.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::annotate::{self, Programs};
use super::{Bases, GENIC, Index, Input, List, Sequence, Source, Species, Split, VERSION, hex};
use crate::annotation::{Feature, Strand, genbank, gff};
use crate::error::Error;
use crate::fasta;

/// Who looks on.
pub trait Watch {
    /// Something that the user should know.
    fn note(&mut self, line: &str);
    /// A malformed record: `Ok` goes on without it.
    ///
    /// # Errors
    /// The same error, to stop.
    fn malformed(&mut self, error: Error) -> Result<(), Error>;
    /// A file is done.
    fn advance(&mut self, n_bases: usize);
    /// Whether the user wants to stop.
    fn stopped(&mut self) -> bool;
}

/// Builds a corpus in a folder, or finds that it is there already.
///
/// # Errors
/// If a file cannot be read or written, a record is malformed and the watcher does not go on, a
/// sequence is in two splits, or the folder holds another corpus.
pub fn build(
    list: &List,
    folder: &Path,
    programs: &Programs,
    watch: &mut dyn Watch,
) -> Result<Index, Error> {
    let digests = digests(list, watch)?;
    let digest = digest_of(list, &digests, programs);
    if folder.join("corpus.json").exists() {
        let index = Index::load(folder)?;
        if index.digest == digest {
            watch.note("this corpus is built already");
            return Ok(index);
        }
        return Err(Error::Corpus {
            action: "build corpus",
            path: folder.to_owned(),
            reason: "another corpus is there, of other files or settings".to_owned(),
        });
    }
    let kept = folder.join("annotation");
    std::fs::create_dir_all(&kept).map_err(failed("make folder", &kept))?;
    let mut writer = Writer::open(folder)?;
    for (idx, species) in list.species.iter().enumerate() {
        for input in &species.files {
            if watch.stopped() {
                return Err(Error::Interrupted);
            }
            let key = &digests[&input.path][..16];
            let cache = PathBuf::from("annotation").join(format!("{key}-{}.gff", species.code));
            let file = read(input, species.code, programs, folder, &cache, watch)?;
            writer.add(idx, species.split, input, file, watch)?;
        }
    }
    writer.finish(folder, list, digest, programs)
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> Error + 'a {
    move |source| Error::File { action, path: path.to_owned(), source }
}

/// SHA-256 of every file.
fn digests(list: &List, watch: &mut dyn Watch) -> Result<BTreeMap<PathBuf, String>, Error> {
    let mut digests = BTreeMap::new();
    for input in list.species.iter().flat_map(|species| &species.files) {
        for path in [Some(&input.path), input.annotation.as_ref()].into_iter().flatten() {
            if watch.stopped() {
                return Err(Error::Interrupted);
            }
            let failed = failed("open sequences", path);
            let mut file = File::open(path).map_err(&failed)?;
            let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
            loop {
                let n = file.read(&mut buffer).map_err(&failed)?;
                if n == 0 {
                    break;
                }
                digest.update(&buffer[..n]);
            }
            digests.insert(path.clone(), hex(&digest.finalize()));
        }
    }
    Ok(digests)
}

/// Of all that the corpus depends on.
fn digest_of(list: &List, digests: &BTreeMap<PathBuf, String>, programs: &Programs) -> String {
    let mut text = format!("{VERSION}\n{:?}\n", programs.versions());
    for species in &list.species {
        let (name, split, tag, code) = (&species.name, species.split, &species.tag, species.code);
        text += &format!("{name}\t{split:?}\t{tag:?}\t{code}\n");
        for input in &species.files {
            let annotation = input.annotation.as_ref().map_or("", |path| &digests[path]);
            text += &format!("{}\t{annotation}\n", digests[&input.path]);
        }
    }
    hex(&Sha256::digest(text))
}

/// What one file holds.
struct Sequences {
    records: Vec<fasta::Record>,
    features: Vec<Feature>,
    source: Source,
    /// Where predicted ones are kept.
    kept: Option<PathBuf>,
}

fn read(
    input: &Input,
    code: u8,
    programs: &Programs,
    folder: &Path,
    cache: &Path,
    watch: &mut dyn Watch,
) -> Result<Sequences, Error> {
    let mut file =
        Sequences { records: Vec::new(), features: Vec::new(), source: Source::None, kept: None };
    let is_genbank = genbank::is_genbank(&input.path)?;
    if is_genbank {
        for record in genbank::Reader::open(&input.path)? {
            match record {
                Ok(genbank::Record { name, description, sequence, features, .. }) => {
                    let description = Some(description).filter(|text| !text.is_empty());
                    file.records.push(fasta::Record { name, description, sequence });
                    file.features.extend(features);
                }
                Err(error @ Error::Record { .. }) => watch.malformed(error)?,
                Err(error) => return Err(error),
            }
        }
        file.source = Source::Genbank;
    } else {
        for record in fasta::Reader::open(&input.path)? {
            match record {
                Ok(record) => file.records.push(record),
                Err(error @ Error::Record { .. }) => watch.malformed(error)?,
                Err(error) => return Err(error),
            }
        }
    }
    let mut names: Vec<&str> = file.records.iter().map(|record| record.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let reason = format!("two sequences are called `{}`", pair[0]);
        return Err(Error::Corpus { action: "build corpus", path: input.path.clone(), reason });
    }
    let annotation = if let Some(path) = &input.annotation {
        file.source = Source::Gff;
        path.clone()
    } else if !is_genbank && programs.any() && !file.records.is_empty() {
        let path = folder.join(cache);
        if !path.exists() {
            annotate::predict(programs, &file.records, code, &path, watch)?;
        }
        file.source = Source::Predicted;
        file.kept = Some(cache.to_owned());
        path
    } else {
        return Ok(file);
    };
    file.features.clear();
    for feature in gff::Reader::open(&annotation)? {
        match feature {
            Ok(feature) => file.features.push(feature),
            Err(error @ Error::Record { .. }) => watch.malformed(error)?,
            Err(error) => return Err(error),
        }
    }
    let of_these = |feature: &Feature| names.binary_search(&feature.sequence.as_str()).is_ok();
    if let Some(first) = file.features.first().filter(|_| !file.features.iter().any(of_these)) {
        let reason = format!(
            "its features lie in other sequences, such as `{}`; there are `{}`",
            first.sequence,
            names.join("`, `").chars().take(100).collect::<String>()
        );
        return Err(Error::Corpus { action: "build corpus", path: annotation, reason });
    }
    Ok(file)
}

/// The folder being filled.
struct Writer {
    files: BTreeMap<Split, (PathBuf, BufWriter<File>, Sha256, usize)>,
    sequences: Vec<Sequence>,
    /// Sequences by digest.
    seen: BTreeMap<String, (Split, String)>,
}

impl Writer {
    fn open(folder: &Path) -> Result<Writer, Error> {
        let mut files = BTreeMap::new();
        for split in Split::ALL {
            let path = folder.join(format!("{}.partial", split.file()));
            let file = File::create(&path).map_err(failed("write corpus", &path))?;
            files.insert(split, (path, BufWriter::new(file), Sha256::new(), 0));
        }
        Ok(Writer { files, sequences: Vec::new(), seen: BTreeMap::new() })
    }

    fn add(
        &mut self,
        species: usize,
        split: Split,
        input: &Input,
        file: Sequences,
        watch: &mut dyn Watch,
    ) -> Result<(), Error> {
        let Sequences { records, features, source, kept } = file;
        let mut by_name: BTreeMap<&str, Vec<&Feature>> = BTreeMap::new();
        for feature in &features {
            by_name.entry(&feature.sequence).or_default().push(feature);
        }
        let name = input.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let wrong =
            |reason| Error::Corpus { action: "build corpus", path: input.path.clone(), reason };
        for record in records {
            let mut bytes = letters(record.sequence);
            let (mut starts, mut reverse_starts) = (Vec::new(), Vec::new());
            let sha256 = hex(&Sha256::digest(bytes.to_ascii_uppercase()));
            if let Some((other, same)) = self.seen.get(&sha256) {
                let both = format!("`{}` is the same sequence as `{same}`", record.name);
                if *other != split {
                    let (one, other) = (split.name(), other.name());
                    return Err(wrong(format!("{both}, and one is in {one}, one in {other}")));
                }
                watch.note(&format!("left out: {both}: {}", input.path.display()));
                continue;
            }
            self.seen.insert(sha256.clone(), (split, record.name.clone()));
            for feature in by_name.get(record.name.as_str()).into_iter().flatten() {
                for part in &feature.parts {
                    let genic = bytes.get_mut(part.clone()).ok_or_else(|| {
                        let (name, n) = (&record.name, feature.span().end);
                        wrong(format!("a feature ends at {n}, after the end of `{name}`"))
                    })?;
                    genic.iter_mut().for_each(|byte| *byte |= GENIC);
                }
                match feature.start() {
                    Some(at) if feature.strand == Strand::Reverse => reverse_starts.push(at),
                    Some(at) => starts.push(at),
                    None => {}
                }
            }
            for starts in [&mut starts, &mut reverse_starts] {
                starts.sort_unstable();
                starts.dedup();
            }
            let count = |of: fn(u8) -> bool| bytes.iter().filter(|byte| of(**byte)).count();
            let (path, writer, digest, n_before) =
                self.files.get_mut(&split).expect("every split has a file");
            let sequence = Sequence {
                name: record.name,
                description: record.description,
                species,
                file: name.clone(),
                offset: *n_before,
                n_bases: bytes.len(),
                n_genic: count(|byte| byte & GENIC != 0),
                n_lower: count(|byte| (byte & !GENIC).is_ascii_lowercase()),
                n_other: count(|byte| !b"ACGT".contains(&(byte & !GENIC).to_ascii_uppercase())),
                annotation: source,
                features: kept.clone(),
                sha256,
                starts,
                reverse_starts,
            };
            writer.write_all(&bytes).map_err(failed("write corpus", path))?;
            digest.update(&bytes);
            *n_before += bytes.len();
            watch.advance(bytes.len());
            self.sequences.push(sequence);
        }
        Ok(())
    }

    fn finish(
        self,
        folder: &Path,
        list: &List,
        digest: String,
        programs: &Programs,
    ) -> Result<Index, Error> {
        let mut splits = BTreeMap::new();
        for (split, (path, mut writer, sha256, n_bases)) in self.files {
            let written = writer.flush().and_then(|()| writer.get_ref().sync_all());
            let to = folder.join(split.file());
            written
                .and_then(|()| std::fs::rename(&path, &to))
                .map_err(failed("write corpus", &to))?;
            splits.insert(split, Bases { n_bases, sha256: hex(&sha256.finalize()) });
        }
        let predicted = |sequence: &Sequence| sequence.annotation == Source::Predicted;
        let programs = if self.sequences.iter().any(predicted) {
            programs.versions()
        } else {
            BTreeMap::new()
        };
        let species = list.species.iter().map(|species| Species {
            name: species.name.clone(),
            split: species.split,
            tag: species.tag.clone(),
            code: species.code,
        });
        let index = Index {
            version: VERSION,
            tetrad: env!("CARGO_PKG_VERSION").to_owned(),
            programs,
            digest,
            splits,
            species: species.collect(),
            sequences: self.sequences,
        };
        let path = folder.join("corpus.json");
        let text = serde_json::to_string_pretty(&index).expect("plain data is JSON") + "\n";
        runs::write_atomic(&path, text.as_bytes()).map_err(|error| Error::Corpus {
            action: "build corpus",
            path: path.clone(),
            reason: error.to_string(),
        })?;
        Ok(index)
    }
}

/// Letters as they are kept: U as T, gaps as N, and lower case only where there is upper case too: a
/// file all in lower case marks no repeats.
fn letters(mut sequence: Vec<u8>) -> Vec<u8> {
    let marks_repeats = sequence.iter().any(|base| b"ACGTU".contains(base));
    for base in &mut sequence {
        *base = match *base {
            b'U' => b'T',
            b'u' => b't',
            letter if letter.is_ascii_alphabetic() => letter,
            _ => b'N',
        };
        if !marks_repeats {
            base.make_ascii_uppercase();
        }
    }
    sequence
}
