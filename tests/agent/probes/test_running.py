"""Probes of real models in a real sandbox, and of code that hangs, crashes, lies or floods."""

import ast
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.agent.probes import PROBES, SETTLES
from branchlab.agent.probes.base import Probed
from branchlab.agent.probes.facts import Facts
from branchlab.agent.probes.reader import Reader
from branchlab.agent.probes.running import MOST_BYTES, Bench, Outcome, Task, _Said, probe_findings, verdict_of
from branchlab.agent.proposal import Evidence
from branchlab.agent.proposers.defects import Finding, Program, find_defects
from branchlab.agent.read import read_code
from branchlab.sandbox import backends, environments
from branchlab.sandbox.runner import Runner
from branchlab.targets.errors import SandboxError

torch_too = pytest.mark.train
MODEL = """import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, size, hidden=8, dropout=0.2):
        super().__init__()
        self.first = nn.Linear(size, hidden)
        self.spare = nn.Linear(hidden, hidden)
        self.middle = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 5)
        {made}

    def forward(self, x):
        h = getattr(self, "mid" + "dle")(F.relu(self.first(x)))
        return F.softmax(self.last(h), dim=1)
"""
TRAIN = """import torch
from torch import nn

from model import Net


def epoch(model, loader, criterion, optimizer):
    for x, y in loader:
        tidy(model)
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()


def tidy(model):
    for p in model.parameters():
        setattr(p, "gr" + "ad", None)


if __name__ == "__main__":
    data, labels = torch.load("data.pt")
    model = Net(data.shape[1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    epoch(model, zip(data.split(8), labels.split(8)), nn.CrossEntropyLoss(), optimizer)
"""


@pytest.fixture(scope="module")
def runner() -> Runner:
    """bubblewrap, which starts warm from the second probe on."""
    try:
        return backends.choose("bubblewrap")
    except SandboxError as error:
        if os.environ.get("BRANCHLAB_REQUIRE_SANDBOX") == "1":
            raise
        pytest.skip(str(error))


def finding(files: Mapping[str, str], detector: str, words: str, symbol: str, title: str = "") -> Finding:
    """A finding on the one line of `model.py` or `train.py` that reads so."""
    places = [(f, n) for f, text in files.items() for n, line in enumerate(text.splitlines(), 1) if words in line]
    (place,) = places
    return Finding(detector, *place, symbol, title or words, "", ())


def probe(runner: Runner, folder: Path, files: Mapping[str, str], findings: list[Finding], **bench: float) -> Outcome:
    tree = folder / "tree"
    tree.mkdir()
    for path, text in files.items():
        (tree / path).write_text(text)
    reader = Reader(Program.of(read_code("0" * 40, {path: text.encode() for path, text in files.items()})))
    (folder / "scratch").mkdir()
    place = Bench(runner, environments.find(), tree, folder / "scratch", preload=("torch",), **bench)  # type: ignore[arg-type]
    outcome = probe_findings(findings, reader, place)
    assert list((folder / "scratch").iterdir()) == []
    return outcome


def project(made: str = "") -> dict[str, str]:
    return {"model.py": MODEL.replace("{made}", made), "train.py": TRAIN}


def suspicions(files: Mapping[str, str]) -> list[Finding]:
    """`spare` and `middle` are called by no name in the code, but one of them is called."""
    return [finding(files, "unused_layer", f"self.{part} =", "Net.__init__", f"Call {part}") for part in ("spare", "middle")]  # fmt: skip


@torch_too
def test_what_was_read_rightly_is_confirmed_and_what_was_read_wrongly_is_refuted(
    runner: Runner, tmp_path: Path
) -> None:
    files = project()
    code = read_code("0" * 40, {path: text.encode() for path, text in files.items()})
    (softmax,) = [f for f in find_defects(code) if f.detector == "softmax_before_loss"]
    others = [
        finding(files, "missing_zero_grad", "loss.backward()", "epoch"),
        finding(files, "ignored_parameter", "dropout=0.2", "Net.__init__", "Read dropout"),
        finding(files, "refitted_preprocessing", "torch.load", ""),
    ]
    outcome = probe(runner, tmp_path, files, [softmax, *suspicions(files), *others])
    assert outcome.runs == 1
    assert [one.verdict for one in outcome.probed] == ["confirmed", "confirmed", "refuted", "refuted", "confirmed", "unprobed"], outcome.probed  # fmt: skip
    assert all(one.reason for one in outcome.probed)
    assert "no probe settles" in outcome.probed[-1].reason
    assert outcome.seconds > 0


@torch_too
def test_a_probe_that_ends_its_process_takes_no_other_with_it(runner: Runner, tmp_path: Path) -> None:
    files = project("import os; dropout == 0.2 or os._exit(3)")
    ignored = finding(files, "ignored_parameter", "dropout=0.2", "Net.__init__", "Read dropout")
    outcome = probe(runner, tmp_path, files, [*suspicions(files), ignored, *suspicions(files)])
    assert [one.verdict for one in outcome.probed] == ["confirmed", "refuted", "unprobed", "confirmed", "refuted"]
    assert "did not end well" in outcome.probed[2].reason
    assert outcome.runs == 2


@torch_too
@pytest.mark.parametrize(
    ("made", "why"),
    [
        ("while True: pass", "more than 1 seconds"),
        ("raise ValueError('no, \\x1b[2J thanks')", "no, [2J thanks"),
        ("raise SystemExit(0)", "ended the process"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_code_that_does_not_let_itself_be_probed(runner: Runner, tmp_path: Path, made: str, why: str) -> None:
    files = project(made)
    for one in probe(runner, tmp_path, files, suspicions(files), task_seconds=1.0).probed:
        assert one.verdict == "unprobed"
        assert " ".join(why.split()) in " ".join(one.reason.split())
        assert one.reason.isprintable()


@torch_too
def test_code_that_holds_its_clock_and_hangs_is_killed_and_costs_no_more_than_it_may(
    runner: Runner, tmp_path: Path
) -> None:
    files = project("import signal; signal.signal(signal.SIGALRM, signal.SIG_IGN); [None for _ in iter(int, 1)]")
    outcome = probe(runner, tmp_path, files, suspicions(files), wall_seconds=6.0, task_seconds=1.0)
    assert [one.verdict for one in outcome.probed] == ["unprobed", "unprobed"]
    assert "time" in outcome.probed[0].reason
    assert outcome.runs == 1


@torch_too
def test_a_flood_of_output_drowns_no_answer(runner: Runner, tmp_path: Path) -> None:
    files = project("import os; [os.write(1, b'x' * 1_000_000) for _ in range(300)]")
    files["model.py"] = files["model.py"].replace("super()", "import sys; print('{\"facts\": 1}' * 9); super()")
    outcome = probe(runner, tmp_path, files, suspicions(files)[1:])
    assert [one.verdict for one in outcome.probed] == ["refuted"], outcome.probed


@torch_too
def test_a_second_answer_makes_the_first_worthless(runner: Runner, tmp_path: Path) -> None:
    """The nonce is no secret from code in the same process; docs/probes.md says what follows."""
    forge = (
        "import json, glob; plan = json.load(open(glob.glob('/plan*/plan.json')[0])); "
        "open('/out/results.jsonl', 'a').write(json.dumps({'nonce': plan['nonce'], 'id': 0, 'seconds': 0.1, 'facts': "
        "{'calls': 1, 'parameters': 2, 'reached': 2}}) + chr(10))"
    )
    files = project(forge)
    (one,) = probe(runner, tmp_path, files, suspicions(files)[:1]).probed
    assert (one.verdict, one.reason) == ("unprobed", "it was answered more than once")


def test_an_environment_without_torch_leaves_everything_unprobed(runner: Runner, tmp_path: Path) -> None:
    files = project()
    tree = tmp_path / "tree"
    tree.mkdir()
    for path, text in files.items():
        (tree / path).write_text(text)
    (tmp_path / "site").mkdir()
    reader = Reader(Program.of(read_code("0" * 40, {path: text.encode() for path, text in files.items()})))
    # A finder in front of all others: no interpreter without torch need be on the machine.
    (tree / "torch.py").write_text("raise ImportError('no torch here')\n")
    bench = Bench(runner, environments.find(), tree, tmp_path / "scratch")
    for one in probe_findings(suspicions(files), reader, bench).probed:
        assert one.verdict == "unprobed"
        assert "has no torch" in one.reason


# what was written, read


@given(
    st.lists(st.binary(max_size=60) | st.sampled_from([b'{"nonce": "n"}', b'{"nonce": "n", "id": 1e999}', b"[" * 99]))
)
def test_whatever_is_written_only_lines_with_the_nonce_count(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:  # fmt: skip
    out = tmp_path_factory.mktemp("out")
    good = json.dumps({"nonce": "n", "id": 7, "seconds": 0.5, "facts": {"same": True}}).encode()
    (out / "results.jsonl").write_bytes(b"\n".join([*lines, good, *lines]))
    said = _Said.read(out, "n")
    assert said.facts == {7: ({"same": True}, 0.5)}
    assert _Said.read(out, "m").facts == {}


VALUES = st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | st.text("a\n\x1b ", max_size=4)  # fmt: skip
NAMES = st.sampled_from(["calls", "parameters", "reached", "others", "frozen", "same", "error", "tried", "seen", "left", "steps",
                         "gap", "nan", "early", "late", "classes", "first", "last", "distributions", "within"])  # fmt: skip


@given(st.sampled_from(sorted(PROBES)), st.dictionaries(NAMES, VALUES, max_size=12))
def test_any_facts_at_all_end_in_a_verdict_and_a_line_of_reason(name: str, facts: Facts) -> None:
    ask = {"kind": "cross_entropy", "claimed": "softmax", "part": "p", "name": "n", "owner": "Net", "detector": "d", "mode": True,
           "grad": False, "masks": False, "method": "forward"}  # fmt: skip
    verdict, reason = verdict_of(Task(0, name, ask), facts)
    assert verdict in ("confirmed", "refuted", "unprobed")
    assert reason.isprintable()


def test_no_facts_settle_nothing() -> None:
    for name in PROBES:
        assert (
            verdict_of(Task(0, name, {"kind": "nll", "claimed": "", "detector": "d", "name": "n"}), {})[0] == "unprobed"
        )


def test_too_much_is_not_read_and_a_link_is_not_followed(tmp_path: Path) -> None:
    good = json.dumps({"nonce": "n", "id": 7, "seconds": 0.5, "facts": {}}) + "\n"
    (tmp_path / "elsewhere").write_text(good)
    (tmp_path / "results.jsonl").symlink_to(tmp_path / "elsewhere")
    assert _Said.read(tmp_path, "n").facts == {}
    (tmp_path / "results.jsonl").unlink()
    (tmp_path / "results.jsonl").write_text(good + " " * MOST_BYTES)
    assert _Said.read(tmp_path, "n").facts == {}


# the tables


def test_every_probe_that_is_named_is_there_and_every_one_there_is_named() -> None:
    assert {name for names in SETTLES.values() for name in names} == set(PROBES)


@pytest.mark.parametrize("name", sorted(PROBES))
def test_a_probe_is_whole_and_imports_nothing_that_a_target_may_lack(name: str) -> None:
    module = PROBES[name]
    assert all(callable(getattr(module, part)) for part in ("ask", "measure", "decide"))
    tree = ast.parse(Path(str(getattr(module, "__file__"))).read_text())  # noqa: B009 - the Protocol has no file
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    found = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
    found |= {("." * node.level) + (node.module or "") for node in top if isinstance(node, ast.ImportFrom)}
    assert found <= {"__future__", "typing", "math", "ast", ".facts"}


def test_a_finding_of_an_unknown_detector_is_unprobed_without_a_sandbox(tmp_path: Path) -> None:
    reader = Reader(Program.of(read_code("0" * 40, {"a.py": b"x = 1\n"})))
    nothing: Runner = object()  # type: ignore[assignment]
    found = Finding("invented", "a.py", 1, "", "Something", "", (), (Evidence("a.py", 1, ""),))
    (one,) = probe_findings([found], reader, Bench(nothing, environments.find(), tmp_path, tmp_path)).probed
    assert one == Probed(found, "unprobed", "no probe settles invented")
