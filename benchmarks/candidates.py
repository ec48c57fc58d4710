"""What a thousand candidates cost, each an edit of one function: made by the operators, committed, listed, diffed.

    python benchmarks/candidates.py [--quick]

The repository is the source of an installed dependency (optuna: some 220 files, 40,000 lines), committed on the spot. A
fixed sample of its functions gets four edits each, by four operators. Counted is the CPU of this process and of every
child it started, git included, from the first edit to the last diff; not counted is the copy of the base commit, made once. The disk
is what the trusted clone grew by, in whole blocks. Beside it, on a sample, scaled to as many: the same edits with all of
the file parsed by libcst, and candidates made by `git worktree add`, a written file, `git add` and `git commit`. Last
line on stdout: one JSON object.
"""

import argparse
import ast
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import optuna

from branchlab.agent.operators import OPERATORS, Operator
from branchlab.agent.operators.apply import apply_edits
from branchlab.agent.proposal import Edit
from branchlab.agent.syntax import parse_cst
from branchlab.targets.checkout import Checkout, NewCommit
from branchlab.targets.target import read_target

N = 1000
BATCH = 100
"""Candidates committed together: a proposer's ideas arrive in handfuls, a tuner's one by one."""
MANIFEST = """
name = "study"
repo = "{repo}"
editable = ["**/*.py"]
[steps]
train = ["python", "train.py", "--out", "{{out}}"]
[metric]
name = "accuracy"
direction = "maximize"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smaller sample of the two slow ways")
    sample = 5 if parser.parse_args().quick else 20
    with tempfile.TemporaryDirectory(prefix="branchlab-candidates-") as folder:
        print(json.dumps(measure(Path(folder), sample)))


def measure(folder: Path, sample: int) -> dict[str, float]:
    user = make_repository(folder / "user")
    (folder / "target.toml").write_text(MANIFEST.format(repo=user))
    with Checkout.open(read_target(folder / "target.toml"), folder / "home") as checkout:
        sources = checkout.tree(checkout.base)
        edits = list(edits_of(sources, N))
        say(f"{len(edits)} edits of {len({(e.file, e.symbol) for e in edits})} functions in {len(sources)} files")
        disk, spent = blocks_mb(checkout.git_dir), cpu_seconds()
        changes = [apply_edits(sources, [edit]) for edit in edits]
        edited = cpu_seconds() - spent
        say(f"edited: {edited:.2f} CPU s")
        commits = commit_all(checkout, changes)
        listed = checkout.candidates("bench")
        diffs = checkout.diffs([(checkout.base, commit) for commit in commits])
        checkout.close()  # a child's time is known once it has ended
        cpu = cpu_seconds() - spent
        grown = blocks_mb(checkout.git_dir) - disk
        assert sorted(listed.values()) == sorted(commits)
        assert len(set(commits)) == N
        assert all(diff.count("diff --git ") == 1 for diff in diffs)
    say(f"committed, listed, diffed: {cpu - edited:.2f} CPU s, {grown:.1f} MB")
    whole = whole_file_cpu(sources, edits[:: N // sample]) * N / sample
    say(f"the same edits, all of the file by libcst: {whole:.0f} CPU s")
    naive_cpu, naive_mb = worktrees(user, folder / "trees", changes[:sample])
    say(f"by git worktree add: {naive_cpu * N / sample:.0f} CPU s, {naive_mb * N / sample:.0f} MB, edits not counted")
    return {
        "n": N, "cpu_s": round(cpu, 2), "disk_mb": round(grown, 2), "edit_cpu_s": round(edited, 2),
        "git_cpu_s": round(cpu - edited, 2), "whole_file_edit_cpu_s": round(whole, 1),
        "worktree_cpu_s": round(naive_cpu * N / sample, 1), "worktree_mb": round(naive_mb * N / sample, 1),
    }  # fmt: skip


def make_repository(folder: Path) -> Path:
    source = Path(str(optuna.__file__)).parent
    shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "-m", "base")):
        git(folder, *words)
    return folder


def edits_of(sources: Mapping[str, bytes], count: int) -> Iterator[Edit]:
    """`count` edits, four for each function, functions in a fixed random order."""
    places = [place for file in sorted(sources) if file.endswith(".py") for place in functions(file, sources[file])]
    random.Random(0).shuffle(places)  # noqa: S311 (a sample, no secret)
    for file, symbol, anchor in places[: count // 4]:
        yield Edit("insert_statement", file, symbol, {"code": "state = None", "where": "first"})
        yield Edit("replace_statement", file, symbol, {"anchor": anchor, "code": "state = 1"})
        yield Edit("wrap_in_with", file, symbol, {"anchor": anchor, "context": "state()"})
        yield Edit("add_decorator", file, symbol, {"decorator": "state"})


def functions(file: str, data: bytes) -> list[tuple[str, str, str]]:
    """File, name and last statement of every function of a name of its own that has a block and says that statement once."""
    found = []
    lines = data.decode().split("\n")

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                last, first = ast.unparse(child.body[-1]), child.body[0]
                said = [ast.unparse(one) for one in ast.walk(child) if isinstance(one, ast.stmt)].count(last)
                own_lines = not lines[first.lineno - 1][: first.col_offset].strip()
                if isinstance(child, ast.FunctionDef):
                    usable = own_lines and said == 1 and "\n" not in last
                    found.append((file, prefix + child.name, last if usable else ""))
                walk(child, f"{prefix}{child.name}.")

    walk(ast.parse(data), "")
    names = [name for _, name, _ in found]
    return [place for place in found if place[2] and names.count(place[1]) == 1]


def commit_all(checkout: Checkout, changes: Sequence[Mapping[str, bytes]]) -> list[str]:
    new = [NewCommit(change, f"Candidate {i}", f"refs/branchlab/bench/{i}") for i, change in enumerate(changes)]
    return [
        commit
        for start in range(0, len(new), BATCH)
        for commit in checkout.commit_all(checkout.base, new[start : start + BATCH])
    ]


def whole_file_cpu(sources: Mapping[str, bytes], edits: Sequence[Edit]) -> float:
    start = cpu_seconds()
    for edit in edits:
        after = python_operator(edit).apply(parse_cst(sources[edit.file]), edit.symbol, edit.arguments).bytes
        ast.parse(after)
    return cpu_seconds() - start


def python_operator(edit: Edit) -> Operator:
    operator = OPERATORS[edit.operator]
    assert hasattr(operator, "apply")
    return operator


def worktrees(user: Path, folder: Path, changes: Sequence[Mapping[str, bytes]]) -> tuple[float, float]:
    """CPU seconds and MB of so many candidates by `git worktree add`."""
    folder.mkdir()
    disk, start = blocks_mb(user), cpu_seconds()
    for i, change in enumerate(changes):
        tree = folder / str(i)
        git(user, "worktree", "add", "--quiet", "-b", f"candidate-{i}", str(tree))
        for path, data in change.items():
            (tree / path).write_bytes(data)
        git(tree, "add", "--all")
        git(tree, "commit", "--quiet", "-m", f"Candidate {i}")
    return cpu_seconds() - start, blocks_mb(user) - disk + blocks_mb(folder)


def git(folder: Path, *words: str) -> None:
    names = {f"GIT_{who}_{what}": "bench@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = {**os.environ, **names, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "-c", "gc.auto=0", *words], cwd=folder, env=env, check=True)


def cpu_seconds() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def blocks_mb(folder: Path) -> float:
    return sum(path.lstat().st_blocks for path in (folder, *folder.rglob("*"))) * 512 / 1e6


def say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
