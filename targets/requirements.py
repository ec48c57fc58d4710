"""What a target's dependency files ask for: pip's requirement files and `project.dependencies` of a pyproject.toml.

The files are a stranger's. Only lines that say everything about themselves are taken: a path in the repository, an
editable install, a variable of the environment or an unknown option is refused, since the environment's key would not
cover it.
"""

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement

from .errors import TargetError

Read = Callable[[str], bytes | None]
"""Content of a file of the repository by its path; None when there is no such file."""

INCLUDES = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
PLACES = frozenset({"-i", "--index-url", "--extra-index-url", "-f", "--find-links"})
SWITCHES = frozenset({"--no-index", "--pre", "--prefer-binary", "--require-hashes"})
FORMATS = frozenset({"--only-binary", "--no-binary"})
REMOTE = ("https://", "http://", "git+https://", "git+http://")
COMMENT = re.compile(r"(?:^|(?<!\s)\s+)#.*$")
LONGEST = 4096
"""Characters of one requirement, its hashes left aside: no real one is near it, and parsers are slow on longer ones."""
HASH = re.compile(r"--hash(=|\s+)[a-z0-9]+:[0-9a-fA-F]+")
VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
MOST_BYTES = 1_000_000
MOST_FILES = 50
LOCKS = {
    "uv.lock": "uv export --frozen --no-emit-project -o requirements.txt",
    "poetry.lock": "poetry export -o requirements.txt",
    "pdm.lock": "pdm export -o requirements.txt",
    "Pipfile.lock": "pipenv requirements > requirements.txt",
    "pylock.toml": "export it as a requirements.txt",
    "environment.yml": "name an interpreter that has it all: `python` of [environment]",
}
"""Formats that are not read, and the way to one that is."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What to install. `files` and `roots` are what pip is given."""

    files: Mapping[str, str]
    """Requirement files by their path in the repository, those they include among them, without comments. That of a
    pyproject.toml holds its `project.dependencies` alone: the rest of it is not about the environment."""
    roots: tuple[str, ...]
    """The files to install from, in order."""
    sources: frozenset[str]
    """The files of the repository that were read."""
    lines: tuple[str, ...]
    """Every requirement, hashes left out."""
    special: tuple[str, ...] = field(default=())
    """Lines that could make pip run the code of a package although only wheels were asked for, or fetch from a place
    the host did not name."""


def is_supported(path: str) -> bool:
    """Whether a file of that name is read; see `LOCKS` for some that are not."""
    name = PurePosixPath(path).name
    return name == "pyproject.toml" or name.endswith((".txt", ".in"))


def collect(names: Sequence[str], read: Read) -> Requirements:
    """What the named files of the repository, and those they include, ask for.

    Raises: TargetError for the first file that is missing or line that cannot be used, in one line: file, line, fix.
    """
    return _Reader(read).all(names)


class _Reader:
    def __init__(self, read: Read) -> None:
        self._read = read
        self._files: dict[str, str] = {}
        self._sources: set[str] = set()
        self._lines: list[str] = []
        self._special: list[str] = []

    def all(self, names: Sequence[str]) -> Requirements:
        roots = tuple(self._take(name, "environment.requirements", counted=True) for name in names)
        return Requirements(self._files, roots, frozenset(self._sources), tuple(self._lines), tuple(self._special))

    def _take(self, path: str, asked_by: str, *, counted: bool) -> str:
        """Reads a file and what it includes; its name in `files`."""
        if path in self._sources:
            return path if path in self._files else f"{path}.txt"
        if len(self._sources) >= MOST_FILES:
            raise TargetError("too many dependency files", wanted=f"at most {MOST_FILES}", where=asked_by)
        data = self._read(path)
        if data is None:
            raise TargetError("no such file in this commit", found=path, where=asked_by)
        if len(data) > MOST_BYTES:
            raise TargetError("too large", wanted=f"at most {MOST_BYTES} bytes", found=str(len(data)), where=path)
        self._sources.add(path)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise TargetError("not UTF-8 text", where=path) from None
        name = path
        if PurePosixPath(path).name == "pyproject.toml":
            name, text = f"{path}.txt", _dependencies(path, text)
        lines = list(_logical_lines(text))
        self._files[name] = ""  # before it is read: files may include each other
        for number, line in lines:
            self._line(path, f"{path}:{number}", line, counted=counted)
        # What was looked at is what pip gets: its own reading of comments and continued lines cannot differ.
        self._files[name] = "".join(f"{line}\n" for _, line in lines)
        return name

    def _line(self, path: str, where: str, line: str, *, counted: bool) -> None:
        if VARIABLE.search(line):
            raise TargetError("a build has no variables", found=line, where=where, fix="write the value itself")
        if line.startswith("-"):
            self._option(path, where, line, counted=counted)
            return
        text, *options = re.split(r"(?<!\s)\s+(?=--)", line)
        if unknown := [option for option in options if not HASH.fullmatch(option)]:
            raise TargetError("option not taken here", wanted="--hash only", found=unknown[0], where=where)
        if len(text) > LONGEST:
            raise TargetError(
                "not a requirement", wanted=f"at most {LONGEST} characters", found=str(len(text)), where=where
            )
        try:
            parsed = Requirement(text)
            remote = parsed.url
        except InvalidRequirement as error:
            if not text.startswith(REMOTE):
                _refuse(text, where, str(error))
            remote = text
        if remote:
            if not remote.startswith(REMOTE):
                _refuse(remote, where, "")
            self._special.append(line)
        if counted:
            self._lines.append(text)

    def _option(self, path: str, where: str, line: str, *, counted: bool) -> None:
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise TargetError("not a line of a requirement file", found=f"{line}: {error}", where=where) from None
        option, _, value = words[0].partition("=")
        if option[:2] in ("-r", "-c", "-i", "-f") and option[2:] and not option.startswith("--"):
            option, value = option[:2], words[0][2:]
        values = [*([value] if value else []), *words[1:]]
        if option in SWITCHES and not values:
            return
        if option in ("-e", "--editable"):
            _refuse(line, where, "")
        if len(values) != 1 or option not in {*INCLUDES, *PLACES, *FORMATS}:
            known = ", ".join(sorted({*INCLUDES, *PLACES, *FORMATS, *SWITCHES}))
            raise TargetError("option not taken here", wanted=f"one of {known}", found=line, where=where)
        if option in INCLUDES:
            included = _beside(path, values[0], where)
            if included.endswith(".toml"):
                raise TargetError("not a requirement file", wanted="a .txt or .in file", found=included, where=where)
            self._take(included, where, counted=counted and INCLUDES[option] == "-r")
        elif option in PLACES and not values[0].startswith(("https://", "http://")):
            fix = "a folder of packages is named to pip itself: PIP_FIND_LINKS"
            raise TargetError("a place outside this file", wanted="a URL", found=values[0], where=where, fix=fix)
        elif option in PLACES or option == "--no-binary" or ":none:" in values[0].split(","):
            self._special.append(line)


def _refuse(text: str, where: str, why: str) -> None:
    if why and not re.match(r"[-./\\~]|file:", text) and "/" not in text:
        raise TargetError("not a requirement", wanted="NAME, or NAME with versions", found=text, where=where)
    raise TargetError(
        "only packages of an index or a URL are installed", found=text, where=where,
        fix="leave it out: the repository's own code is found by `path` of [environment]",
    )  # fmt: skip


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number of the first physical line, and the line: continuations joined, comments and blank lines left out."""
    joined, first = "", 0
    for number, line in enumerate([*text.splitlines(), ""], 1):
        first = first or number
        comment = COMMENT.match(line)
        if line.endswith("\\") and not comment:
            joined += line[:-1]
            continue
        whole = COMMENT.sub("", joined + " " * bool(comment) + line).strip()
        if whole:
            yield first, whole
        joined, first = "", 0


def _beside(path: str, included: str, where: str) -> str:
    """The path of an included file, which is relative to the file that names it."""
    parts: list[str] = list(PurePosixPath(path).parent.parts)
    for part in PurePosixPath(included).parts:
        if part == "..":
            if not parts:
                raise TargetError("outside the repository", found=included, where=where)
            parts.pop()
        else:
            parts.append(part)
    if included.startswith("/") or "://" in included:
        raise TargetError("not a file of the repository", found=included, where=where)
    return "/".join(parts)


def _dependencies(path: str, text: str) -> str:
    try:
        project = tomllib.loads(text).get("project")
    except tomllib.TOMLDecodeError as error:
        raise TargetError("not valid TOML", found=str(error), where=path) from None
    found = project.get("dependencies") if isinstance(project, dict) else None
    if not isinstance(found, list) or not all(isinstance(line, str) and line.isprintable() for line in found):
        dynamic = project.get("dynamic", []) if isinstance(project, dict) else []
        fault = "they are dynamic" if "dependencies" in dynamic else json.dumps(found, default=str)
        raise TargetError("no list of dependencies", wanted="project.dependencies", found=fault, where=path)
    return "".join(f"{line}\n" for line in found)
