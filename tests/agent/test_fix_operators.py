"""The general operators: a test is a file before and after; every byte outside the edit is compared."""

import pytest

from branchlab.agent.operators import OPERATORS
from branchlab.agent.operators.apply import apply_edits
from branchlab.agent.proposal import Edit
from branchlab.targets.errors import OperatorError

SCRIPT = b'''"""Train."""
import torch
from torch import nn  # layers

LR = 1e-3


class Net( nn.Module ):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, 4),   # in
            nn.ReLU(),
            nn.Softmax(dim=1),
        )

    def forward(self, x): return self.net( x )


def fit(model, loader, optimizer):
    # one epoch
    for x, y in loader :
        loss = loss_of( model(x), y )
        # now the step
        optimizer.step()
        loss.backward( )  # gradients


def evaluate(model, loader):
    """Accuracy."""
    right = 0
    for x, y in loader:
        right += (model(x).argmax(1) == y).sum().item()
    return right / len(loader.dataset)
'''


def edited(operator: str, symbol: str, source: bytes = SCRIPT, **arguments: str) -> bytes:
    return apply_edits({"a.py": source}, [Edit(operator, "a.py", symbol, arguments)])["a.py"]


AFTER = [
    (
        ("insert_statement", "fit", {"code": "optimizer.zero_grad()", "where": "before", "anchor": "loss.backward()"}),
        (b"        loss.backward( )  # g", b"        optimizer.zero_grad()\n        loss.backward( )  # g"),
    ),
    (
        ("insert_statement", "evaluate", {"code": "model.eval()", "where": "first"}),
        (b'"""Accuracy."""\n', b'"""Accuracy."""\n    model.eval()\n'),
    ),
    (
        ("insert_statement", "fit", {"code": "model.train()", "where": "before", "anchor": "for x,y in loader:"}),
        (b"    # one epoch\n", b"    model.train()\n    # one epoch\n"),
    ),
    (
        ("delete_statement", "fit", {"anchor": "optimizer.step()"}),
        (b"        # now the step\n        optimizer.step()\n", b""),
    ),
    (
        ("move_statement", "fit", {"anchor": "optimizer.step()", "where": "after", "to": "loss.backward()"}),
        (
            b"        # now the step\n        optimizer.step()\n        loss.backward( )  # gradients\n",
            b"        loss.backward( )  # gradients\n        # now the step\n        optimizer.step()\n",
        ),
    ),
    (
        ("wrap_in_with", "evaluate", {"anchor": "for x, y in loader:", "context": "torch.no_grad()"}),
        (
            b"    for x, y in loader:\n        right += (model(x)",
            b"    with torch.no_grad():\n        for x, y in loader:\n            right += (model(x)",
        ),
    ),
    (
        ("add_decorator", "evaluate", {"decorator": "torch.no_grad()"}),
        (b"def evaluate", b"@torch.no_grad()\ndef evaluate"),
    ),
    (
        ("add_import", "", {"code": "import torch.nn.functional as F"}),
        (b"# layers\n", b"# layers\nimport torch.nn.functional as F\n"),
    ),
    (
        ("remove_argument", "Net.__init__", {"argument": "nn.Softmax(dim = 1)"}),
        (b"            nn.ReLU(),\n            nn.Softmax(dim=1),\n", b"            nn.ReLU(),\n"),
    ),
    (
        ("replace_expression", "Net.forward", {"old": "self.net(x)", "new": "self.net(x).relu()"}),
        (b"self.net( x )", b"self.net(x).relu()"),
    ),
    (
        ("set_keyword", "Net.__init__", {"call": "nn.Softmax", "keyword": "dim", "value": "-1"}),
        (b"nn.Softmax(dim=1)", b"nn.Softmax(dim=-1)"),
    ),
    (
        ("set_keyword", "Net.__init__", {"call": "nn.Linear", "keyword": "bias", "value": "False"}),
        (b"nn.Linear(8, 4)", b"nn.Linear(8, 4, bias=False)"),
    ),
    (
        ("replace_function", "Net.forward", {"code": "def forward(self, x):\n    return self.net(x)\n"}),
        (b"def forward(self, x): return self.net( x )", b"def forward(self, x):\n        return self.net(x)"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "change"), AFTER, ids=[edit[0] + ":" + edit[1] for edit, _ in AFTER])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_changes_one_place_and_no_other_byte(
    edit: tuple[str, str, dict[str, str]], change: tuple[bytes, bytes], newline: bytes
) -> None:
    operator, symbol, arguments = edit
    old, new = (part.replace(b"\n", newline) for part in change)
    source = SCRIPT.replace(b"\n", newline)
    assert source.count(old) == 1
    assert edited(operator, symbol, source, **arguments) == source.replace(old, new)


@pytest.mark.parametrize(
    ("operator", "symbol", "arguments"),
    [
        ("insert_statement", "fit", {"code": "x = 1", "where": "before", "anchor": "loss.forward()"}),
        ("insert_statement", "missing", {"code": "x = 1", "where": "first"}),
        ("insert_statement", "fit", {"code": "x = = 1", "where": "first"}),
        ("insert_statement", "fit", {"code": "", "where": "first"}),
        ("insert_statement", "fit", {"code": "x = 1", "where": "inside"}),
        ("insert_statement", "fit", {"where": "first"}),
        ("insert_statement", "fit", {"code": "x = 1", "where": "first", "colour": "red"}),
        ("insert_statement", "Net.forward", {"code": "x = 1", "where": "first"}),
        ("insert_statement", "fit", {"code": "x = (\n" + "a and\n" * 50_000 + "a)", "where": "first"}),
        ("delete_statement", "fit", {"anchor": "loss.backward(); optimizer.step()"}),
        ("replace_expression", "fit", {"old": "loader", "new": "loader"}),
        ("replace_expression", "fit", {"old": "x", "new": "y"}),
        ("replace_expression", "fit", {"old": "loader", "new": "a; b"}),
        ("replace_expression", "fit", {"old": "loader", "new": "a)\nimport os\n(b"}),
        ("replace_expression", "evaluate", {"old": "accuracy", "new": "loss"}),
        ("set_keyword", "Net.__init__", {"call": "nn.Softmax", "keyword": "dim", "value": "1"}),
        ("set_keyword", "Net.__init__", {"call": "nn.Softmax", "keyword": "d-m", "value": "1"}),
        ("add_import", "", {"code": "import torch"}),
        ("add_import", "", {"code": "print(1)"}),
        ("add_import", "fit", {"code": "import os"}),
        ("add_decorator", "", {"decorator": "cached"}),
        ("replace_function", "fit", {"code": "def other(): pass"}),
        ("replace_function", "fit", {"code": "class fit: pass"}),
        ("remove_argument", "Net.__init__", {"argument": "nn.Tanh()"}),
        ("no_such_operator", "fit", {}),
    ],
)
def test_refuses_in_one_line(operator: str, symbol: str, arguments: dict[str, str]) -> None:
    with pytest.raises(OperatorError) as refusal:
        edited(operator, symbol, SCRIPT, **arguments)
    assert "\n" not in str(refusal.value)


def test_a_place_that_reads_the_same_twice_must_be_chosen() -> None:
    source = b"def f(opt):\n    opt.step()\n    other()\n    opt.step()\n"
    with pytest.raises(OperatorError, match="nth"):
        edited("delete_statement", "f", source, anchor="opt.step()")
    assert (
        edited("delete_statement", "f", source, anchor="opt.step()", nth="2")
        == b"def f(opt):\n    opt.step()\n    other()\n"
    )


def test_an_emptied_block_stays_a_block() -> None:
    source = b"def f(x):\n    if x:\n        x.step()\n    return x\n"
    assert edited("delete_statement", "f", source, anchor="x.step()") == source.replace(b"x.step()", b"pass")


def test_strings_over_lines_are_not_indented_with_their_block() -> None:
    source = b'def f(run):\n    run("""a\n  b\n""")\n'
    after = edited("wrap_in_with", "f", source, anchor='run("""a\n  b\n""")', context="ctx()")
    assert after == b'def f(run):\n    with ctx():\n        run("""a\n  b\n""")\n'


def test_setter_and_getter_share_a_name() -> None:
    source = b"class A:\n    @property\n    def p(self):\n        return self._p\n\n    @p.setter\n    def p(self, v):\n        self._p = v\n"
    assert edited("replace_expression", "A.p", source, old="v", new="float(v)") == source.replace(b"= v", b"= float(v)")


def test_module_level_edits_leave_functions_alone() -> None:
    source = b"x = f(1)\ndef g():\n    return f(1)\n"
    assert edited("replace_expression", "", source, old="f(1)", new="f(2)") == source.replace(b"x = f(1)", b"x = f(2)")


def test_several_edits_of_one_file_apply_in_order() -> None:
    edits = [
        Edit("insert_statement", "a.py", "evaluate", {"code": "model.eval()", "where": "first"}),
        Edit(
            "insert_statement",
            "a.py",
            "evaluate",
            {"code": "model.train()", "where": "after", "anchor": "model.eval()"},
        ),
    ]
    after = apply_edits({"a.py": SCRIPT, "b.py": b"y = 1\n"}, edits)
    assert list(after) == ["a.py"]
    assert b"    model.eval()\n    model.train()\n" in after["a.py"]


def test_an_edit_and_its_opposite_change_nothing() -> None:
    edits = [
        Edit("replace_expression", "a.py", "fit", {"old": "loader", "new": "data"}),
        Edit("replace_expression", "a.py", "fit", {"old": "data", "new": "loader"}),
    ]
    with pytest.raises(OperatorError, match="change nothing"):
        apply_edits({"a.py": SCRIPT}, edits)


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_every_operator_refuses_what_is_not_there(name: str) -> None:
    for file in ("a.py", "c.yaml"):
        with pytest.raises(OperatorError):
            apply_edits({"a.py": SCRIPT, "c.yaml": b"lr: 1\n"}, [Edit(name, file, "No.such.symbol", {"code": "x"})])
