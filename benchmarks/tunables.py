"""How well the search space that is read off code agrees with people's labels.

    python benchmarks/tunables.py [--quick] [--sources FOLDER] [--show]

`tunables/labels.csv` says of each literal that training reaches, in public repositories pinned in
`tunables/repositories.json`, whether a practitioner would hand it to a tuner (`yes`), must not or would not (`no`), or
cannot without editing other lines too, or may well leave it alone (`either`: counts neither for nor against).
`tunables/README.md` has the rules the labels follow. Repositories marked held out were labelled after the extractor's
rules were fixed.

Sources: below --sources, as `OWNER+NAME` (a git directory that holds the pinned commit, or a folder with one named
`repo`) or `NAME-VERSION.tar.gz`; otherwise git and pip fetch them. What cannot be had is named in `missing`. Last line
on stdout: one JSON object; `forbidden_found` counts found literals labelled seed, data, evaluation, logging or machine.
"""

import argparse
import csv
import json
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branchlab.agent.read import read_code
from branchlab.agent.tunables import find_tunables
from branchlab.agent.tuning_scope import entry_files
from branchlab.targets.target import Metric, Steps, Target
from branchlab.targets.tunable import Tunable

HERE = Path(__file__).parent / "tunables"
FORBIDDEN = {"seed", "data", "evaluation", "logging", "machine"}
READ = (".py", ".yaml", ".yml", ".toml", ".json")
MAX_BYTES = 400_000


@dataclass(frozen=True)
class Label:
    file: str
    line: int
    name: str
    value: str
    verdict: str
    kind: str


@dataclass(frozen=True)
class Measured:
    """Counts of one project."""

    held_out: bool
    wanted: int
    found: int
    right: int
    either: int
    same_range: int
    forbidden: int

    @property
    def precision(self) -> float:
        return self.right / max(1, self.found - self.either)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.wanted)


def labels() -> dict[str, list[Label]]:
    found: dict[str, list[Label]] = {}
    with (HERE / "labels.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            label = Label(row["file"], int(row["line"]), row["name"], row["value"], row["verdict"], row["kind"])
            found.setdefault(row["project"], []).append(label)
    return found


def sources_of(entry: Mapping[str, Any], sources: Path | None, scratch: Path) -> dict[str, bytes] | None:
    """The pinned files, read in memory; None when they cannot be had."""
    if "sdist" in entry:
        return _of_sdist(entry, sources, scratch)
    folder = (sources or scratch) / entry["repository"].replace("/", "+")
    places = [folder / "repo" / ".git", folder / "repo", folder / ".git", folder]
    git = next((place for place in places if (place / "HEAD").exists()), None)
    if git is None and sources is None:
        git = folder
        run(["git", "init", "--quiet", "--bare", str(git)])
        run(["git", f"--git-dir={git}", "fetch", "--quiet", "--depth", "1",
             f"https://github.com/{entry['repository']}", entry["commit"]])  # fmt: skip
    listed = run(["git", f"--git-dir={git}", "ls-tree", "-r", "-z", "--name-only", entry["commit"]]) if git else None
    if listed is None:
        return None
    names = [name for name in listed.decode().split("\0") if is_wanted(name, entry["only"])]
    texts = ((name, run(["git", f"--git-dir={git}", "show", f"{entry['commit']}:{name}"])) for name in names)
    return {name: text for name, text in texts if text is not None and len(text) <= MAX_BYTES}


def _of_sdist(entry: Mapping[str, Any], sources: Path | None, scratch: Path) -> dict[str, bytes] | None:
    folder = sources or scratch
    if sources is None:
        run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:",
             "--no-build-isolation", "--dest", str(folder), entry["sdist"]])  # fmt: skip
    path = folder / (entry["sdist"].replace("==", "-") + ".tar.gz")
    if not path.exists():
        return None
    found: dict[str, bytes] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            name = member.name.partition("/")[2]
            wanted = member.isfile() and member.size <= MAX_BYTES and is_wanted(name, entry["only"])
            if wanted and (stream := tar.extractfile(member)):
                found[name] = stream.read()
    return found


def is_wanted(name: str, only: Sequence[str]) -> bool:
    return name.endswith(READ) and name.startswith(tuple(only))


def run(command: Sequence[str]) -> bytes | None:
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    return done.stdout if done.returncode == 0 else None


def space(files: Mapping[str, bytes], train: Sequence[str]) -> tuple[Tunable, ...]:
    code = read_code("0" * 40, files, entry_files(train, files))
    metric = Metric(name="score", direction="maximize")
    return find_tunables(code, Target(name="t", steps=Steps(train=tuple(train)), metric=metric, editable=("**",)))


def measure(found: Iterable[Tunable], wanted: Sequence[Label], held_out: bool, show: bool) -> Measured:
    """A tunable and a label are the same when file, line and value are; each label is used once."""
    left = list(wanted)
    counts: Counter[str] = Counter()
    for one in found:
        counts["found"] += 1
        label = next((label for label in left if _same(label, one)), None)
        verdict = label.verdict if label else "no"
        counts[verdict] += 1
        if label:
            left.remove(label)
            counts["range"] += verdict == "yes" and label.kind == kind_of(one)
            counts["forbidden"] += verdict == "no" and label.kind in FORBIDDEN
        if show and (verdict == "no" or (verdict == "yes" and label and label.kind != kind_of(one))):
            why = label.kind if label else "not labelled"
            told = "wrongly found" if verdict == "no" else "another range"
            print(f"  {told}: {one.name}:{one.line} = {one.default!r} [{one.rule}] ({why})", file=sys.stderr)
    if show:
        for label in (label for label in left if label.verdict == "yes"):
            print(f"  missed: {label.file}:{label.line} {label.name} = {label.value} ({label.kind})", file=sys.stderr)
    total = sum(label.verdict == "yes" for label in wanted)
    return Measured(
        held_out, total, counts["found"], counts["yes"], counts["either"], counts["range"], counts["forbidden"]
    )


def _same(label: Label, one: Tunable) -> bool:
    if (label.file, label.line) != (one.file, one.line):
        return False
    if isinstance(one.default, bool | str):
        return label.value.lower() == str(one.default).lower()
    try:
        return float(label.value) == float(one.default)
    except ValueError:
        return False


def kind_of(one: Tunable) -> str:
    """The class of its range, as the labels name them."""
    if one.choices is not None and one.type in {"bool", "str"}:
        return "switch" if one.type == "bool" else "choice"
    if one.type == "int":
        return "duration" if one.rule.startswith("duration") else "size"
    if one.rule.startswith(("1 - x", "decay factor")):
        return "retention"
    return "scale" if one.log or one.rule.startswith(("regularisation", "coefficient")) else "fraction"


def shares(measured: Sequence[Measured]) -> dict[str, float | int]:
    right, wanted = sum(m.right for m in measured), sum(m.wanted for m in measured)
    found = sum(m.found - m.either for m in measured)
    return {
        "precision": round(right / max(1, found), 3),
        "recall": round(right / max(1, wanted), 3),
        "labelled": wanted,
        "right_range_class": round(sum(m.same_range for m in measured) / max(1, right), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the same: it takes seconds")
    parser.add_argument("--sources", type=Path, help="folder of sources; nothing is fetched then")
    parser.add_argument("--show", action="store_true", help="what was missed and what was wrongly found, on stderr")
    options = parser.parse_args()
    known, entries = labels(), json.loads((HERE / "repositories.json").read_text())
    measured: dict[str, Measured] = {}
    missing: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        for entry in entries:
            project = entry["project"]
            files = sources_of(entry, options.sources, Path(scratch))
            if files is None:
                missing.append(project)
                continue
            found = space(files, entry["train"])
            print(f"{project}{' (held out)' if entry['held_out'] else ''}", file=sys.stderr)
            one = measured[project] = measure(found, known[project], entry["held_out"], options.show)
            print(f"  found {one.found}, right {one.right} of {one.wanted}, precision {one.precision:.2f}, "
                  f"recall {one.recall:.2f}, either {one.either}, forbidden {one.forbidden}", file=sys.stderr)  # fmt: skip
    if not measured:
        parser.error(f"no sources could be had: {', '.join(missing)}")
    repositories = {e.get("repository") or e["sdist"] for e in entries if e["project"] in measured}
    result = {"repositories": len(repositories), "rows": sum(len(known[p]) for p in measured)}
    result |= shares(list(measured.values()))
    result["forbidden_found"] = sum(m.forbidden for m in measured.values())
    result["held_out"] = shares([m for m in measured.values() if m.held_out])
    result["missing"] = missing
    print(json.dumps(result))


if __name__ == "__main__":
    main()
