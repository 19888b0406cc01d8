//! What the sandbox sees of the file system: a new root in which only allow-listed paths exist.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use super::call;
use super::ids::{self, INSIDE};
use crate::policy::{Policy, SeedContent};

/// Devices that exist inside. Of these, only the first two may be written (see `landlock`).
pub(super) const DEVICES: [&str; 5] = ["null", "full", "zero", "random", "urandom"];

/// Attributes of every host path inside.
const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;

/// Where the private file system stands while it is filled; gone before the first command.
const STAGE: &str = "/.stage";

/// Files of `/proc` that say more about the machine than programs need.
const HIDDEN_IN_PROC: [&str; 7] = [
    "/proc/kallsyms",
    "/proc/keys",
    "/proc/key-users",
    "/proc/timer_list",
    "/proc/cmdline",
    "/proc/version_signature",
    "/proc/config.gz",
];

/// A failure, with the path it is about.
pub(super) type Failure = (PathBuf, io::Error);

fn at(path: &Path) -> impl FnOnce(io::Error) -> Failure + '_ {
    move |error| (path.to_owned(), error)
}

/// Host paths that the policy names, opened. Mount trees are copied as early as the process may:
/// root can do so before it gives up root, and then reaches folders that only root can enter.
#[derive(Debug)]
pub(super) struct Sources {
    trees: Vec<Tree>,
    /// Opened files of [`SeedContent::CopyOf`], by index of the seed.
    copies: Vec<Option<File>>,
}

#[derive(Debug)]
struct Tree {
    host: PathBuf,
    inside: PathBuf,
    content: Content,
    device: bool,
}

#[derive(Debug)]
enum Content {
    /// A link on the host whose target is visible inside anyway: the link is made again.
    Link(PathBuf),
    /// To be cloned.
    Pending { folder: bool },
    /// A detached mount tree.
    Cloned { folder: bool, tree: OwnedFd },
}

impl Sources {
    /// Opens what the policy names, with the rights that the process has at its start.
    pub(super) fn open(policy: &Policy) -> Result<Sources, Failure> {
        let binds = policy.read_only.iter().chain(&policy.sockets);
        let insides: Vec<&Path> = binds.clone().map(|bind| bind.inside.as_path()).collect();
        let mut trees = Vec::new();
        for bind in binds {
            let content = examine(&bind.host, &bind.inside, &insides).map_err(at(&bind.host))?;
            let (host, inside) = (bind.host.clone(), bind.inside.clone());
            trees.push(Tree { host, inside, content, device: false });
        }
        for name in DEVICES {
            let host = Path::new("/dev").join(name);
            let content = Content::Pending { folder: false };
            trees.push(Tree { inside: host.clone(), host, content, device: true });
        }
        let mut copies = Vec::new();
        for seed in &policy.seeds {
            copies.push(match &seed.content {
                SeedContent::CopyOf(host) => Some(File::open(host).map_err(at(host))?),
                _ => None,
            });
        }
        let mut sources = Sources { trees, copies };
        if ids::user() == 0 {
            // Where root may not mount (a container), the later attempt decides.
            let _ = sources.clone_trees();
        }
        Ok(sources)
    }

    /// Copies the mount trees that are not copied yet.
    pub(super) fn clone_trees(&mut self) -> Result<(), Failure> {
        for tree in &mut self.trees {
            if let Content::Pending { folder } = tree.content {
                let cloned = call::clone_tree(&tree.host).map_err(at(&tree.host))?;
                let attributes = if tree.device { libc::MOUNT_ATTR_NOSUID } else { READ_ONLY };
                call::restrict_tree(cloned.as_fd(), attributes).map_err(at(&tree.host))?;
                tree.content = Content::Cloned { folder, tree: cloned };
            }
        }
        Ok(())
    }
}

fn examine(host: &Path, inside: &Path, insides: &[&Path]) -> io::Result<Content> {
    let is_link = fs::symlink_metadata(host)?.file_type().is_symlink();
    if is_link && host == inside {
        let target = fs::read_link(host)?;
        let parent = inside.parent().unwrap_or(Path::new("/"));
        let absolute = parent.join(&target);
        if absolute != inside && insides.iter().any(|other| absolute.starts_with(other)) {
            return Ok(Content::Link(target));
        }
    }
    Ok(Content::Pending { folder: fs::metadata(host)?.is_dir() })
}

/// Builds the new root and enters it. Must run as the first process of the new pid namespace.
pub(super) fn build(policy: &Policy, sources: Sources) -> Result<(), Failure> {
    let root = Path::new("/");
    let base = Path::new("/tmp");
    call::mount("none", root, "", libc::MS_REC | libc::MS_PRIVATE, "").map_err(at(root))?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV;
    call::mount("tmpfs", base, "tmpfs", flags, "mode=0755,size=8m,nr_inodes=8192")
        .map_err(at(base))?;
    let proc = base.join("proc");
    fs::create_dir(&proc).map_err(at(&proc))?;
    // Allowed only while the old, fully visible /proc is still there.
    call::mount("proc", &proc, "proc", flags | libc::MS_NOEXEC, "")
        .map_err(at(Path::new("/proc")))?;
    std::env::set_current_dir(base).map_err(at(base))?;
    call::pivot_here().map_err(at(root))?;
    fill(policy, sources)
}

fn fill(policy: &Policy, sources: Sources) -> Result<(), Failure> {
    skeleton(policy)?;
    let folders = stage_folders(policy)?;
    let Sources { trees, copies } = sources;
    let mut places: Vec<(PathBuf, Content)> = folders;
    places.extend(trees.into_iter().map(|tree| (tree.inside, tree.content)));
    // Outer folders first: what lies in them is attached on top. The sort is stable.
    places.sort_by_key(|(inside, _)| inside.components().count());
    for (inside, content) in places {
        place(&inside, content).map_err(at(&inside))?;
    }
    for (seed, copy) in policy.seeds.iter().zip(copies) {
        plant(&seed.path, &seed.content, copy, seed.mode).map_err(at(&seed.path))?;
    }
    let empty = Path::new("/.empty");
    fs::create_dir(empty).map_err(at(empty))?;
    let nothing = Path::new("/.nothing");
    File::create(nothing).map_err(at(nothing))?;
    for masked in policy.masked.iter().filter(|masked| masked.exists()) {
        let over = if masked.is_dir() { empty } else { nothing };
        cover(over, masked).map_err(at(masked))?;
    }
    for hidden in HIDDEN_IN_PROC.iter().map(Path::new).filter(|hidden| hidden.exists()) {
        cover(nothing, hidden).map_err(at(hidden))?;
    }
    call::detach(Path::new(STAGE)).map_err(at(Path::new(STAGE)))?;
    // What covers other paths stays mounted there; nobody needs the names.
    fs::remove_dir(STAGE).map_err(at(Path::new(STAGE)))?;
    fs::remove_dir(empty).map_err(at(empty))?;
    fs::remove_file(nothing).map_err(at(nothing))?;
    call::seal_root().map_err(at(Path::new("/")))
}

/// Folders, links and small files of the new root itself.
fn skeleton(policy: &Policy) -> Result<(), Failure> {
    for folder in ["/dev", "/etc", "/dev/shm", "/run", "/var/tmp", STAGE] {
        fs::create_dir_all(folder).map_err(at(Path::new(folder)))?;
    }
    let links = [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")];
    for (name, ending) in links {
        let path = Path::new("/dev").join(name);
        symlink(format!("/proc/self/fd{ending}"), &path).map_err(at(&path))?;
    }
    let name = policy.env.get("USER").map_or("player", String::as_str);
    let home = policy.env.get("HOME").map_or("/", String::as_str);
    let files = [
        ("/etc/passwd", format!("{name}:x:{INSIDE}:{INSIDE}::{home}:/bin/sh\n")),
        ("/etc/group", format!("{name}:x:{INSIDE}:\n")),
        ("/etc/hosts", format!("127.0.0.1 localhost {}\n", policy.host_name)),
        ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n".to_owned()),
    ];
    for (path, text) in files {
        fs::write(path, text).map_err(at(Path::new(path)))?;
    }
    Ok(())
}

/// Mounts the private file system and makes one folder in it for each private folder.
fn stage_folders(policy: &Policy) -> Result<Vec<(PathBuf, Content)>, Failure> {
    let stage = Path::new(STAGE);
    let options = format!("mode=0755,size={},nr_inodes=65536", policy.limits.folder_bytes);
    call::mount("tmpfs", stage, "tmpfs", libc::MS_NOSUID | libc::MS_NODEV, &options)
        .map_err(at(stage))?;
    let mut folders = Vec::new();
    for (idx, inside) in policy.folders.iter().enumerate() {
        let path = stage.join(idx.to_string());
        fs::create_dir(&path).map_err(at(inside))?;
        let shared = inside.ends_with("tmp") || inside.ends_with("shm");
        let mode = if shared { 0o1777 } else { 0o755 };
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(at(inside))?;
        let tree = call::clone_tree(&path).map_err(at(inside))?;
        folders.push((inside.clone(), Content::Cloned { folder: true, tree }));
    }
    Ok(folders)
}

fn place(inside: &Path, content: Content) -> io::Result<()> {
    if !inside.is_absolute() || inside.components().any(|part| part == Component::ParentDir) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "path inside is not absolute"));
    }
    if let Some(parent) = inside.parent() {
        fs::create_dir_all(parent)?;
    }
    match content {
        Content::Link(target) => symlink(target, inside),
        Content::Pending { .. } => Err(io::Error::other("host path was not opened")),
        Content::Cloned { folder, tree } => {
            if folder {
                fs::create_dir_all(inside)?;
            } else if !inside.exists() {
                File::create(inside)?;
            }
            call::attach_tree(tree.as_fd(), inside)
        }
    }
}

fn plant(path: &Path, content: &SeedContent, copy: Option<File>, mode: u32) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match (content, copy) {
        (SeedContent::Link(target), _) => return symlink(target, path),
        (SeedContent::Folder, _) => fs::create_dir_all(path)?,
        (SeedContent::Bytes(bytes), _) => fs::write(path, bytes)?,
        (SeedContent::CopyOf(_), Some(mut source)) => {
            io::copy(&mut source, &mut File::create(path)?)?;
        }
        (SeedContent::CopyOf(_), None) => return Err(io::Error::other("seed was not opened")),
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Hides `path` under another, read-only.
fn cover(over: &Path, path: &Path) -> io::Result<()> {
    let tree = call::clone_tree(over)?;
    call::restrict_tree(tree.as_fd(), READ_ONLY)?;
    call::attach_tree(tree.as_fd(), path)
}
