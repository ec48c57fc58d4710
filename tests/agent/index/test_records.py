"""What is kept of a file comes back as it was."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.agent.ast_facts import ast_record
from branchlab.agent.facts import Record
from branchlab.agent.index.analysis import analyse, pack, unpack

TEXT = st.text(st.characters(), max_size=30)  # lone surrogates included: a literal may hold them
NUMBER = st.integers(0, 10**6)
RECORDS = st.builds(
    Record,
    symbols=st.lists(st.tuples(TEXT, st.sampled_from(["class", "function"]), NUMBER, NUMBER, TEXT), max_size=3),
    bases=st.dictionaries(TEXT, st.lists(TEXT, max_size=2), max_size=2),
    imports=st.lists(st.tuples(NUMBER, NUMBER, TEXT, st.none() | TEXT, TEXT), max_size=3),
    calls=st.lists(st.tuples(NUMBER, TEXT, TEXT, NUMBER, st.dictionaries(TEXT, TEXT, max_size=2)), max_size=3),
    texts=st.lists(st.tuples(NUMBER, TEXT, TEXT, st.lists(TEXT, max_size=2)), max_size=2),
    is_script=st.booleans(),
)


@given(RECORDS)
def test_a_record_comes_back(record: Record) -> None:
    back = unpack(pack(record))
    assert isinstance(back, Record)
    assert back.placed("a/b.py", "ast") == record.placed("a/b.py", "ast")


@given(TEXT.filter(lambda text: text.isprintable()))
def test_a_reason_comes_back(reason: str) -> None:
    assert unpack(pack(reason)) == reason


@given(st.binary(max_size=200))
def test_bytes_that_are_no_record_are_refused_in_one_way(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"record|cut off"):
        unpack(data)


@pytest.mark.parametrize(
    ("source", "signature"),
    [
        ("def f(a, b=3, *, c: int = 4, **d): pass", "f(a, b=3, *, c: int = 4, **d)"),
        ("def f(a, /, b, *args: str, c): pass", "f(a, /, b, *args: str, c)"),
        ("async def f(): pass", "f()"),
        ("def f(é='ü€'): pass", "f(é='ü€')"),
    ],
)
def test_a_signature_reads_as_it_is_written(source: str, signature: str) -> None:
    assert ast_record(source, ast.parse(source)).symbols[0][4] == signature


def test_what_is_nested_too_deep_is_a_reason_and_no_crash() -> None:
    assert "nested" in str(unpack(analyse("ast", b"x = a" + b".b" * 150 + b"\n")))
    assert isinstance(unpack(analyse("ast", b"x = a" + b".b" * 90 + b"\n")), Record)


def test_thousands_of_assignments_are_read_by_ast_and_refused_by_libcst() -> None:
    table = b"def f(): pass\n" + b"x = 1\n" * 6_000
    assert isinstance(unpack(analyse("ast", table)), Record)
    assert "6,000 assignments" in str(unpack(analyse("cst", table)))
