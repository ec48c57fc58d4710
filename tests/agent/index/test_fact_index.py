"""Facts that are kept: the same as those read, whatever is wrong with the file they are kept in."""

import ast
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import branchlab
from branchlab.agent.facts import FileFacts
from branchlab.agent.index import NAME, FactIndex, pool
from branchlab.agent.index.analysis import READERS, analyser, unpack
from branchlab.agent.read import read_code
from branchlab.targets.tree import blob_id

SOURCES = {
    "a/train.py": b"from .model import Net\nimport torch.nn as nn\n\n\ndef main():\n    Net(4, width=3)\n    nn.Linear(1, 2)\n",
    "b/train.py": b"from .model import Net\nimport torch.nn as nn\n\n\ndef main():\n    Net(4, width=3)\n    nn.Linear(1, 2)\n",
    "a/model.py": b"class Net:\n    pass\n",
    "bad.py": b"def f(:\n",
    "empty.py": b"",
}
BLOBS = {file: blob_id(data) for file, data in SOURCES.items()}


def facts(index: FactIndex, sources: dict[str, bytes] = SOURCES) -> dict[str, FileFacts | str]:
    return dict(index.facts("ast", {file: blob_id(data) for file, data in sources.items()}, sources))


WANTED = facts(FactIndex())


def missing(index: FactIndex) -> int:
    by_blob = {blob: file for file, blob in BLOBS.items()}
    return index.update("ast", BLOBS.values(), lambda blob: SOURCES[by_blob[blob]])


def test_what_was_read_once_is_not_read_again(tmp_path: Path) -> None:
    with FactIndex(tmp_path / NAME) as index:
        assert missing(index) == 4  # one content stands in two places
    with FactIndex(tmp_path / NAME) as index:
        assert missing(index) == 0
        assert facts(index) == WANTED
        assert index.notes == ()


def test_one_content_in_two_places_means_two_things() -> None:
    first, second = WANTED["a/train.py"], WANTED["b/train.py"]
    assert isinstance(first, FileFacts)
    assert isinstance(second, FileFacts)
    assert [one.module for one in first.imports] == ["a.model", "torch.nn"]
    assert [one.module for one in second.imports] == ["b.model", "torch.nn"]
    assert [call.callee for call in second.calls] == ["b.model.Net", "torch.nn.Linear"]
    assert WANTED["bad.py"] == "syntax error at line 1: invalid syntax"


def garbage(place: Path) -> None:
    place.write_bytes(b"not a database at all" * 500)


def cut_off(place: Path) -> None:
    place.write_bytes(place.read_bytes()[: place.stat().st_size // 2])


def overwritten(place: Path) -> None:
    data = bytearray(place.read_bytes())
    data[len(data) // 3 : len(data)] = b"\xff" * (len(data) - len(data) // 3)
    place.write_bytes(bytes(data))


def another_programs(place: Path) -> None:
    place.unlink()
    with sqlite3.connect(place) as base:
        base.execute("CREATE TABLE facts (blob TEXT, analyser TEXT, record BLOB)")
    base.close()


def other_tables(place: Path) -> None:
    with sqlite3.connect(place) as base:
        base.execute("DROP TABLE facts")
        base.execute("CREATE TABLE facts (name TEXT)")
    base.close()


def bad_records(place: Path) -> None:
    with sqlite3.connect(place) as base:
        base.execute("UPDATE facts SET record = x'789c00'")
    base.close()


def a_text_for_a_record(place: Path) -> None:
    with sqlite3.connect(place) as base:
        base.execute("UPDATE facts SET record = 'x'")
    base.close()


def a_link(place: Path) -> None:
    elsewhere = place.with_name("elsewhere")
    place.rename(elsewhere)
    place.symlink_to(elsewhere)


@pytest.mark.parametrize(
    "spoil", [garbage, cut_off, overwritten, another_programs, other_tables, bad_records, a_text_for_a_record]
)
def test_a_damaged_or_foreign_file_is_made_anew_and_that_is_said(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    place = tmp_path / NAME
    many = SOURCES | {f"m{n}.py": f"def f{n}():\n    return g{n}({n})\n".encode() for n in range(200)}
    with FactIndex(place, processes=1) as index:
        wanted = facts(index, many)
    spoil(place)
    with FactIndex(place, processes=1) as index:
        assert facts(index, many) == wanted
        assert "made anew" in " ".join(index.notes)
    with FactIndex(place) as index:
        assert facts(index, many) == wanted
        assert index.notes == ()


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    with FactIndex(tmp_path / NAME) as index:
        facts(index)
    a_link(tmp_path / NAME)
    before = (tmp_path / "elsewhere").read_bytes()
    with FactIndex(tmp_path / NAME) as index:
        assert facts(index) == WANTED
    assert (tmp_path / "elsewhere").read_bytes() == before
    assert not (tmp_path / NAME).is_symlink()


def test_without_a_place_to_write_facts_are_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with FactIndex(tmp_path / NAME) as index:
        assert facts(index) == WANTED
        assert "not kept" in index.notes[0]


MANY = {
    f"m{n}.py": f"from a import b{n}\n\n\ndef f{n}(x=[{n}]):\n    return b{n}(x, y='{n}')\n".encode()
    for n in range(260)
}


def test_two_processes_find_what_one_finds() -> None:
    with FactIndex(processes=2) as two, FactIndex(processes=1) as one:
        assert facts(two, MANY) == facts(one, MANY)


@pytest.mark.parametrize(
    "program", ["pass", "import sys; sys.stdin.buffer.read(3); print('x' * 100)", "import os; os.abort()"]
)
def test_a_second_process_that_fails_costs_nothing_but_time(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    with FactIndex(processes=1) as one:
        wanted = facts(one, MANY)
    monkeypatch.setattr(pool, "PROGRAM", program)
    with FactIndex(processes=2) as two:
        assert facts(two, MANY) == wanted


def test_two_commands_at_once_share_one_file(tmp_path: Path) -> None:
    program = (
        "import sys; from branchlab.agent.index import FactIndex; from pathlib import Path\n"
        "with FactIndex(Path(sys.argv[1]), processes=1) as index:\n"
        "    texts = {str(n): b'x = %d\\n' % n for n in range(600)}\n"
        "    index.update('ast', texts, texts.__getitem__)\n"
        "    assert not index.notes, index.notes\n"
    )
    place = str(tmp_path / NAME)
    both = [subprocess.Popen([sys.executable, "-c", program, place], stderr=subprocess.PIPE, text=True) for _ in "ab"]
    for one in both:
        assert one.communicate()[1] == ""
        assert one.returncode == 0
    with FactIndex(tmp_path / NAME) as index:
        assert index.update("ast", map(str, range(600)), lambda blob: b"") == 0


def test_the_readers_named_are_all_that_decide_what_a_record_holds() -> None:
    """A new module between a file and its record must change the version, else old records stay."""
    home = Path(branchlab.__file__).parent / "agent"
    seen, waiting = set(), ["index/analysis.py"]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for node in ast.walk(ast.parse((home / name).read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                folder = (home / name).parents[node.level - 1]
                path = folder / f"{(node.module or '').replace('.', '/')}.py"
                assert path.is_file(), path
                waiting.append(path.relative_to(home).as_posix())
    # What a fact looks like as an object, not what it says.
    assert seen - {"code_map.py", "trees.py"} == set(READERS)
    assert analyser("ast").startswith("ast-")
    assert analyser("ast") != analyser("cst")


def test_a_record_of_any_size_is_refused_before_it_fills_the_memory() -> None:
    import zlib

    bomb = zlib.compress(b"[" * (65 << 20), 9)
    with pytest.raises(ValueError, match="larger than any record"):
        unpack(bomb)


def test_a_code_map_is_the_same_from_the_index(tmp_path: Path) -> None:
    plain = read_code("c" * 40, SOURCES)
    for _ in range(2):
        with FactIndex(tmp_path / NAME) as index:
            assert read_code("c" * 40, SOURCES, index=index) == plain


def test_facts_that_are_not_held_are_said() -> None:
    sources = SOURCES | {"z.py": b"def f():\n    g()\n" + b"#" * 400 + b"\n"}
    code = read_code("c", sources, ["a/train.py"], cst_bytes=300, call_bytes=300)
    assert "z.py" not in {call.file for call in code.calls}
    assert code.symbol("z.py", "f")
    assert "1 files are not held" in " ".join(code.notes)
