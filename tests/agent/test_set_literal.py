"""Setting one literal of a Python file: exactly that literal, nothing beside it, and back again."""

import libcst as cst
import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.agent.literal_values import parse_literal
from branchlab.agent.literals import sites_in
from branchlab.agent.operators import OPERATORS
from branchlab.agent.operators.set_literal import SetLiteral
from branchlab.agent.read import read_code
from branchlab.agent.tunables import literals_in
from branchlab.targets.errors import OperatorError

SOURCE = '''# -*- coding: utf-8 -*-
"""Trains é."""
import argparse
import torch.nn as nn
import torch.optim as optim

LR   =   ( 1e-3 )   # keep   this
BATCH_SIZE: int = 1_28 ; EPOCHS = 0x10
OPTIMIZER = r'adam'
betas = (0.9, .999)
SEED = 3

if OPTIMIZER in ("adam", "sgd"):
    pass

parser = argparse.ArgumentParser()
parser.add_argument("--dropout", type=float, default=0)  # zero

config = {"lr": 0.1, "sub": {"momentum": 0.9}}


class Net(nn.Module):
    def __init__(self, hidden=64, use_bias=True):
\tself.drop = nn.Sequential(nn.Dropout(0.5), nn.Dropout(
            0.25,
        ))


optimizer = optim.SGD([], lr=0.1, momentum=0.9)
'''.replace("\tself", "        self")


def set_to(source: str, symbol: str, value: str) -> str:
    return SetLiteral().apply(cst.parse_module(source), symbol, {"value": value}).code


def test_it_is_in_the_table() -> None:
    assert isinstance(OPERATORS["set_literal"], SetLiteral)


@pytest.mark.parametrize(
    ("symbol", "value", "before", "after"),
    [
        ("LR", "0.002", "( 1e-3 )", "( 0.002 )"),
        ("BATCH_SIZE", "64", "int = 1_28 ;", "int = 64 ;"),
        ("EPOCHS", "8", "0x10", "8"),
        ("OPTIMIZER", "'sgd'", "= r'adam'", "= 'sgd'"),
        ("betas[1]", "0.99", ".999)", "0.99)"),
        ("argparse.--dropout", "0.3", "default=0)", "default=0.3)"),
        ("config.sub.momentum", "0.5", '"momentum": 0.9', '"momentum": 0.5'),
        ("Net.__init__.hidden", "32", "hidden=64", "hidden=32"),
        ("Net.__init__.use_bias", "False", "use_bias=True", "use_bias=False"),
        ("Net.__init__.Dropout.p#2", "0.1", "            0.25,", "            0.1,"),
        ("SGD.momentum", "0.8", "lr=0.1, momentum=0.9", "lr=0.1, momentum=0.8"),
    ],
)
def test_only_the_literal_changes(symbol: str, value: str, before: str, after: str) -> None:
    assert SOURCE.count(before) == 1
    assert set_to(SOURCE, symbol, value) == SOURCE.replace(before, after)


@pytest.mark.parametrize(
    ("symbol", "value", "why"),
    [
        ("NOPE", "1", "no such literal"),
        ("SEED", "4", "part of the measurement"),
        ("LR", "'fast'", "another type"),
        ("LR", "True", "another type"),
        ("BATCH_SIZE", "64.0", "another type"),
        ("Net.__init__.use_bias", "1", "another type"),
        ("OPTIMIZER", "1", "another type"),
        ("OPTIMIZER", "b'sgd'", "not one literal"),
        ("LR", "1e-3", "nothing would change"),
        ("LR", "1e999", "not one literal"),
        ("LR", "-0.1", "not one literal"),
        ("LR", "nan", "not one literal"),
        ("LR", "0.1; import os", "not one literal"),
        ("LR", "0.1 # x", "not one literal"),
        ("LR", "(0.1)", "not one literal"),
        ("LR", " 0.1", "not one literal"),
        ("LR", "__import__('os')", "not one literal"),
        ("LR", "", "not one literal"),
        ("LR", "1" * 5_000, "not one literal"),
        ("LR", "(" * 900, "not one literal"),
    ],
)
def test_everything_else_is_refused_with_a_reason(symbol: str, value: str, why: str) -> None:
    with pytest.raises(OperatorError, match=why):
        set_to(SOURCE, symbol, value)


@pytest.mark.parametrize("args", [{}, {"value": "1", "more": "2"}, {"values": "1"}])
def test_wrong_arguments_are_refused(args: dict[str, str]) -> None:
    with pytest.raises(OperatorError, match="wrong arguments"):
        SetLiteral().apply(cst.parse_module(SOURCE), "LR", args)


MODULE = cst.parse_module(SOURCE)
TUNABLE = {one.name.removeprefix("a.py::"): (one, node) for one, node in literals_in(MODULE, "a.py")}
NEW_VALUES = {
    "float": st.floats(min_value=1e-12, max_value=1e12).map(repr),
    "int": st.integers(min_value=0, max_value=10**9).map(repr),
    "bool": st.booleans().map(repr),
    "str": st.text(max_size=20).map(repr),
}


@given(key=st.sampled_from(sorted(TUNABLE)), data=st.data())
def test_there_and_back_is_byte_identical_and_nothing_else_moves(key: str, data: st.DataObject) -> None:
    tunable, node = TUNABLE[key]
    old = node.value  # type: ignore[attr-defined]
    new = data.draw(NEW_VALUES[tunable.type].filter(lambda text: text != old))
    changed = set_to(SOURCE, key, new)
    start = next(i for i in range(len(SOURCE) + 1) if SOURCE[:i] != changed[:i]) - 1
    # The change is confined to the span of the old literal: what is around it is found again in its place.
    assert any(
        changed == SOURCE[:at] + new + SOURCE[at + len(old) :]
        for at in range(max(0, start - len(old)), start + 1)
        if SOURCE.startswith(old, at)
    )
    values = {site.key: site.value for site in sites_in(cst.parse_module(changed))}
    assert values[key] == parse_literal(new)[1]
    assert {k: v for k, v in values.items() if k != key} == {s.key: s.value for s in sites_in(MODULE) if s.key != key}
    assert set_to(changed, key, old) == SOURCE


def test_a_name_survives_other_edits() -> None:
    first = set_to(SOURCE, "Net.__init__.hidden", "16")
    second = set_to("import os\n\n" + first, "LR", "0.5")
    names = {one.name for one, _ in literals_in(cst.parse_module(second), "a.py")}
    assert names == {one.name for one, _ in literals_in(MODULE, "a.py")}


def test_encoding_and_line_ends_stay() -> None:
    data = "# coding: latin-1\r\nNAME = 'é'\r\nLR = 0.1\r\n".encode("latin-1")
    module = read_code("c", {"a.py": data}).module("a.py")
    assert SetLiteral().apply(module, "LR", {"value": "0.2"}).bytes == data.replace(b"0.1", b"0.2")
