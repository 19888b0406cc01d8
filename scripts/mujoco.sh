#!/bin/sh
# libmujoco for the feature `mujoco` of crate `robot`, from its wheel on PyPI, and what to set.
#
#   eval "$(scripts/mujoco.sh [FOLDER])"        # FOLDER: target/mujoco
#   cargo test -p robot --features mujoco -- --ignored needs_libmujoco --nocapture
#
# The version is the one that mujoco-rs 7 binds; every other one is refused at run time.
set -eu
folder=${1:-$(dirname "$0")/../target/mujoco}
version=3.17.0
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if [ ! -e "$folder/libmujoco.so" ]; then
    python3 -m pip download --quiet --no-deps --dest "$folder/wheel" "mujoco==$version" >&2
    python3 - "$folder" "$version" <<'PYTHON' >&2
import pathlib, sys, zipfile
folder, version = pathlib.Path(sys.argv[1]), sys.argv[2]
[wheel] = (folder / "wheel").glob("mujoco-*.whl")
name = f"libmujoco.so.{version}"
(folder / name).write_bytes(zipfile.ZipFile(wheel).read(f"mujoco/{name}"))
(folder / "libmujoco.so").symlink_to(name)
wheel.unlink()
PYTHON
fi
echo "export MUJOCO_DYNAMIC_LINK_DIR='$folder'"
echo "export LD_LIBRARY_PATH='$folder'\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
