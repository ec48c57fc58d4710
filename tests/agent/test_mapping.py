"""`branchlab map` of what is no target: a folder, a work tree, a bare repository."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from branchlab.agent.audit import AuditFinding
from branchlab.agent.code_map import CodeMap, Prompt, Unread
from branchlab.agent.map_data import map_json, write_json
from branchlab.agent.map_view import render_map
from branchlab.agent.mapping import Mapped, map_of
from branchlab.agent.proposers.defects import Program
from branchlab.agent.proposers.defects import searched as searching
from branchlab.agent.proposers.defects.base import Finding
from branchlab.agent.read import read_code
from branchlab.targets.errors import TargetError, UsageError
from branchlab.targets.tunable import Tunable

DOCS = Path(__file__).parents[2] / "docs" / "map.md"
FILES = {
    "train.py": "import torch\nfrom model import Net\n\nLR = 0.1\nnet = Net()\noptimizer = torch.optim.SGD(net.parameters(), lr=LR)\n"
    "open('ran', 'w')\nfor x, y in data:\n    optimizer.zero_grad()\n    loss(net(x), y).backward()\n    optimizer.step()\n",
    "model.py": "import torch.nn as nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        self.a = nn.Linear(3, 4)\n",
    "conf/a.yaml": "a: 1\n",
    "venv/pyvenv.cfg": "",
    "venv/lib/site.py": "x = 1\n",
    ".hidden/x.py": "x = 1\n",
    "inner/.git/HEAD": "",
    "inner/y.py": "y = 1\n",
    "broken.py": "def f(:\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "project" / "link.py").symlink_to("/etc/passwd")
    return tmp_path / "project"


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@a")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def check(mapped: Mapped) -> None:
    code = mapped.code
    assert code.entry == ("train.py",)
    assert code.reached == ("train.py", "model.py")
    assert code.python_files == ("model.py", "train.py")
    assert [one.name for one in mapped.tunables] == ["train.py::LR"]
    assert [one.file for one in code.unread] == ["broken.py"]
    assert mapped.audited == ()


def test_a_folder_is_read_as_it_lies_there_and_nothing_of_it_runs(folder: Path, tmp_path: Path) -> None:
    for _ in range(2):  # the second time from the index
        mapped = map_of(str(folder), tmp_path / "home")
        check(mapped)
        assert mapped.code.commit == ""
        assert set(mapped.code.sources) == {"train.py", "model.py", "conf/a.yaml", "broken.py"}
    assert not list(tmp_path.rglob("ran"))


def test_a_checkout_without_a_target_is_read_with_its_changes(folder: Path, tmp_path: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", "train.py")
    git(folder, "commit", "-q", "-m", "start")
    check(map_of(str(folder), tmp_path / "home"))


def test_a_bare_repository_is_read_at_its_head(folder: Path, tmp_path: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", "train.py", "model.py", "broken.py")
    git(folder, "commit", "-q", "-m", "start")
    git(tmp_path, "clone", "-q", "--bare", str(folder), "bare.git")
    mapped = map_of(str(tmp_path / "bare.git"), tmp_path / "home")
    check(mapped)
    assert re.fullmatch("[0-9a-f]{40}", mapped.code.commit)


def test_a_folder_without_python_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no Python file here"):
        map_of(str(tmp_path / "empty"), tmp_path / "home")
    with pytest.raises(TargetError, match="no such target"):
        map_of(str(tmp_path / "nowhere"), tmp_path / "home")


def test_the_command_prints_both(folder: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "branchlab", "--home", str(tmp_path / "home")]
    page = subprocess.run([*words, "map", str(folder)], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    for part in ("read from train.py", "training loop", "Linear(3 → 4)", "16 parameters", "broken.py", "train.py::LR"):
        assert part in page
    data = subprocess.run(
        [*words, "--json", "map", str(folder)], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert json.loads(data.stdout)["models"][0]["parameters"] == 16


# the documented data

FULL = replace(
    read_code("c" * 40, {name: text.encode() for name, text in FILES.items() if name.endswith(".py")}),
    prompts=(Prompt("a.py", 1, "f", "text", ("field",)),),
    notes=("a note",),
)
TUNABLE = Tunable("a.py::LR", "a.py", 1, "float", 0.1, "rule", 0.0, 1.0)
FINDING = Finding("kind", "a.py", 1, "f", "title", "why", ())
AUDITED = AuditFinding("question", "high", "a.py", 1, "t", "r", "a")


def body() -> dict[str, Any]:
    return map_json(FULL, [TUNABLE], [FINDING], [AUDITED])


def test_the_documented_keys_are_the_ones_there_are() -> None:
    text = DOCS.read_text(encoding="utf-8").partition("## Keys of the JSON")[2]
    table = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    found = body()
    assert table == list(found)
    rows = {
        name: value for name, value in found.items() if value and isinstance(value, list) and isinstance(value[0], dict)
    }
    assert set(rows) == set(table) - {"commit", "entry", "notes"}
    for name, values in rows.items():
        paragraph = re.search(rf"^`{name}`: (.*?)\n\n", text + "\n\n", re.MULTILINE | re.DOTALL)
        assert paragraph is not None, name
        documented = [part.split(":")[0].strip().strip("`") for part in paragraph[1].rstrip(".").split(";")]
        assert documented == list(values[0]), name


def test_what_is_written_row_by_row_is_the_same() -> None:
    out = StringIO()
    write_json(out, FULL, [TUNABLE], [FINDING], [AUDITED])
    assert json.loads(out.getvalue()) == json.loads(json.dumps(body()))
    empty = StringIO()
    write_json(empty, CodeMap("c", {}), [], [])
    assert json.loads(empty.getvalue())["calls"] == []


def test_a_thousand_files_beyond_a_limit_are_one_row() -> None:
    unread = tuple(Unread(f"f{n}.py", "too far away") for n in range(1_000))
    out = StringIO()
    Console(file=out, width=200).print(render_map(replace(FULL, unread=unread), [], []))
    assert "and 994 more" in out.getvalue()
    assert out.getvalue().count("too far away") == 1


def test_detectors_look_at_what_matters_of_a_huge_repository() -> None:
    half = (b"#" * 99 + b"\n") * (searching.MAX_BYTES // 200)
    sources = {
        "a_far.py": half,
        "train.py": b"import near\nif __name__ == '__main__':\n    near.f()\n",
        "near.py": half,
    }
    code = read_code("c", sources | {"other.py": half})
    assert searching.searched(code) == ("near.py", "train.py")
    assert [source.path for source in Program.of(code).sources] == ["near.py", "train.py"]
    small = read_code("c", {name: data[:100] for name, data in sources.items()})
    assert searching.searched(small) == ("a_far.py", "near.py", "train.py")
    out = StringIO()
    Console(file=out, width=200).print(render_map(replace(code, relevance=dict.fromkeys(code.sources, 0.25)), [], []))
    assert "were not searched for defects" in out.getvalue()
