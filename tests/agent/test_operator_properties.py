"""Every operator of the table, on modules nobody wrote: no byte moves beside the edit, the result parses, and the same
edit a second time is refused with a reason."""

import ast
from collections.abc import Mapping, Sequence
from textwrap import indent

import libcst as cst
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from branchlab.agent.operators import OPERATORS
from branchlab.agent.operators.apply import apply_edits
from branchlab.agent.operators.spans import spans_of
from branchlab.agent.operators.splice import cut_out, spliced
from branchlab.agent.proposal import Edit
from branchlab.targets.errors import OperatorError

from .operator_cases import CASES, MODULE_CASES, TEXT_CASES, Case

NEIGHBOURS = (
    "def other(a, b = 2):\n    return a+b  # sum\n",
    '@cache\nclass Box( object ):\n    """Doc\n  string."""\n    x :int=1\n\n    @property\n    def v(self) : return self._v\n',
    "# a comment: é, \u2028 and ' quotes\n\n\n",
    'if True :\n    def hidden():\n        return """a\n b"""\nelse:\n    pass\n',
    "VALUES = [1,2 ,\n  3]\n",
    "async def later( * , a=(1,)):\n    await thing( ) ; done()\n",
    "try: import fast\nexcept ImportError: fast=None\n",
    "x = 1 ; y = \\\n  2\n",
)
PLACES = (
    "",
    "class Outer( Base ):\n",
    "if READY:\n",
    "def make( n ):\n",
    "class A:\n    class B :\n",
    "if READY:\n    class C:\n",
)
QUICK = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def surroundings() -> st.SearchStrategy[tuple[list[str], list[str], str, tuple[str, str, bool]]]:
    some = st.lists(st.sampled_from(NEIGHBOURS), max_size=4)
    layout = st.tuples(st.sampled_from(["    ", "  ", "\t"]), st.sampled_from(["\n", "\r\n"]), st.booleans())
    return st.tuples(some, some, st.sampled_from(PLACES), layout)


def laid_out(text: str, tab: str, newline: str) -> bytes:
    """The text with other indentation and line ends; a line inside a string keeps its blanks."""
    lines = [tab * ((len(line) - len(line.lstrip(" "))) // 4) + line.lstrip(" ") if line.startswith("    ") else line
             for line in text.split("\n")]  # fmt: skip
    return newline.join(lines).encode()


def placed(case: Case, place: str) -> tuple[str, str, str]:
    """What stands above the definition, its own text, and the qualified beginning of its name."""
    if not place:
        return "", case.code, ""
    heads = place.splitlines()
    depth = 4 * len(heads)
    lines = case.code.split("\n")
    shifted = "\n".join(indent(line, " " * depth) if line.strip() and line not in ('  epoch."""', '  b"""') else line for line in lines)  # fmt: skip
    names = [
        word.strip(" :").split("(")[0] for head in heads if not (word := head.split(maxsplit=1)[1]).startswith("READY")
    ]
    return place, shifted, "".join(f"{name.strip()}." for name in names)


def test_every_operator_has_a_case() -> None:
    assert CASES.keys() | MODULE_CASES.keys() | TEXT_CASES.keys() == OPERATORS.keys()


@pytest.mark.parametrize(
    ("operator", "case"), [(name, case) for name, cases in CASES.items() for case in cases], ids=lambda value: str(value)[:24]
)  # fmt: skip
@QUICK
@given(surroundings())
def test_a_definition_is_edited_and_nothing_beside_it(
    operator: str, case: Case, around: tuple[list[str], list[str], str, tuple[str, str, bool]]
) -> None:
    before, after, place, (tab, newline, ends) = around
    if operator in ("add_instruction", "move_prompt_line"):
        place = ""  # a prompt's lines are its text: they must not be indented
    heads, code, prefix = placed(case, place)
    above = laid_out(case.needs + "".join(before) + heads, tab, newline)
    middle = laid_out(code, tab, newline)
    below = laid_out("".join(after) if after else "", tab, newline)
    if not ends and not below:
        middle = middle[: -len(newline)]
    source = above + middle + below
    ast.parse(source)
    edit = Edit(operator, "a.py", prefix + case.symbol, case.arguments)
    result = apply_edits({"a.py": source}, [edit])["a.py"]
    ast.parse(result)
    assert result.startswith(above)
    assert result.endswith(below)
    assert len(result) > len(above) + len(below)
    refused(result, edit)


@pytest.mark.parametrize("operator", MODULE_CASES)
@QUICK
@given(surroundings())
def test_lines_come_or_go_and_the_rest_stays(
    operator: str, around: tuple[list[str], list[str], str, tuple[str, str, bool]]
) -> None:
    before, after, _, (tab, newline, _) = around
    case = MODULE_CASES[operator]
    source = laid_out("import os\n" + case.needs + "".join([*before, *after]), tab, newline)
    edit = Edit(operator, "a.py", "", case.arguments)
    result = apply_edits({"a.py": source}, [edit])["a.py"]
    ast.parse(result)
    longer, shorter = sorted([source.split(b"\n"), result.split(b"\n")], key=len, reverse=True)
    assert is_within(shorter, longer)
    assert 0 < len(longer) - len(shorter) <= 2
    refused(result, edit)


@pytest.mark.parametrize("operator", TEXT_CASES)
@QUICK
@given(st.lists(st.sampled_from(["# note é", "name: x", "depth: 3", "", "# {lone"]), unique=True), st.booleans())
def test_files_that_are_not_python(operator: str, lines: Sequence[str], first: bool) -> None:
    needed, case = TEXT_CASES[operator]
    others = "".join(f"{line}\n" for line in lines)
    source = (needed + others if first else others + needed).encode()
    edit = Edit(operator, "a.txt", case.symbol, case.arguments)
    result = apply_edits({"a.txt": source}, [edit])["a.txt"]
    kept = [line.encode() for line in lines if line]
    assert is_within(kept, result.split(b"\n"))
    assert abs(result.count(b"\n") - source.count(b"\n")) <= 1
    refused(result, edit, "a.txt")


def refused(result: bytes, edit: Edit, file: str = "a.py") -> None:
    with pytest.raises(OperatorError) as refusal:
        apply_edits({file: result}, [edit])
    assert str(refusal.value).strip()
    assert "\n" not in str(refusal.value)


def is_within(some: Sequence[bytes], lines: Sequence[bytes]) -> bool:
    """Whether `some` are among `lines`, in their order."""
    rest = iter(lines)
    return all(line in rest for line in some)


# the cut


def test_what_libcst_cannot_give_back_matters_only_inside_the_function() -> None:
    """libcst loses the blank before that colon: as long as it reads the function alone, nobody needs to know."""
    source = b"try: import fast\nexcept ImportError : fast = None\n\n\ndef f(x):\n    x.step()\n    return x\n"
    edit = Edit("delete_statement", "a.py", "f", {"anchor": "x.step()"})
    assert apply_edits({"a.py": source}, [edit])["a.py"] == source.replace(b"    x.step()\n", b"")
    with pytest.raises(OperatorError, match="same bytes"):
        apply_edits({"a.py": source}, [Edit("add_import", "a.py", "", {"code": "import os"})])


@QUICK
@given(surroundings())
def test_a_cut_is_the_file(around: tuple[list[str], list[str], str, tuple[str, str, bool]]) -> None:
    before, after, place, (tab, newline, _) = around
    case = CASES["delete_statement"][0]
    heads, code, prefix = placed(case, place)
    source = laid_out("".join(before) + heads + code + "".join(after), tab, newline)
    for span in spans_of(source):
        cut = cut_out(source, span.name)
        if cut is not None:
            assert cut.above + cut.definition + cut.below == source
    assert cut_out(source, prefix + "fit") is not None


@pytest.mark.parametrize(
    "source",
    [
        b"def f():\n    x()\ndef f():\n    x()\n",
        b"\xef\xbb\xbfdef f():\n    x()\n",
        b"# coding: latin-1\ndef f():\n    x('\xe9')\n",
        b"def g():\r    y()\rdef f():\r    x()\r",
        b"if 1:\n \x0c   def f():\n        x()\n",
    ],
)
def test_what_cannot_be_cut_out_safely_is_left_to_the_whole_file(source: bytes) -> None:
    assert cut_out(source, "f") is None


class Beside:
    """An operator that breaks its promise."""

    name = "beside"

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        return module.with_changes(body=[*module.body, *cst.parse_module(args["code"]).body])


@pytest.mark.parametrize("code", ["x = 1", "def f():\n    pass", "def g():\n    pass"])
def test_what_would_stand_beside_the_function_is_refused(code: str) -> None:
    source = b"def f():\n    x()\n\n\ndef g():\n    pass\n"
    with pytest.raises(OperatorError, match="beyond"):
        spliced(source, Beside(), "f", {"code": code})


def test_names_that_python_refuses_are_refused() -> None:
    source = b"def f(a):\n    return a\n"
    edit = Edit("replace_function", "a.py", "f", {"code": "def f(a, a):\n    return a\n"})
    with pytest.raises(OperatorError, match="duplicate argument"):
        apply_edits({"a.py": source}, [edit])


def test_names_of_the_function_around_count() -> None:
    source = b"def outer():\n    n = 0\n    def inner():\n        nonlocal n\n        n += 1\n    return inner\n"
    edit = Edit("delete_statement", "a.py", "outer.inner", {"anchor": "n += 1"})
    assert apply_edits({"a.py": source}, [edit])["a.py"] == source.replace(b"        n += 1\n", b"")
