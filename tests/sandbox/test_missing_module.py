"""A run that lacks a package says which, and the line to add; what only looks like one is not called a dependency."""

import sys
from pathlib import Path

import pytest

from branchlab.sandbox.environments import find
from branchlab.sandbox.missing_module import advice, distribution_of, missing_module
from branchlab.targets.target import Environment

TRACE = 'Traceback (most recent call last):\n  File "/work/train.py", line 1, in <module>\n    import x\n'
LISTED = Environment(requirements=("deps/requirements.txt",))


def log(module: str, ending: str = "") -> str:
    return f"epoch 1\n{TRACE}ModuleNotFoundError: No module named '{module}'{ending}\n"


@pytest.mark.parametrize(
    ("text", "module"),
    [
        (log("tensorboard"), "tensorboard"),
        (log("cv2", "; 'cv2' is not a package"), "cv2"),
        (log("a.b"), "a.b"),
        (log("first") + log("second"), "second"),
        ("pkg.errors.ImportError: No module named x\n", "x"),
        (log("gone") + "and it went on\n" * 60, ""),
        ("ModuleNotFoundError: No module named ''\n", ""),
        ("ModuleNotFoundError: No module named '../../etc'\n", ""),
        ("ModuleNotFoundError\n", ""),
        ("", ""),
    ],
)
def test_the_module_is_read_from_the_end_of_the_log(text: str, module: str) -> None:
    assert missing_module(text) == module


def test_a_distribution_is_known_or_said_to_be_a_guess() -> None:
    assert distribution_of("sklearn.svm") == ("scikit-learn", True)
    assert distribution_of("git") == ("GitPython", True)
    assert distribution_of("sqlalchemy") == ("SQLAlchemy", True)  # read from what is installed here
    assert distribution_of("some_thing") == ("some-thing", False)


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        (LISTED, "add the line `scikit-learn` to deps/requirements.txt"),
        (Environment(requirements=("pyproject.toml",)), "to project.dependencies of pyproject.toml"),
        (Environment(python="/opt/v/bin/python"), "`/opt/v/bin/python -m pip install scikit-learn`"),
        (Environment(), f"`{sys.executable} -m pip install scikit-learn`"),
    ],
)
def test_the_line_to_add_is_for_the_file_that_counts(environment: Environment, line: str, tmp_path: Path) -> None:
    said = advice(log("sklearn"), tmp_path, find(), environment)
    assert "lacks scikit-learn; " in said
    assert line in said


def test_a_module_of_the_tree_is_no_dependency(tmp_path: Path) -> None:
    (tmp_path / "src" / "models").mkdir(parents=True)
    (tmp_path / "src" / "models" / "net.py").touch()
    (tmp_path / "src" / "data.py").touch()
    for module, place in (("models.net", "src/models/"), ("data", "src/data.py")):
        said = advice(log(module), tmp_path, find(), LISTED)
        assert place in said
        assert "`path`" in said
        assert "requirements" not in said


def test_what_no_index_has_is_not_called_a_package(tmp_path: Path) -> None:
    for module in ("_tkinter", "imp", "asynchat"):
        assert "standard library" in advice(log(module), tmp_path, find(), LISTED)
    assert "another version of pytest" in advice(log("pytest.gone"), tmp_path, find(), LISTED)
    assert "a guess" in advice(log("nobody_knows_me"), tmp_path, find(), LISTED)
    assert advice("KeyError: 'x'\n", tmp_path, find(), LISTED) == ""
