"""From the bytes of one file to its facts as bytes: all that the cache keeps and a second process sends."""

import hashlib
import sys
import zlib
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from ..ast_facts import ast_record
from ..facts import Level, Record
from ..readable import UnreadableError, parse_any

LEVELS: tuple[Level, ...] = ("ast", "cst")
MAX_RECORD = 64 << 20
"""Bytes: no file that is read at all has a record as large; a compressed one in a foreign cache may say anything."""
READERS = ("ast_facts.py", "cst_facts.py", "facts.py", "flows.py", "readable.py", "syntax.py", "index/analysis.py")
"""The sources that decide what a record holds."""


def analyse(level: Level, data: bytes) -> bytes:
    """The packed record of a content, or the packed reason why there is none."""
    try:
        if level == "ast":
            found = ast_record(*parse_any(data))
        else:
            from ..cst_facts import cst_record
            from ..syntax import parse_cst

            found = cst_record(parse_cst(data))
        return pack(found)
    except UnreadableError as error:
        return pack(str(error))
    except RecursionError:
        return pack("nested too deep to be visited")


def pack(found: Record | str) -> bytes:
    return zlib.compress(
        Record.dump(found) if isinstance(found, Record) else b"!" + found.encode("utf-8", "replace"), 1
    )


def unpack(packed: bytes) -> Record | str:
    """What `pack` was given. Raises: ValueError for anything that is not its work."""
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(packed, MAX_RECORD)
        if not inflate.eof:
            raise ValueError("cut off, or larger than any record")
        return data[1:].decode() if data[:1] == b"!" else Record.load(data)
    except (zlib.error, TypeError, RecursionError) as error:
        raise ValueError(f"not a record: {error}") from error


@lru_cache
def analyser(level: Level) -> str:
    """The version of what makes records: another one after any change to the readers, Python or libcst."""
    home = Path(__file__).parent.parent
    made_by = hashlib.sha256(f"{sys.version_info[:2]} {version('libcst') if level == 'cst' else ''}".encode())
    for name in READERS:
        made_by.update((home / name).read_bytes())
    return f"{level}-{made_by.hexdigest()[:16]}"
