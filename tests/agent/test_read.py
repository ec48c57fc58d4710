"""What the code map says, and what it says of files nobody can read."""

from pathlib import Path

import libcst as cst
import pytest

import branchlab
from branchlab.agent.ast_facts import ast_facts
from branchlab.agent.code_map import Call, CodeMap, Import
from branchlab.agent.cst_facts import cst_facts
from branchlab.agent.read import read_code
from branchlab.agent.readable import parse

OUR_FILES = [*sorted(Path(branchlab.__file__).parent.glob("agent/*.py")), Path(__file__)]

TRAIN = b"""
import argparse
import torch.nn as nn
from torch import optim
from .model import Net
from ..common import tools as t

RATE = 0.1
BATCH: int = 32


def main(args, *, fast=False):
    model = Net(4, width=args.width,  depth = 2)
    optimizer = optim.Adam(model.parameters(), lr=RATE, betas=(0.9, 0.99))
    criterion = nn.CrossEntropyLoss()
    for x, y in t.load("a"):
        criterion(model(x), y).backward()
        optimizer.step()


if __name__ == "__main__":
    main(argparse.ArgumentParser().parse_args(), **{})
"""


def read(**files: str | bytes) -> CodeMap:
    sources = {name.replace("__", "/") + ".py": f if isinstance(f, bytes) else f.encode() for name, f in files.items()}
    return read_code("c" * 40, sources)


def test_relative_imports_are_resolved_against_the_files_own_place() -> None:
    code = read(pkg__sub__train=TRAIN)
    file = "pkg/sub/train.py"
    assert Import(file, 5, "pkg.sub.model", "Net", "Net") in code.imports
    assert Import(file, 6, "pkg.common", "tools", "t") in code.imports
    assert Import(file, 3, "torch.nn", None, "nn") in code.imports


def test_an_import_that_leaves_the_repository_means_nothing_in_it() -> None:
    (imported,) = read(train="from ...model import Net\n").imports
    assert imported.module == "...model"


def test_calls_name_what_they_call_and_the_arguments_they_pass() -> None:
    code = read(pkg__sub__train=TRAIN)
    calls = {call.callee: call for call in code.calls}
    assert calls["torch.optim.Adam"].keywords == {"lr": "RATE", "betas": "(0.9, 0.99)"}
    assert calls["torch.optim.Adam"].positional == 1
    assert calls["pkg.sub.model.Net"] == Call(
        "pkg/sub/train.py", 13, "main", "pkg.sub.model.Net", 1, {"width": "args.width", "depth": "2"}
    )
    assert calls["criterion(model(x), y).backward"].caller == "main"
    assert calls["main"].keywords == {"**": "{}"}


def test_symbols_are_qualified_and_say_where_they_stand() -> None:
    code = read(model="class Net:\n    @property\n    def size(self):\n        return 1\n\n\nWIDTH = 3\n")
    assert [(s.name, s.kind, s.line, s.end_line, s.source) for s in code.symbols] == [
        ("Net", "class", 1, 4, "cst"),
        ("Net.size", "function", 3, 4, "cst"),
        ("WIDTH", "constant", 7, 7, "cst"),
    ]


@pytest.mark.parametrize("path", OUR_FILES, ids=lambda path: path.name)
def test_both_readers_see_the_same(path: Path) -> None:
    data = path.read_bytes()
    text, tree = parse(data)
    fast, lossless = ast_facts("a/b.py", text, tree), cst_facts("a/b.py", cst.parse_module(data))
    assert fast.imports == lossless.imports
    assert fast.bases == lossless.bases
    assert fast.is_script == lossless.is_script
    assert sorted(fast.calls, key=repr) == sorted(lossless.calls, key=repr)
    assert sorted(fast.texts, key=repr) == sorted(lossless.texts, key=repr)
    assert [(s.name, s.kind, s.line, s.end_line) for s in fast.symbols] == [
        (s.name, s.kind, s.line, s.end_line) for s in lossless.symbols
    ]


HOSTILE = {
    "syntax": (b"def f(:\n    pass\n", "syntax error at line 1"),
    "nul": (b"x = 1\0\n", "a NUL byte at offset 5"),
    "long_line": (b"x = [" + b"1," * 1_000_000 + b"]\n", "2,000,007 bytes"),
    "shorter_long_line": (b"x = [" + b"1," * 40_000 + b"]\n", "a line of 80,006 characters"),
    "latin": ("name = 'é'\n".encode("latin-1"), "not UTF-8"),
    "bad_cookie": (b"# coding: no-such-thing\nx = 1\n", "not UTF-8"),
    "brackets": (b"x = " + b"[" * 150 + b"]" * 150 + b"\n", "brackets nested 150 deep"),
    "calls": (b"x = " + b"f(" * 90 + b")" * 90 + b"\n", "brackets nested 90 deep"),
    "attributes": (b"x = a" + b".b" * 150 + b"\n", "nested more than 100 levels"),
    "sum": (b"x = 1" + b"+1" * 3_000 + b"\n", "parser gave up"),
    "minus": (b"x = " + b"-" * 3_000 + b"1\n", ""),
    "elif": (b"if x:\n  y\n" + b"elif x:\n  y\n" * 3_000, ""),
    "strings": (b"x = (" + b'"a" ' * 4_000 + b")\n", ""),
    "and": (b"x = a" + b" and a" * 3_000 + b"\n", ""),
    "assignments": (b"x = 1\n" * 6_000, "6,000 assignments"),
    "lone_surrogate": (b"x = '\\ud800'\n\xed\xa0\x80\n", "not UTF-8"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_named_with_a_reason_and_the_others_are_read(kind: str) -> None:
    data, reason = HOSTILE[kind]
    code = read_code("c", {"bad.py": data, "good.py": b"def f():\n    pass\n"})
    (unread,) = code.unread
    assert unread.file == "bad.py"
    assert reason in unread.reason
    assert "\n" not in unread.reason
    assert code.python_files == ("good.py",)
    assert code.symbol("good.py", "f")


@pytest.mark.parametrize(
    "data",
    [b"", b"\xef\xbb\xbfx = 1\n", b"# coding: latin-1\nname = '\xe9'\n", b"x = 1\r\ny = 2\r\n", b"def f():\n\tpass"],
    ids=["empty", "bom", "latin-1 with its line", "crlf", "no newline at the end"],
)
def test_unusual_files_are_read_and_come_back_byte_for_byte(data: bytes) -> None:
    code = read_code("c", {"a.py": data})
    assert not code.unread
    assert code.module("a.py").bytes == data


def test_a_file_that_libcst_would_not_give_back_is_not_edited() -> None:
    code = read_code("c", {"a.py": b"\x0cx = 1\n"})  # libcst drops a form feed at the very start
    assert code.python_files == ()
    assert code.unread[0].reason == "facts by ast only: libcst does not give the same bytes back"
    assert code.symbol("a.py", "x")


def test_columns_after_non_ascii_text_are_right() -> None:
    source = 'f("é€😀", g(a="ü"), key=h)\n'
    text, tree = parse(source.encode())
    assert ast_facts("a.py", text, tree).calls == cst_facts("a.py", cst.parse_module(source)).calls


def test_beyond_the_budget_facts_come_from_ast_and_say_so() -> None:
    sources = {"train.py": b"import model\nif __name__ == '__main__':\n    model.f()\n"}
    sources |= {"model.py": b"def f():\n    pass\n", "aaa_unused.py": b"def g():\n    h(1)\n" + b"#" * 200 + b"\n"}
    code = read_code("c", sources, cst_bytes=120)
    assert code.python_files == ("model.py", "train.py")
    assert [(u.file, u.reason[:17]) for u in code.unread] == [("aaa_unused.py", "facts by ast only")]
    symbol = code.symbol("aaa_unused.py", "g")
    assert symbol is not None
    assert symbol.source == "ast"
    assert "h" in {call.callee for call in code.calls}


def test_the_entry_given_decides_what_is_near() -> None:
    sources = {"a.py": b"import b\n", "b.py": b"x = 1\n", "z.py": b"import y\n", "y.py": b"x = 1\n"}
    assert read_code("c", sources, ["z.py"], cst_bytes=16).python_files == ("y.py", "z.py")
    assert read_code("c", sources, ["a.py"], cst_bytes=16).python_files == ("a.py", "b.py")


def test_a_configuration_the_code_names_and_nobody_can_read_is_named() -> None:
    code = read_code("c", {"a.py": b"open('c.yaml')\n", "c.yaml": b"a: [1\n", "other.yaml": b"a: [1\n"})
    assert [u.file for u in code.unread] == ["c.yaml"]


PROMPT = (
    "You are a careful assistant. Answer the question using only the context, and return JSON. Question: {question}"
)


def test_prompts_are_found_with_their_fields_and_docstrings_are_not() -> None:
    source = f'"""{PROMPT}"""\nASK = """{PROMPT}"""\n\n\ndef f(q):\n    """{PROMPT}"""\n    "{PROMPT}"\n    return f"{PROMPT.replace("{question}", "{q.text}")}"\n'
    code = read(app=source)
    assert [(p.line, p.symbol, p.fields) for p in code.prompts] == [(2, "ASK", ("question",)), (8, "f", ("q.text",))]
    assert {s.name for s in code.with_role("prompt")} == {"ASK", "f"}


def test_prompt_files_are_found_by_name_and_data_is_not() -> None:
    text = PROMPT.encode()
    sources = {
        "prompts/ask.txt": text,
        "names.txt": text,
        "README.md": text,
        "page.j2": b"<html>{{ body }}</html>",
        "a.py": b"",
    }
    assert [(p.file, p.fields) for p in read_code("c", sources).prompts] == [("prompts/ask.txt", ("question",))]


def test_ordinary_long_strings_are_not_prompts() -> None:
    usage = (
        "usage: train the model on the images in the given folder and write the weights of the model to another folder"
    )
    assert not read(a=f"x = {usage!r}\ny = {'word ' * 40!r}\n").prompts
