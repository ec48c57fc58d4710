"""The map as data and as a page."""

import json
from dataclasses import dataclass
from io import StringIO

from rich.console import Console

from branchlab.agent.audit import AuditFinding
from branchlab.agent.map_data import map_json
from branchlab.agent.map_view import render_map
from branchlab.agent.read import read_code
from branchlab.agent.tunables import literals_in

SOURCES = {
    "model.py": b"import torch.nn as nn\nDROPOUT = 0.1\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        self.a = nn.Linear(3, 4, bias=False)\n",
    "bad.py": b"def f(:\n",
    "prompts/ask.txt": b"You must answer the [bold red]question[/] in {language} as JSON, and think step by step before you answer.",
}


@dataclass(frozen=True)
class Found:
    file: str = "model.py"
    line: int = 3
    detector: str = "a_detector"
    title: str = "[blink]loud[/blink] \x1b[31mtitle"
    rationale: str = "because"
    symbol: str = "Net"
    confidence: str = "medium"
    action: str = "advise"


CODE = read_code("d" * 40, SOURCES)
TUNABLES = [one for one, _ in literals_in(CODE.module("model.py"), "model.py")]


def page(width: int = 120) -> str:
    out = StringIO()
    Console(file=out, width=width).print(render_map(CODE, TUNABLES, [Found()]))
    return out.getvalue()


def test_the_data_has_the_documented_keys_and_survives_json() -> None:
    body = map_json(CODE, TUNABLES, [Found()])
    assert json.loads(json.dumps(body)) == body
    assert body["files"] == [
        {"path": "bad.py", "source": "unread", "lines": 1, "relevance": 0.0, "reached": False, "searched": False},
        {"path": "model.py", "source": "cst", "lines": 7, "relevance": 1.0, "reached": True, "searched": True},
    ]
    assert body["tunables"][0]["name"] == "model.py::DROPOUT"
    assert body["findings"][0] == {
        "file": "model.py", "line": 3, "detector": "a_detector", "symbol": "Net", "title": Found.title,
        "rationale": "because", "confidence": "medium", "action": "advise",
    }  # fmt: skip
    net = next(symbol for symbol in body["symbols"] if symbol["name"] == "Net")
    assert (net["roles"], net["source"]) == (["model"], "cst")


def test_the_audit_stands_before_everything_that_was_understood() -> None:
    found = AuditFinding("direction", "high", "a.py", 3, "[red]t[/red]", "w", "a")
    assert map_json(CODE, TUNABLES, [], [found])["audit"][0]["severity"] == "high"
    out = StringIO()
    Console(file=out, width=160).print(render_map(CODE, TUNABLES, [], [found]))
    text = out.getvalue()
    assert text.index("[red]t[/red]. w") < text.index("Roles")


def test_the_page_shows_everything() -> None:
    text = page()
    for part in (
        "a: Linear(3 → 4)  :7  12 parameters",
        "Net  model.py:5  12 parameters",
        "model.py::DROPOUT",
        "0 to 0.8",
        "a_detector",
        "bad.py",
        "syntax error",
        "language",
    ):
        assert part in text


def test_repository_text_cannot_steer_the_terminal() -> None:
    text = page()
    assert "[blink]loud[/blink]" in text
    assert "[bold red]question[/]" in text
    assert "\x1b" not in text


def test_a_narrow_terminal_loses_no_name() -> None:
    assert "DROPOUT" in page(60).replace("\n", "")
