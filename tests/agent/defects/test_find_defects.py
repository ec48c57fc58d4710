"""The table of detectors, and the proposals made of what they find."""

from dataclasses import replace
from pathlib import Path

import pytest

from branchlab.agent.code_map import CodeMap
from branchlab.agent.operators.apply import apply_edits
from branchlab.agent.proposers.defects import DETECTORS, DefectsProposer, Program, find_defects
from branchlab.agent.read import read_code
from branchlab.agent.records import to_record

TARGETS = Path(__file__).parents[3] / "targets"


def code_of(folder: Path) -> CodeMap:
    return read_code("0" * 40, {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.py"))})


@pytest.fixture(scope="module")
def faulty() -> CodeMap:
    return code_of(TARGETS / "digits_faulty/repo")


def test_the_four_defects_of_the_faulty_project(faulty: CodeMap) -> None:
    found = [(f.detector, f.file) for f in find_defects(faulty)]
    assert found == [
        ("softmax_before_loss", "model.py"),
        ("missing_zero_grad", "train.py"),
        ("evaluation_mode", "predict.py"),
        ("refitted_preprocessing", "predict.py"),
    ]


@pytest.mark.parametrize("name", ["digits_clean", "recommender"])
def test_nothing_in_projects_done_right(name: str) -> None:
    assert find_defects(code_of(TARGETS / name / "repo")) == ()


def test_one_proposal_a_finding_and_one_of_all_together(faulty: CodeMap) -> None:
    proposals = DefectsProposer().propose(faulty, (), (), limit=20)
    assert len(proposals) == 5
    assert all(
        p.kind == "bug_fix" and p.parent == faulty.commit and p.evidence and len(p.title) <= 72 for p in proposals
    )
    widest = max(proposals, key=lambda proposal: len(proposal.edits))
    together = apply_edits(faulty.sources, widest.edits)
    assert sorted(together) == ["model.py", "predict.py", "train.py"]
    assert find_defects(read_code("1" * 40, {**faulty.sources, **together})) == ()


def test_a_refuted_finding_is_proposed_neither_alone_nor_with_others(faulty: CodeMap) -> None:
    proposer, (refuted, *_) = DefectsProposer(), find_defects(faulty)
    proposer.refuted = {refuted.identity}
    proposals = proposer.propose(faulty, (), (), limit=20)
    assert len(proposals) == 4
    assert not any(edit in proposal.edits for proposal in proposals for edit in refuted.edits)


def test_a_fix_is_proposed_again_on_another_parent(faulty: CodeMap) -> None:
    proposals = DefectsProposer().propose(faulty, (), (), limit=20)
    rows = [to_record("run", "edits", proposal) for proposal in proposals]
    again = DefectsProposer().propose(replace(faulty, commit="1" * 40), (), rows, limit=20)
    assert [p.edits for p in again] == [p.edits for p in proposals]
    assert not {p.id for p in again} & {p.id for p in proposals}


def test_the_limit_is_kept(faulty: CodeMap) -> None:
    assert len(DefectsProposer().propose(faulty, (), (), limit=2)) == 2


@pytest.mark.parametrize("name", sorted(DETECTORS))
@pytest.mark.parametrize(
    "text",
    [b"", b"x = (", b"\xff\xfe", b"x = 1\0", b"def f(): pass\n" * 2000, b"a = b = c = a\n", b"def f(x):\n    return f(f)(x)\n",
     b"class A(A):\n    def forward(self, x):\n        return self.forward(x)\n", b"for x in x:\n    x = x\n    x.backward()\n    x.step()\n",
     b"import torch\nmodel = model\nloss = loss(model(x), y)\nloss.backward()\nopt.step()\n",
     b"x = " + b"f(" * 50 + b")" * 50],
)  # fmt: skip
def test_odd_files_are_read_without_a_crash(name: str, text: bytes) -> None:
    program = Program.of(CodeMap("0" * 40, {"train.py": text, "test.py": text}))
    list(DETECTORS[name].detect(program))


def test_tests_of_the_project_are_left_alone() -> None:
    text = b"def train(model, loader, opt):\n    for b in loader:\n        model(b).backward()\n        opt.step()\n"
    assert find_defects(CodeMap("0" * 40, {"tests/test_train.py": text, "conftest.py": text})) == ()
    assert len(find_defects(CodeMap("0" * 40, {"train.py": text}))) == 1


def test_the_mended_project_does_what_the_clean_one_does(faulty: CodeMap) -> None:
    edits = [edit for finding in find_defects(faulty) for edit in finding.edits]
    mended = {file: data.decode() for file, data in {**faulty.sources, **apply_edits(faulty.sources, edits)}.items()}
    clean = {file: data.decode() for file, data in code_of(TARGETS / "digits_clean/repo").sources.items()}
    assert mended["predict.py"] == clean["predict.py"]
    assert mended["model.py"].partition("def __init__")[2] == clean["model.py"].partition("def __init__")[2]
    # Cleared right before backward, or at the start of the pass: the same gradients.
    clear = "        optimizer.zero_grad()\n"
    assert mended["train.py"].replace(clear, "") == clean["train.py"].replace(clear, "")
    assert clear + "        loss.backward()\n" in mended["train.py"]
