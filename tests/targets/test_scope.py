"""What globs mean, and the target whose files overlap."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.targets.errors import TargetError
from branchlab.targets.scope import check_scope, matches
from branchlab.targets.target import ALWAYS_PROTECTED, Target


@pytest.mark.parametrize(
    ("path", "glob", "meant"),
    [
        ("train.py", "*.py", True),
        ("pkg/train.py", "*.py", False),
        ("pkg/train.py", "**/*.py", True),
        ("train.py", "**/*.py", True),
        ("a/b/c.py", "a/**/c.py", True),
        ("a/c.py", "a/**/c.py", True),
        ("a/b/c.py", "a/*/c.py", True),
        ("a/b/b/c.py", "a/*/c.py", False),
        ("src/a.py", "src/**", True),
        ("src", "src/**", False),
        ("src/a/b.py", "src", True),
        ("src/a/b.py", "src/", True),
        ("srcs/a.py", "src", False),
        ("a1.py", "a[0-9].py", True),
        ("ab.py", "a[!0-9].py", True),
        ("a/b", "a[!x]b", False),
        ("a+b.py", "a+b.py", True),
        ("aab.py", "a+b.py", False),
        ("a\nb.py", "*.py", True),
        ("[x", "[x", True),
        ("train.py", "", False),
        ("a", "?", True),
        ("a^", "a[^]", True),
    ],
)
def test_globs(path: str, glob: str, meant: bool) -> None:
    assert matches(path, [glob]) is meant


def test_an_exclamation_mark_takes_files_out() -> None:
    globs = ["src/**", "!src/evaluate.py", "!src/data"]
    assert matches("src/train.py", globs)
    assert not matches("src/evaluate.py", globs)
    assert not matches("src/data/load.py", globs)


@pytest.mark.parametrize(
    "path",
    [
        ".gitattributes",
        "a/.gitmodules",
        ".github/workflows/ci.yml",
        "tests/conftest.py",
        "pyproject.toml",
        "a/x.pth",
        "__pycache__/train.cpython-311.pyc",
        "a/__pycache__/b/x.py",
        "a/model.pyc",
        "usercustomize.py",
        "pkg/pytest.ini",
    ],
)
def test_what_steers_the_interpreter_is_always_protected(path: str) -> None:
    assert matches(path, ALWAYS_PROTECTED)


def test_ordinary_code_is_not() -> None:
    assert not any(
        matches(path, ALWAYS_PROTECTED) for path in ("train.py", "a/gitlab.py", "digits.py", "requirements.py")
    )


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_glob_is_a_question_with_an_answer(path: str, glob: str) -> None:
    assert matches(path, [glob]) in (True, False)


@given(st.from_regex(r"[a-z.\-+()]{1,8}(/[a-z.\-+()]{1,8}){0,3}", fullmatch=True))
def test_a_plain_name_means_itself(path: str) -> None:
    if "." not in path.split("/"):
        assert matches(path, [path])
        assert not matches(f"x{path}", [path])


def target(**keys: object) -> Target:
    plain = {"name": "study", "steps": {"train": ["python"]}, "metric": {"name": "a", "direction": "maximize"}}
    return Target.model_validate({**plain, "editable": ["*.py"], **keys})


FILES = ("train.py", "evaluate.py", "data/labels/a.csv", "data/labels/b.csv", "data/inputs.csv")


def splits(labels: str) -> dict[str, dict[str, str]]:
    return {name: {"inputs": "repo:data/inputs.csv", "labels": labels} for name in ("search", "confirm", "sealed")}


def test_sets_apart_are_fine() -> None:
    check_scope(target(protected=["evaluate.py"], editable=["*.py", "!evaluate.py"]), FILES)


def test_editable_and_protected_overlap() -> None:
    with pytest.raises(TargetError, match=r"both editable and protected.*found evaluate.py.*!evaluate.py"):
        check_scope(target(protected=["evaluate.py"]), FILES)


def test_editable_matches_nothing() -> None:
    with pytest.raises(TargetError, match=r"editable matches nothing.*some of 5 files.*found \*\.rs"):
        check_scope(target(editable=["*.rs"]), FILES)
    with pytest.raises(TargetError, match="editable matches nothing"):
        check_scope(target(), ())


def test_labels_in_the_repository_must_be_hidden() -> None:
    with pytest.raises(TargetError, match=r"splits.search.labels: candidates would see these labels.*a\.csv.*hidden"):
        check_scope(target(splits=splits("repo:data/labels")), FILES)
    with pytest.raises(TargetError, match=r"found data/labels/b\.csv"):
        check_scope(target(splits=splits("repo:data/labels"), hidden=["data/labels/a.csv"]), FILES)
    check_scope(target(splits=splits("repo:data/labels"), hidden=["data/labels"]), FILES)


def test_data_of_the_repository_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="data: no such path in the base commit; found data/train"):
        check_scope(target(data="repo:data/train"), FILES)
