"""Makes the root file system of a small image, out of this host's own files, for `podman import` or `docker import`:

    python tests/sandbox/container_image.py /tmp/image.tar && podman import /tmp/image.tar branchlab-test
    BRANCHLAB_CONTAINER_IMAGE=branchlab-test python -m pytest tests/sandbox/test_conformance.py

It holds a shell, a few programs, and the system libraries that the Python which runs this links to; Python itself is
bound into each container, as in a real run. No registry is asked for anything.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

PROGRAMS = ("sh", "true", "cat", "sleep")
LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
FOLDERS = ("dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/lib", "usr/lib64", "var")


def write(tar: Path) -> None:
    """Writes the file system as a tar file."""
    programs = [path for name in PROGRAMS if (path := shutil.which(name, path="/usr/bin:/bin"))]
    extensions = Path(sysconfig.get_config_var("DESTSHARED")).glob("*.so")
    files = {*programs, *_libraries([*programs, os.path.realpath(sys.executable), *map(str, extensions)])}
    with tarfile.open(tar, "w") as archive:
        for folder in FOLDERS:
            archive.addfile(_folder(folder))
        for name in LINKS:
            if os.path.islink(f"/{name}"):
                archive.add(f"/{name}", name, recursive=False)
        for path in sorted(files):
            # Through merged folders: /lib64/x is /usr/lib64/x, as the links above say.
            place = Path(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
            archive.add(os.path.realpath(path), str(place.relative_to("/")), recursive=False)


def _folder(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
    return entry


def _libraries(programs: list[str]) -> set[str]:
    """What the dynamic linker loads for them from the system's folders."""
    done = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False)
    found = re.findall(r"(?:=> )?(/\S+) \(0x", done.stdout)
    return {path for path in found if path.startswith(("/lib", "/usr/lib"))}


if __name__ == "__main__":
    write(Path(sys.argv[1]))
