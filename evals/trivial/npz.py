"""Arrays of an npz file and back, without `numpy.load`: no pickle, and nothing is unpacked beyond a bound."""

import io
import math
import zipfile
import zlib
from typing import TYPE_CHECKING

from .errors import NotUnderstood

if TYPE_CHECKING:
    from .column import Array, Columns

MOST_ARRAYS = 100
PLAIN = "biufUS"
"""Kinds of dtype that are plain data; no object, no record, no date."""


def read_npz(data: bytes, most_bytes: int) -> "dict[str, Array]":
    """The arrays by name. Raises: NotUnderstood for anything that is not a small npz file of plain arrays."""
    found: dict[str, Array] = {}
    left = most_bytes
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MOST_ARRAYS:
                raise NotUnderstood(f"{len(members)} arrays in one npz file")
            for member in members:
                with archive.open(member) as file:
                    body = file.read(left + 1)
                if len(body) > left:
                    raise NotUnderstood(f"its arrays take more than {most_bytes} bytes")
                left -= len(body)
                found[member.filename.removesuffix(".npy")] = _array(body)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, RuntimeError) as error:
        raise NotUnderstood(f"not an npz file: {str(error)[:200]}") from None
    return found


def _array(body: bytes) -> "Array":
    import numpy as np
    from numpy.lib import format as npy

    file = io.BytesIO(body)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(file)
    if version not in readers:
        raise NotUnderstood("an array of an unknown version")
    shape, fortran, dtype = readers[version](file)
    values = body[file.tell() :]
    if dtype.hasobject or dtype.kind not in PLAIN or dtype.itemsize == 0:
        raise NotUnderstood(f"an array of {str(dtype)[:40]}")
    if any(side < 0 for side in shape) or math.prod(shape) * dtype.itemsize != len(values):
        raise NotUnderstood("an array whose header does not fit its bytes")
    return np.frombuffer(values, dtype).reshape(shape, order="F" if fortran else "C")


def write_npz(columns: "Columns") -> bytes:
    """The same arrays as an npz file that `numpy.load(..., allow_pickle=False)` reads."""
    import numpy as np
    from numpy.lib import format as npy

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, column in columns.items():
            with archive.open(f"{name}.npy", "w") as member:
                npy.write_array(member, np.asarray(column, order="C"), allow_pickle=False)
    return file.getvalue()
