//! Lists the players' data files, so that a new file is a new player.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let root = std::env::var("CARGO_MANIFEST_DIR").map_err(std::io::Error::other)?;
    let out = std::env::var("OUT_DIR").map_err(std::io::Error::other)?;
    let mut code = String::new();
    for (name, folder) in [("HONEST", "honest"), ("CHEATS", "cheat")] {
        let folder = Path::new(&root).join("players").join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files: Vec<_> = std::fs::read_dir(&folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        code.push_str(&format!(
            "/// Players in `players/{}`.\nconst {name}: &[&str] = &[\n",
            folder.file_name().unwrap_or_default().display()
        ));
        for file in files {
            code.push_str(&format!("    include_str!({:?}),\n", file));
        }
        code.push_str("];\n");
    }
    std::fs::write(Path::new(&out).join("players.rs"), code)
}
