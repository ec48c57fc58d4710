import hashlib
import json
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from branchlab.sandbox.files import freeze, list_artifacts, read_regular, strict_json
from branchlab.sandbox.runner import Limits
from branchlab.targets.errors import ArtifactError

LIMITS = Limits(wall_seconds=1, disk_mb=1)


@pytest.mark.parametrize(
    "text",
    [
        "NaN", "Infinity", "-Infinity", '{"a": NaN}', "1e999", "-1e999", "[1e400]", "9" * 5000, "[" * 200_000,
        '{"a":' * 40 + "1" + "}" * 40, '{"a": 1, "a": 2}', '{"x": {"a": 1, "a": 1}}', "", "prose", "{'a': 1}", "[1,]",
        '{"a": 1} trailing', '"' + '\\"' * 100_000, '"[' * 33 + '\\', '"open', "\ufeff{}",
    ],
    ids=lambda text: text[:20] or "empty",
)  # fmt: skip
def test_a_document_with_more_than_one_meaning_is_refused(text: str) -> None:
    with pytest.raises(ArtifactError):
        strict_json(text.encode())


@pytest.mark.parametrize("data", ['{"a": 1}'.encode("utf-16"), '{"a": 1}'.encode("utf-32"), b'"\xff"', b"\xed\xa0\x80"])
def test_other_encodings_are_refused(data: bytes) -> None:
    with pytest.raises(ArtifactError):
        strict_json(data)


def test_types_are_the_callers_to_check() -> None:
    assert strict_json(b'{"accuracy": true, "b": "0.99", "c": [1, -2.5e-3, null], "d": "[[[\\"{{"}') == {
        "accuracy": True, "b": "0.99", "c": [1, -0.0025, None], "d": '[[["{{',
    }  # fmt: skip


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_every_plain_document_comes_back_as_it_was(value: object) -> None:
    assert strict_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    with suppress(ArtifactError):
        strict_json(data)


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x").write_bytes(b"data")
    assert read_regular(tmp_path, "a/b/x", 4) == b"data"


def _link_to_file(root: Path, secret: Path) -> None:
    (root / "x").symlink_to(secret)


def _link_to_folder(root: Path, secret: Path) -> None:
    (root / "d").symlink_to(secret.parent)


def _link_to_device(root: Path, secret: Path) -> None:
    (root / "x").symlink_to("/dev/zero")


def _hard_link(root: Path, secret: Path) -> None:
    (root / "x").hardlink_to(secret)


def _pipe(root: Path, secret: Path) -> None:
    os.mkfifo(root / "x")


def _folder(root: Path, secret: Path) -> None:
    (root / "x").mkdir()


def _large(root: Path, secret: Path) -> None:
    with open(root / "x", "wb") as file:
        file.truncate(1 << 40)


def _nothing(root: Path, secret: Path) -> None:
    return


@pytest.mark.parametrize(
    ("plant", "rel"),
    [
        (_link_to_file, "x"), (_link_to_folder, "d/key"), (_link_to_device, "x"), (_hard_link, "x"), (_pipe, "x"),
        (_folder, "x"), (_large, "x"), (_nothing, "x"), (_nothing, "../private/key"), (_nothing, "a/../../private/key"),
        (_nothing, "/etc/passwd"), (_nothing, ""), (_nothing, "."), (_nothing, "x\0y"), (_nothing, "a" * 5000),
    ],
)  # fmt: skip
def test_anything_but_a_plain_file_is_refused(tmp_path: Path, plant: object, rel: str) -> None:
    root, private = tmp_path / "out", tmp_path / "private"
    root.mkdir()
    private.mkdir()
    (private / "key").write_text("secret")
    assert callable(plant)
    plant(root, private / "key")
    with pytest.raises(ArtifactError):
        read_regular(root, rel, 1000)


def test_listing_and_freezing_take_plain_files_only(tmp_path: Path) -> None:
    src = tmp_path / "out"
    (src / "deep").mkdir(parents=True)
    (src / "deep" / "model.bin").write_bytes(b"weights")
    (src / "evil").symlink_to("/etc/passwd")
    (src / "elsewhere").symlink_to("/etc")
    os.mkfifo(src / "pipe")
    (src / "one").write_text("x")
    (src / "two").hardlink_to(src / "one")
    (src / os.fsdecode(b"not-text-\xff")).write_text("x")
    found = list_artifacts(src)
    assert [(a.path, a.size, a.sha256) for a in found] == [
        ("deep/model.bin", 7, hashlib.sha256(b"weights").hexdigest())
    ]
    (src / os.fsdecode(b"not-text-\xff")).unlink()
    assert freeze(src, tmp_path / "frozen", LIMITS) == found
    copies = [p for p in (tmp_path / "frozen").rglob("*") if p.is_file()]
    assert [p.name for p in copies] == ["model.bin"]
    assert copies[0].stat().st_mode & 0o222 == 0


def test_freezing_stops_at_the_disk_limit(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in "ab":
        (tmp_path / "out" / name).write_bytes(bytes(700_000))
    with pytest.raises(ArtifactError):
        freeze(tmp_path / "out", tmp_path / "frozen", LIMITS)


def test_files_of_holes_are_not_read_for_hours(tmp_path: Path) -> None:
    """They cost the run no disk: a thousand of them at the disk limit each would keep us busy for days."""
    for name in ("a", "c"):
        with open(tmp_path / name, "wb") as file:
            file.truncate(1 << 40)
    (tmp_path / "b").write_bytes(b"x")
    assert [artifact.path for artifact in list_artifacts(tmp_path)] == ["b"]
    with pytest.raises(ArtifactError):
        freeze(tmp_path, tmp_path / "frozen", LIMITS)


def test_a_file_that_becomes_a_link_while_it_is_read_gives_nothing_away(tmp_path: Path) -> None:
    """Somebody swaps the file, and the folder it is in, as fast as can be; what is read is the file or nothing."""
    root, private = tmp_path / "out", tmp_path / "private"
    for folder in (root / "d", root / "e", private):
        folder.mkdir(parents=True)
        (folder / "x").write_text("secret" if folder == private else "plain")
    (root / "link").symlink_to(private)
    (root / "far").symlink_to(private / "x")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            for name, other in (("d", "link"), ("e/x", "far")):
                one, two, aside = root / name, root / other, root / "aside"
                with suppress(OSError):
                    one.rename(aside)
                    two.rename(one)
                    aside.rename(two)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set()
    try:
        for number in range(4000):
            with suppress(ArtifactError):
                seen.add(read_regular(root, ("d/x", "e/x")[number % 2], 100))
    finally:
        done.set()
        swapper.join()
    assert seen == {b"plain"}


@settings(deadline=None)
@given(
    st.binary(max_size=300) | st.text(max_size=300).map(str.encode) | JSON.map(lambda value: json.dumps(value).encode())
)
def test_what_is_accepted_has_one_meaning(data: bytes) -> None:
    """The same as the plain reader's, every number finite, no key twice, of no great depth."""
    try:
        value = strict_json(data)
    except ArtifactError:
        return
    assert value == json.loads(data)

    def walk(inner: object, depth: int = 0) -> None:
        assert depth <= 32
        assert not isinstance(inner, float) or abs(inner) < float("inf")
        for part in inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ():
            walk(part, depth + 1)

    walk(value)
