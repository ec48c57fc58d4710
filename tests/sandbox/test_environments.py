import subprocess
import sys
from pathlib import Path

import pytest

from branchlab.sandbox.environments import find
from branchlab.targets.errors import TargetError


def test_the_running_interpreter_and_what_it_needs() -> None:
    found = find()
    assert found.executable == Path(sys.executable)
    assert Path(sys.prefix) in found.prefixes
    assert Path(sys.base_prefix).resolve() in found.prefixes


def test_a_fresh_virtual_environment(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "v")], check=True)
    (tmp_path / "v" / "lib").glob("*")
    site = next((tmp_path / "v" / "lib").glob("python*/site-packages"))
    (site / "toy" / "data").mkdir(parents=True)
    # Nothing the environment would run at start may run while it is asked.
    (site / "evil.pth").write_text(f"import os; os.mkdir({str(tmp_path / 'ran')!r})\n")
    found = find(str(tmp_path / "v" / "bin" / "python"), ["toy/data"])
    assert found.executable == tmp_path / "v" / "bin" / "python"
    assert tmp_path / "v" in found.prefixes
    assert site / "toy" / "data" in found.hide
    assert not (tmp_path / "ran").exists()


def test_an_environment_behind_a_link_is_hidden_under_both_names(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "v")], check=True)
    (tmp_path / "link").symlink_to("v")
    site = next((tmp_path / "v" / "lib").glob("python*/site-packages"))
    (site / "toy").mkdir()
    found = find(str(tmp_path / "link" / "bin" / "python"), ["toy"])
    inside = site.relative_to(tmp_path / "v") / "toy"
    assert {tmp_path / "v" / inside, tmp_path / "link" / inside} <= set(found.hide)


def test_this_package_is_hidden_where_it_is_installed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "v")], check=True)
    site = next((tmp_path / "v" / "lib").glob("python*/site-packages"))
    (site / "branchlab").mkdir()
    assert site / "branchlab" in find(str(tmp_path / "v" / "bin" / "python")).hide


@pytest.mark.parametrize("python", ["/nowhere/python", "no-such-python", "/usr/bin/true", "/usr/bin/cat"])
def test_what_is_no_interpreter_gets_one_line(python: str) -> None:
    with pytest.raises(TargetError) as caught:
        find(python)
    assert "\n" not in str(caught.value)
    assert python in str(caught.value)


@pytest.mark.parametrize("rel", ["/etc", "../x", "", "yaml/../..", "no-such-package"])
def test_folders_that_cannot_be_hidden_are_an_error(rel: str) -> None:
    with pytest.raises(TargetError):
        find(None, [rel])


def test_an_interpreter_that_would_show_a_home_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(Path(sys.prefix) / "home"))
    (tmp_path / "x").mkdir()
    with pytest.raises(TargetError, match="home folder"):
        find()
