import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from branchlab.sandbox.output import OutputRing, printable


@given(st.lists(st.binary(max_size=50)), st.integers(2, 40))
def test_head_and_tail_are_exactly_the_ends(chunks: list[bytes], limit: int) -> None:
    ring = OutputRing(limit)
    for chunk in chunks:
        ring.feed(chunk)
    whole, half = b"".join(chunks), limit // 2
    assert ring.total == len(whole)
    assert ring.truncated == (len(whole) > 2 * half)
    head, tail = ring.texts()
    if ring.truncated:
        assert head == printable(whole[:half].decode("utf-8", "replace"))
        assert tail == printable(whole[-half:].decode("utf-8", "replace"))
    else:
        assert (head, tail) == (printable(whole.decode("utf-8", "replace")), "")


def test_memory_stays_bounded() -> None:
    ring = OutputRing(1024)
    for _ in range(1000):
        ring.feed(b"x" * 65536)
    assert len(ring._tail) <= 2 * 1024 + 65536
    assert [len(text) for text in ring.texts()] == [512, 512]


@given(st.text())
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    left = set(printable(text)) - {"\n", "\t"}
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs") for c in left)
    assert printable(printable(text)) == printable(text)


def test_escape_sequences_and_direction_overrides() -> None:
    assert printable("\x1b]0;title\x07a\u202eb\r\nc\td\x9bm") == "]0;titleab\nc\tdm"
