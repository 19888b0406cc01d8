//! A folder of runs.

pub(crate) mod prune;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::lock::{self, Lock};
use crate::{Error, FormatVersion, Host, Manifest, Run, Source, Status, manifest, settings, stamp};

pub use prune::{Prune, Pruned};

/// Prefix of a run that is being made. It gets its name by a rename, once its manifest is on disk.
const UNBORN: &str = ".new-";
/// How often another id is tried when one is taken.
const N_TRIES: u32 = 16;

/// A folder of runs. Making one looks at nothing and writes nothing.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    source: Option<Source>,
    tetrad_version: String,
}

impl Store {
    /// The runs in `root`, which is made with the first run.
    ///
    /// # Errors
    /// When the working folder, to which a relative `root` belongs, is gone.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, Error> {
        let root = root.into();
        let root = std::path::absolute(&root).map_err(Error::io("find", root))?;
        let tetrad_version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Self { root, source: Source::of_build(), tetrad_version })
    }

    /// With another source revision in the manifests of new runs than the one that the build knew.
    #[must_use]
    pub fn with_source(mut self, source: Option<Source>) -> Self {
        self.source = source;
        self
    }

    /// Its folder, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Begins a run. On return its directory is there with a manifest that says `started`; before,
    /// there is nothing under its name.
    ///
    /// # Errors
    /// When a name is not lowercase letters, digits and dashes, the settings are not a struct or
    /// map, or the disk refuses.
    pub fn create<S: Serialize>(
        &self,
        noun: &str,
        verb: &str,
        settings: &S,
        seed: u64,
    ) -> Result<Run, Error> {
        for name in [noun, verb] {
            let fine =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if name.is_empty() || !name.bytes().all(fine) {
                let reason = "expected lowercase letters, digits and dashes".to_owned();
                return Err(Error::Value { what: format!("a run called `{name}`"), reason });
            }
        }
        let created = stamp::now();
        let mut manifest = Manifest {
            format_version: FormatVersion::CURRENT,
            id: String::new(),
            noun: noun.to_owned(),
            verb: verb.to_owned(),
            status: Status::Started,
            seed,
            settings_digest: settings::digest(settings)?,
            tetrad_version: self.tetrad_version.clone(),
            updated: created.clone(),
            created,
            finished: None,
            resumed: Vec::new(),
            source: self.source.clone(),
            host: Host::observe(),
            settings: settings::to_toml(settings)?,
            unknown: toml::Table::new(),
        };
        std::fs::create_dir_all(&self.root).map_err(Error::io("create", &self.root))?;
        for _ in 0..N_TRIES {
            manifest.id = format!("{}-{noun}-{verb}-{}", stamp::day(&manifest.created), short_id());
            if let Some(run) = self.give_birth(&manifest)? {
                return Ok(run);
            }
        }
        let what = format!("a run like `{}`", manifest.id);
        Err(Error::Value { what, reason: "every id tried is taken".to_owned() })
    }

    /// `None` when the id is taken.
    fn give_birth(&self, manifest: &Manifest) -> Result<Option<Run>, Error> {
        let folder = self.root.join(&manifest.id);
        let unborn = self.root.join(format!("{UNBORN}{}", manifest.id));
        match std::fs::create_dir(&unborn) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(None),
            other => other.map_err(Error::io("create", &unborn))?,
        }
        let lock = Lock::of(&unborn);
        lock.acquire()?;
        manifest.store(&unborn)?;
        // Renaming over a folder that is not empty fails: an id is never shared.
        let named = if folder.exists() {
            Err(std::io::ErrorKind::AlreadyExists.into())
        } else {
            std::fs::rename(&unborn, &folder)
        };
        if let Err(source) = named {
            std::fs::remove_dir_all(&unborn).map_err(Error::io("remove", &unborn))?;
            return match source.kind() {
                std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::DirectoryNotEmpty => {
                    Ok(None)
                }
                _ => Err(Error::io("create", &folder)(source)),
            };
        }
        crate::atomic::flush_folder(&self.root)?;
        Ok(Some(Run::assemble(folder.clone(), manifest.clone(), lock.moved(&folder))))
    }

    /// Takes up the newest run of the same noun, verb, settings and seed that did not come to its
    /// end and that nobody writes to, or begins one. Says whether it was taken up.
    ///
    /// # Errors
    /// As [`Store::create`], and when the store cannot be read.
    pub fn resume_or_create<S: Serialize>(
        &self,
        noun: &str,
        verb: &str,
        settings: &S,
        seed: u64,
    ) -> Result<(Run, bool), Error> {
        let digest = settings::digest(settings)?;
        for listed in self.list()? {
            let fits = listed.manifest.as_ref().is_some_and(|manifest| {
                manifest.noun == noun
                    && manifest.verb == verb
                    && manifest.seed == seed
                    && manifest.settings_digest == digest
                    && !manifest.status.is_final()
            });
            if !fits {
                continue;
            }
            let mut run = Run::open(&listed.path)?;
            match run.resume() {
                Ok(true) => return Ok((run, true)),
                Ok(false) | Err(Error::InUse { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((self.create(noun, verb, settings, seed)?, false))
    }

    /// Every run, newest first; those that cannot be read come last, with the reason.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        let mut listed = Vec::new();
        for (name, path) in self.folders()? {
            if name.starts_with('.') || !path.join(manifest::NAME).exists() {
                continue;
            }
            let in_use = lock::is_held(&path);
            let (manifest, problem) = match Manifest::load(&path) {
                Ok(manifest) => (Some(manifest), None),
                // A run that was pruned at this moment is not there, rather than broken.
                Err(_) if !path.exists() => continue,
                Err(error) => (None, Some(error.to_string())),
            };
            let state = state(manifest.as_ref().map(|manifest| manifest.status), in_use);
            listed.push(Listed { id: name, path, state, in_use, manifest, problem });
        }
        let age = |run: &Listed| run.manifest.as_ref().map(|manifest| manifest.created.clone());
        listed.sort_by(|one, other| (age(other), &other.id).cmp(&(age(one), &one.id)));
        Ok(listed)
    }

    /// Real folders in the root, with their names, in no order.
    fn folders(&self) -> Result<Vec<(String, PathBuf)>, Error> {
        let entries = match std::fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(Error::io("list", &self.root)(source)),
        };
        let mut folders = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("list", &self.root))?;
            // `file_type` does not follow links: a link to a folder elsewhere is not ours.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
            }
        }
        Ok(folders)
    }

    /// A run by its path, its id, the beginning of its id, its six hex digits or their beginning,
    /// or `latest`. It is open for reading.
    ///
    /// # Errors
    /// When none or several fit, or the one that fits cannot be read.
    pub fn find(&self, id_or_prefix_or_path: &str) -> Result<Run, Error> {
        let wanted = id_or_prefix_or_path;
        let listed = self.list()?;
        if let Some(exact) = listed.iter().find(|run| run.id == wanted) {
            return Run::open(&exact.path);
        }
        if Path::new(wanted).join(manifest::NAME).exists() {
            return Run::open(Path::new(wanted));
        }
        let short = |run: &Listed| run.id.rsplit('-').next().unwrap_or_default().to_owned();
        let mut fitting: Vec<&Listed> = match wanted {
            "" => Vec::new(),
            "latest" => listed.iter().take(1).collect(),
            _ => listed
                .iter()
                .filter(|run| run.id.starts_with(wanted) || short(run).starts_with(wanted))
                .collect(),
        };
        match fitting.len() {
            1 => Run::open(&fitting.remove(0).path),
            0 => Err(Error::NotFound { wanted: wanted.to_owned(), root: self.root.clone() }),
            _ => Err(Error::Ambiguous {
                wanted: wanted.to_owned(),
                candidates: fitting.into_iter().map(|run| run.id.clone()).collect(),
            }),
        }
    }
}

/// One run as [`Store::list`] finds it.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// Name of its folder.
    pub id: String,
    /// Its folder, absolute.
    pub path: PathBuf,
    /// The status in one word for people, which tells a running run from a crashed one:
    /// `running`, `crashed`, `unreadable`, or the manifest's status.
    pub state: &'static str,
    /// Whether a process holds its lock.
    pub in_use: bool,
    /// Its manifest, where it can be read.
    pub manifest: Option<Manifest>,
    /// Why not, where it cannot.
    pub problem: Option<String>,
}

/// See [`Listed`].
pub(crate) fn state(status: Option<Status>, in_use: bool) -> &'static str {
    match (status, in_use) {
        (None, _) => "unreadable",
        (Some(Status::Started), true) => "running",
        (Some(Status::Started), false) => "crashed",
        (Some(status), _) => status.name(),
    }
}

/// Six hex digits from the clock, the process and a counter. A collision is noticed and tried
/// again, so they need not be unique, only rarely the same.
fn short_id() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let from = format!("{} {} {count}", stamp::now(), std::process::id());
    settings::hex(&Sha256::digest(from.as_bytes())[..3])
}
