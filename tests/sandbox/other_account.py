"""Runs a script under the system's Python from a copy of the package that every account can reach."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
ORDINARY = 60321
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become other accounts")


@contextmanager
def package_copy() -> Iterator[Path]:
    """A folder that holds the package, for `python -c` started in it; pytest's own folders are closed to other users."""
    asked = [PYTHON, "-c", "import sys; print(sys.version_info >= (3, 11))"]
    if not os.path.exists(PYTHON) or subprocess.run(asked, capture_output=True, check=False).stdout.strip() != b"True":
        pytest.skip("needs a system Python 3.11 that an ordinary user can reach")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        (place / "branchlab").mkdir()
        (place / "branchlab" / "__init__.py").touch()
        for part in ("sandbox", "targets"):
            (place / "branchlab" / part).mkdir()
            for source in (REPOSITORY / part).glob("*.py"):
                (place / "branchlab" / part / source.name).write_bytes(source.read_bytes())
        yield place


def run(script: str, *arguments: str, uid: int = 0) -> str:
    """What the script prints, errors included, as that user."""
    with package_copy() as place:
        done = subprocess.run(
            [PYTHON, "-B", "-c", "import sys; sys.path.insert(0, '.')\n" + script, *arguments], cwd=place, user=uid,
            group=uid, extra_groups=[], env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=250, check=False,
        )  # fmt: skip
    return done.stdout
