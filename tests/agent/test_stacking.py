"""Edits that do not touch stand alone and merge in any order; those that do are stacked. Judged by git's own merge."""

import random
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pytest

from branchlab.agent.operators.apply import apply_edits
from branchlab.agent.proposal import Edit
from branchlab.agent.stacking import paths_of
from branchlab.targets.errors import OperatorError
from branchlab.targets.merging import merged

from ..project import git

TRAIN = b"""import math

RATE = 0.1


def first(x):
    a = x + 1
    return a


def second(x):
    b = x + 2
    return b


def third(x):
    c = x + 3
    return c
"""
SOURCES = {"train.py": TRAIN, "model.py": b"def net(x):\n    return x\n"}


def replace(file: str, symbol: str, anchor: str, code: str) -> tuple[Edit, ...]:
    return (Edit("replace_statement", file, symbol, {"anchor": anchor, "code": code}),)


FIRST = replace("train.py", "first", "a = x + 1", "a = x + 10")
THIRD = replace("train.py", "third", "c = x + 3", "c = x + 30")
NET = replace("model.py", "net", "return x", "return x * 2")
AGAIN = replace("train.py", "first", "a = x + 10", "a = x + 100")
NEXT = replace("train.py", "first", "return a", "return a * 2")


def paths(*links: Sequence[Edit], allowed=lambda _: True) -> tuple[tuple[int, ...], ...]:  # type: ignore[no-untyped-def]
    return paths_of(SOURCES, links, allowed)


def test_different_files_are_independent() -> None:
    assert paths(FIRST, NET) == ((0,), (1,))


def test_distant_places_of_one_file_are_independent() -> None:
    assert paths(FIRST, THIRD) == ((0,), (1,))


def test_neighbouring_lines_are_stacked_since_git_would_not_merge_them() -> None:
    assert paths(FIRST, NEXT) == ((0,), (0, 1))


def test_an_edit_of_an_edit_stands_on_it_and_on_nothing_else() -> None:
    assert paths(FIRST, NET, THIRD, AGAIN)[3] in ((0, 3), (0, 2, 3))
    assert paths(FIRST, NET, AGAIN) == ((0,), (1,), (0, 2))


def test_what_a_check_refuses_alone_stands_on_what_it_needs() -> None:
    """As an import of a name that another file's edit adds would."""

    def allowed(files) -> bool:  # type: ignore[no-untyped-def]
        return "model.py" not in files or b"x + 10" in files.get("train.py", b"")

    assert paths(THIRD, FIRST, NET, allowed=allowed) == ((0,), (1,), (1, 2))


def test_a_stack_goes_on() -> None:
    last = replace("train.py", "first", "return a * 2", "return a * 3")
    assert paths(FIRST, NEXT, last) == ((0,), (0, 1), (0, 1, 2))


def test_nothing_to_stack() -> None:
    assert paths() == ()


def edits_of_lines(rng: random.Random) -> list[tuple[Edit, ...]]:
    """Random edits of a module of many small functions."""
    links = []
    for n in range(4):
        where = rng.randrange(5)
        old, new = rng.choice([(f"a = {where}", f"a = {where} + {n}0"), (f"return a + {where}", f"return a - {n}")])
        links.append(replace("many.py", f"f{where}", old, new))
    return links


@pytest.mark.parametrize("seed", range(8))
def test_independent_branches_merge_in_every_order_and_make_the_winner(tmp_path: Path, seed: int) -> None:
    text = "".join(f"def f{n}():\n    a = {n}\n    return a + {n}\n\n\n" for n in range(5))
    sources = {"many.py": text.encode()}
    links: list[tuple[Edit, ...]] = []
    for link in edits_of_lines(
        random.Random(seed)
    ):  # as a run does: what does not apply to the best so far is no part of it
        try:
            whole = apply_edits(sources, [edit for part in [*links, link] for edit in part])
        except OperatorError:
            continue
        links.append(link)
    found = paths_of(sources, links, lambda _: True)
    tops = [path for path in found if not any(path != other and set(path) <= set(other) for other in found)]
    git(tmp_path, "init", "-q")
    (tmp_path / "many.py").write_bytes(sources["many.py"])
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "base")
    for path in tops:
        git(tmp_path, "checkout", "-q", "-b", f"b{path[-1]}", "main")
        files = apply_edits(sources, [edit for i in path for edit in links[i]])
        (tmp_path / "many.py").write_bytes(files["many.py"])
        git(tmp_path, "commit", "-qam", "edit")
    disjoint = len(tops) == len({i for path in tops for i in path}) or sum(map(len, tops)) == len(links)
    for order in list(permutations(tops))[:4] if disjoint else []:
        git(tmp_path, "checkout", "-q", "-B", "merged", "main")
        for path in order:
            git(tmp_path, "merge", "-q", "--no-edit", f"b{path[-1]}")
        assert (tmp_path / "many.py").read_bytes() == whole["many.py"]


def test_merged_is_what_git_makes_or_none() -> None:
    assert merged(b"a\nb\nc\n", b"A\nb\nc\n", b"a\nb\nC\n") == b"A\nb\nC\n"
    assert merged(b"a\nb\n", b"A\nb\n", b"X\nb\n") is None
    assert merged(b"a\0b", b"a\0c", b"a\0d") is None
