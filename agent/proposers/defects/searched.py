"""Which files detectors look at: all but tests; of a huge repository those that matter for its entry points."""

from ...code_map import CodeMap

MAX_BYTES = 1_500_000
"""Source that detectors look at, about 35,000 lines. They read files against each other, at some thousand lines a second."""


def searched(code: CodeMap) -> tuple[str, ...]:
    """Python files without tests, which train in odd ways on purpose, sorted. Beyond `MAX_BYTES` only the most relevant.

    A map that was put together without relevance is searched whole.
    """
    files = [file for file in sorted(code.sources) if file.endswith(".py") and not is_test(file, code.sources[file])]
    if not code.relevance or sum(len(code.sources[file]) for file in files) <= MAX_BYTES:
        return tuple(files)
    known, left = set(files), MAX_BYTES
    found: list[str] = []
    for file in code.relevance:
        if file in known and len(code.sources[file]) <= left:
            left -= len(code.sources[file])
            found.append(file)
    return tuple(sorted(found))


def is_test(path: str, data: bytes) -> bool:
    """`test.py` and `test_model.py` may well be scripts that evaluate; `test_model.py` with `def test_...` is not one."""
    *folders, name = path.split("/")
    if {"test", "tests", "testing"} & set(folders) or name == "conftest.py":
        return True
    return (name.startswith("test_") or name.endswith("_test.py")) and b"def test_" in data
