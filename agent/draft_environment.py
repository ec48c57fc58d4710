"""The part of a drafted target.toml that says what the code runs in."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..targets.errors import TargetError
from ..targets.requirements import collect
from .checks.installed import installed_modules

FILES = ("requirements.txt", "pyproject.toml")
"""Where a repository says what it needs, the most exact first."""


def environment_lines(foreign: Sequence[str], sources: Mapping[str, bytes]) -> Iterator[str]:
    """Lines on the packages the code imports: from a file of the repository when the Python that runs this lacks some."""
    if foreign:
        yield f"# SURE: the code imports {', '.join(foreign)}."
    lacking = [name for name in foreign if name not in installed_modules(Path(sys.executable))]
    for file in (file for file in FILES if lacking and file in sources):
        try:
            lines = collect([file], sources.get).lines
        except TargetError as error:
            yield f"# CHECK: an environment cannot be built from {file} as it is: {error}"
            continue
        if lines:
            yield f"# SURE: the Python that runs branchlab lacks {', '.join(lacking)}; {file} asks for {len(lines)} packages."
            yield "# CHECK: that it names all of them. The environment is built from it once, when the first run begins."
            yield f"requirements = [{json.dumps(file)}]"
            return
    yield "# CHECK: `python` names the interpreter that has them; without it the one that runs branchlab is used."
    yield '# python = "/path/to/your/venv/bin/python"'
