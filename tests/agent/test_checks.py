"""The cheap questions, each asked of changes that should pass, changes that should not, and hostile ones."""

import sys
from pathlib import Path

import pytest

from branchlab.agent.checks import CHECKS, Change
from branchlab.agent.checks.installed import installed_modules
from branchlab.evals.trial import Verdict
from branchlab.targets.target import Metric, Steps, Target

TARGET = Target(
    name="t",
    steps=Steps(train=("python", "train.py")),
    metric=Metric(name="accuracy", direction="maximize"),
    editable=("*.py", "pkg/**", "*.yaml"),
    protected=("evaluate.py",),
    hidden=("secret.py",),
)
REST = {
    "train.py": b"import json\nfrom pkg.model import Net\nx = 1\n",
    "evaluate.py": b"import numpy\n",
    "pkg/__init__.py": b"",
    "pkg/model.py": b"class Net:\n    pass\n\n\ndef make():\n    return Net()\n",
    "pkg/run.py": b"from . import model\nfrom .model import make\n",
}


def asked(check: str, file: str, after: bytes | None, before: bytes | None = b"") -> Verdict:
    before = REST.get(file, before)
    tree = {**REST, file: after} if after is not None else {f: d for f, d in REST.items() if f != file}
    return CHECKS[check].judge(TARGET, Change({file: before}, {file: after}, tree))


HOSTILE = [
    b"def f(:\n",
    b"x = 1\0",
    b"\xff\xfe\x00",
    b"# -*- coding: nonsense -*-\n",
    b"x = " + b"(" * 5000 + b"1" + b")" * 5000,
    b"x = (\n" + b"a and\n" * 50_000 + b"a)\n",
    b"x = (\n" + b"'a'\n" * 50_000 + b")\n",
    b"x = " + b"-" * 60_000 + b"1",
    b"x = 1\n" * 400_000,
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_python_is_a_failed_verdict_in_one_line(data: bytes) -> None:
    verdict = asked("parses", "new.py", data)
    assert not verdict.passed
    assert "\n" not in verdict.reason
    for check in CHECKS.values():
        assert isinstance(check.judge(TARGET, Change({"new.py": b"x"}, {"new.py": data}, {"new.py": data})), Verdict)


@pytest.mark.parametrize(
    "data",
    [
        b"a: [1, 2",
        b"\xff",
        b"a: " + b"[" * 5000 + b"]" * 5000,
        b"x0: &a [1]\n" + b"\n".join(b"x%d: [*a, *a, *a]" % i for i in range(1, 90)),
        b"a: !!python/object/apply:os.system [echo]",
        b"{" * 200_000,
    ],
)
def test_hostile_configuration_is_a_failed_verdict(data: bytes) -> None:
    assert not asked("parses", "c.yaml", data).passed
    assert not asked("parses", "c.json", b"[" * 100_000).passed


def test_what_parses() -> None:
    assert asked("parses", "train.py", b"x: int = 1  # caf\xc3\xa9\r\n").passed
    assert asked("parses", "c.yaml", b"a: 1\n").passed
    assert asked("parses", "README.md", b"\xff\xfe").passed


@pytest.mark.parametrize("file", ["train.py", "pkg/model.py", "pkg/deep/x.py", "c.yaml"])
def test_editable_files_are_in_scope(file: str) -> None:
    assert asked("in_scope", file, b"y = 2\n").passed


@pytest.mark.parametrize(
    "file",
    ["evaluate.py", "data/x.csv", "conftest.py", "pkg/conftest.py", "sitecustomize.py", "pkg/x.pth", "setup.py", "secret.py",
     "../train.py", "/train.py", "pkg/../evaluate.py", "./train.py", "pkg//model.py", ".git/hooks/x.py", "pkg/.GIT/config",
     "pkg\\model.py", "pkg/\x1b.py", "", "target.toml"],
)  # fmt: skip
def test_everything_else_is_not(file: str) -> None:
    verdict = asked("in_scope", file, b"y = 2\n")
    assert not verdict.passed
    assert verdict.gate == "in_scope"


def test_a_file_that_did_not_change_is_no_change() -> None:
    assert not asked("in_scope", "train.py", REST["train.py"]).passed


def test_deleting_a_protected_file_is_out_of_scope() -> None:
    assert not asked("in_scope", "evaluate.py", None).passed


@pytest.mark.parametrize(
    "after",
    [
        b"# new\nimport json\nfrom pkg.model import Net\n\n\nx = 1\n",
        b'"""About it."""\nimport json\nfrom pkg.model import Net\nx = 1\n',
        b"import json\nfrom pkg.model import Net\nx = (1)\n",
        b"import json\nfrom pkg.model import Net\nx = 0x1\n",
    ],
)
def test_comments_space_and_documentation_have_no_effect(after: bytes) -> None:
    before = (
        REST["train.py"].replace(b"import json", b'"""Old."""\nimport json')
        if after.startswith(b'"')
        else REST["train.py"]
    )
    change = Change({"train.py": before}, {"train.py": after}, {})
    assert not CHECKS["effect"].judge(TARGET, change).passed


@pytest.mark.parametrize(
    "after", [b"x = 2\n", b"x = 1.0\n", b"import json\nfrom pkg.model import Net\nx = 1\nx += 0\n"]
)
def test_code_has_an_effect(after: bytes) -> None:
    assert asked("effect", "train.py", after).passed


def test_a_docstring_that_is_a_prompt_has_an_effect() -> None:
    text = b'"""Answer the question from the context you are given. Extract the list of names and return JSON."""'
    before = {"p.py": b'def f():\n    """Old words."""\n'}
    assert CHECKS["effect"].judge(TARGET, Change(before, {"p.py": b"def f():\n    " + text + b"\n"}, {})).passed


def test_configuration_has_an_effect_when_a_value_moves() -> None:
    assert asked("effect", "c.yaml", b"lr: 2\n", b"lr: 1\n").passed
    assert not asked("effect", "c.yaml", b"# why\nlr:   1\n", b"lr: 1\n").passed


@pytest.mark.parametrize(
    "line",
    [
        b"import os, sys",
        b"import libcst.matchers as m",
        b"from pkg import model",
        b"from pkg.model import make",
        b"import pkg.model",
        b"from __future__ import annotations",
        b"try:\n    import nothing_like_it\nexcept ImportError:\n    pass",
        b"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import nothing_like_it",
        b"from pkg.model import *",
    ],
)
def test_imports_that_resolve(line: bytes) -> None:
    verdict = asked("imports", "train.py", line + b"\n")
    assert verdict.passed, verdict.reason


@pytest.mark.parametrize(
    "line",
    [
        b"import nothing_like_it",
        b"from nothing_like_it.deep import x",
        b"from pkg import nothing_like_it",
        b"from pkg.model import Nett",
        b"import pkg.modell",
        b"def f():\n    import nothing_like_it",
        b"from . import nothing_like_it",
        b"from .... import x",
    ],
)
def test_imports_that_do_not(line: bytes) -> None:
    verdict = asked("imports", "train.py", line + b"\n")
    assert not verdict.passed
    assert "train.py:" in verdict.reason


def test_an_import_that_never_resolved_is_not_the_edit_s_fault() -> None:
    change = Change({"a.py": b"import nothing_like_it\n"}, {"a.py": b"import nothing_like_it\nx = 1\n"}, {})
    assert CHECKS["imports"].judge(TARGET, change).passed


def test_taking_away_what_another_file_imports_is_found() -> None:
    verdict = asked("imports", "pkg/model.py", b"class Net:\n    pass\n")
    assert not verdict.passed
    assert "pkg/run.py:2" in verdict.reason


def test_installed_modules_are_read_without_running_anything(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    for name in ("alpha", "gamma-1.0.dist-info", "not-a-name"):
        (site / name).mkdir(parents=True)
    ran = tmp_path / "ran"
    (site / "beta.py").write_text(f"open({str(ran)!r}, 'w')")
    (site / "delta.cpython-311-x86_64-linux-gnu.so").touch()
    (site / "gamma-1.0.dist-info/top_level.txt").write_text("gamma\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/epsilon.py").touch()
    (site / "more.pth").write_text(f"import os; open({str(ran)!r}, 'w')\n{tmp_path / 'elsewhere'}\n")
    (tmp_path / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin/python"
    python.write_text(f"#!/bin/sh\ntouch {ran}\n")
    python.chmod(0o755)
    names = installed_modules(python)
    assert {"alpha", "beta", "gamma", "delta", "epsilon", "json", "sys"} <= names
    assert not names & {"not-a-name", "numpy", "zeta"}
    assert not ran.exists()


def test_this_interpreter_has_its_packages() -> None:
    assert {"libcst", "pytest", "numpy"} <= installed_modules(Path(sys.executable))
