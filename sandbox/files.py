"""Reads what hostile code wrote, and nothing else: no link is followed, no pipe is opened, nothing is read unbounded."""

import errno
import hashlib
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NoReturn

from ..targets.errors import ArtifactError
from .runner import Artifact, Limits

CHUNK = 1024 * 1024
DEEPEST_JSON = 32
# An open string runs to the end, so that each character is looked at once.
BRACKET_OR_STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
MB = 1024 * 1024
MOST_HASHED = 16 * 1024 * MB
"""Bytes of one run that are read for its list. A file of holes costs the run no disk, and would cost us hours."""
MOST_FILES = 20_000
"""Entries of one folder that are read: as many as `Limits.files` lets a run leave by default."""
FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_regular(root: Path, rel: str, max_bytes: int) -> int:
    """A descriptor, for reading, of a regular file with one name below `root`.

    Raises ArtifactError for a missing file, a link anywhere on the way, `..`, a pipe, a device, a second hard link, or
    more than `max_bytes`.
    """
    parts = PurePosixPath(rel).parts
    if not parts or rel.startswith("/") or ".." in parts or "\0" in rel:
        raise ArtifactError("not a path inside the folder", found=repr(rel))
    folder = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            inner = os.open(part, FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        # Without O_NONBLOCK the opening of a pipe waits for ever.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        descriptor = os.open(parts[-1], flags, dir_fd=folder)
    except OSError as error:
        raise ArtifactError("cannot be read", wanted="a regular file", found=error.strerror or "", where=rel) from None
    finally:
        os.close(folder)
    found = os.fstat(descriptor)
    fault = ""
    if not stat.S_ISREG(found.st_mode):
        fault = "something else"
    elif found.st_nlink != 1:
        fault = f"one with {found.st_nlink} names"
    elif found.st_size > max_bytes:
        fault = f"{found.st_size} bytes"
    if fault:
        os.close(descriptor)
        raise ArtifactError(
            "cannot be read", wanted=f"a regular file of at most {max_bytes} bytes", found=fault, where=rel
        )
    return descriptor


def read_regular(root: Path, rel: str, max_bytes: int) -> bytes:
    """The bytes of a regular file below `root`. Raises ArtifactError as `open_regular` does."""
    data = bytearray()
    with open(open_regular(root, rel, max_bytes), "rb", buffering=0) as file:
        # Read to one byte past the cap: the size may have been a lie, or the file may be growing.
        while chunk := file.read(min(CHUNK, max_bytes + 1 - len(data))):
            data += chunk
            if len(data) > max_bytes:
                raise ArtifactError("cannot be read", wanted=f"at most {max_bytes} bytes", found="more", where=rel)
    return bytes(data)


def strict_json(data: bytes) -> object:
    """The value of a JSON document in UTF-8 that has one meaning.

    Raises ArtifactError for NaN, infinities (`1e999` too), integers beyond 308 digits, duplicate keys, nesting deeper
    than 32, another encoding, and anything the grammar does not allow. Types are for the caller to check: `true` and
    `"0.99"` are valid here.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ArtifactError("not JSON", wanted="UTF-8", found="other bytes") from None
    _check_depth(text)
    try:
        return json.loads(
            text, parse_constant=_constant, parse_float=_float, parse_int=_integer, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        raise ArtifactError("not JSON", found=f"{error.msg} at byte {error.pos}") from None


def _check_depth(text: str) -> None:
    depth = 0
    for match in BRACKET_OR_STRING.finditer(text):
        if match[0] in "[{":
            depth += 1
            if depth > DEEPEST_JSON:
                raise ArtifactError("not usable JSON", wanted=f"nesting of at most {DEEPEST_JSON}")
        elif match[0] in "]}":
            depth -= 1


def _constant(name: str) -> NoReturn:
    raise ArtifactError("not usable JSON", wanted="finite numbers", found=name)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ArtifactError("not usable JSON", wanted="finite numbers", found=text[:40])
    return value


def _integer(text: str) -> int:
    # What does not fit a double cannot be compared with one, and 5,000 digits are an attack.
    if len(text) > 308:
        raise ArtifactError("not usable JSON", wanted="integers of at most 308 digits", found=f"{len(text)} digits")
    return int(text)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ArtifactError("not usable JSON", wanted="each key once", found="a key twice")
    return value


def regular_files(root: Path) -> Iterator[tuple[str, int]]:
    """Relative path and size of every regular file below `root`, in order of path; everything else is left out.

    Raises ArtifactError past 20,000 entries.
    """
    seen = 0
    for parent, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            seen += 1
            if seen > MOST_FILES:
                raise ArtifactError("too many files", wanted=f"at most {MOST_FILES}", where=str(root))
            path = os.path.join(parent, name)
            try:
                found = os.lstat(path)
            except OSError:
                continue  # a path longer than the kernel takes, or a folder that its owner shut
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                yield os.path.relpath(path, root), found.st_size


def list_artifacts(root: Path) -> tuple[Artifact, ...]:
    """Every regular file below `root` with its hash; one that cannot be read, has a name that is not text, or would
    make more than `MOST_HASHED` bytes, is left out."""
    found = []
    left = MOST_HASHED
    for rel, size in regular_files(root):
        if size > left:
            continue
        left -= size
        try:
            with open(open_regular(root, rel, size), "rb") as file:
                found.append(Artifact(rel, size, hashlib.file_digest(file, "sha256").hexdigest()))
            rel.encode()
        except ArtifactError:
            continue
        except UnicodeEncodeError:
            found.pop()
    return tuple(found)


def freeze(src: Path, dst: Path, limits: Limits) -> tuple[Artifact, ...]:
    """Copies the regular files below `src` into the new folder `dst`, read-only, and returns what was copied.

    The hashes are of the bytes that were copied, so what is judged later is what was hashed. Raises ArtifactError when
    they exceed the disk limit.
    """
    try:
        return _freeze(src, dst, limits)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise ArtifactError("a path too long to copy", found=f"{len(str(error.filename))} characters") from None


def _freeze(src: Path, dst: Path, limits: Limits) -> tuple[Artifact, ...]:
    dst.mkdir(parents=True)
    left = limits.disk_mb * MB
    found = []
    for rel, _ in regular_files(src):
        target = dst / rel
        target.parent.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        with open(open_regular(src, rel, left), "rb", buffering=0) as file, open(target, "xb") as copy:
            while chunk := file.read(CHUNK):
                size += len(chunk)
                if size > left:
                    raise ArtifactError("too large", wanted=f"{limits.disk_mb} MB in all", where=rel)
                digest.update(chunk)
                copy.write(chunk)
        target.chmod(0o444)
        left -= size
        found.append(Artifact(rel, size, digest.hexdigest()))
    return tuple(found)


def remove(folder: Path) -> None:
    """Deletes a folder that hostile code wrote in, folders without permissions included; what resists stays."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        for parent, folders, _ in os.walk(folder):
            for name in folders:
                if not Path(parent, name).is_symlink():
                    Path(parent, name).chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)
