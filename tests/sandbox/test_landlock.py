"""The rights of each version of the interface, and that the kernel holds them."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from branchlab.sandbox import landlock
from branchlab.sandbox.landlock import Access, Net, Scope


def abi() -> int:
    try:
        return landlock.version()
    except OSError as error:
        pytest.skip(f"no Landlock here: {error}")


# From the table "Current limitations / ABI" of the kernel's documentation: the mask of all file rights by version.
@pytest.mark.parametrize(
    ("version", "mask"), [(1, 0x1FFF), (2, 0x3FFF), (3, 0x7FFF), (4, 0x7FFF), (5, 0xFFFF), (6, 0xFFFF), (7, 0xFFFF)]
)
def test_file_rights_by_version(version: int, mask: int) -> None:
    assert landlock.accesses(version) == mask


def test_network_and_scopes_by_version() -> None:
    assert [int(landlock.nets(version)) for version in (1, 3, 4, 7)] == [0, 0, 3, 3]
    assert [int(landlock.scopes(version)) for version in (1, 5, 6, 7)] == [0, 0, 3, 3]


def test_an_older_kernel_is_asked_for_no_more_than_it_knows() -> None:
    everything = (Access(0xFFFF), Net(3), Scope(3))
    assert landlock.attributes(1, *everything) == struct.pack("=Q", 0x1FFF)
    assert landlock.attributes(3, *everything) == struct.pack("=Q", 0x7FFF)
    assert landlock.attributes(4, *everything) == struct.pack("=2Q", 0x7FFF, 3)
    assert landlock.attributes(5, *everything) == struct.pack("=2Q", 0xFFFF, 3)
    assert landlock.attributes(6, *everything) == struct.pack("=3Q", 0xFFFF, 3, 3)
    assert landlock.attributes(9, Access(0), Net(0), Scope.SIGNAL) == struct.pack("=3Q", 0, 0, 2)


@pytest.mark.parametrize("older", range(1, 8))
def test_the_kernel_takes_the_rules_of_every_version_up_to_its_own(older: int) -> None:
    if older > abi():
        pytest.skip("newer than this kernel")
    os.close(landlock.ruleset(older, landlock.accesses(older), landlock.nets(older), landlock.scopes(older)))


def in_child(action: Callable[[], None]) -> int:
    """Exit status of a child of its own, because rules cannot be taken back."""
    child = os.fork()
    if child == 0:
        try:
            action()
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def refused(action: Callable[[], object]) -> int:
    try:
        action()
    except PermissionError:
        return 1
    return 0


def test_only_what_is_allowed_can_be_done(tmp_path: Path) -> None:
    version = abi()
    given, kept = tmp_path / "given", tmp_path / "kept"
    for folder in (given, kept):
        folder.mkdir()
        (folder / "file").write_text("x")

    def action() -> None:
        rules = landlock.ruleset(version, landlock.accesses(version), Net(0), Scope(0))
        landlock.allow(rules, [(str(given), Access.READ_FILE), (str(tmp_path / "missing"), Access.READ_FILE)])
        landlock.enter(rules)
        bits = refused((kept / "file").read_text) << 1 | refused(lambda: (given / "file").write_text("y")) << 2
        os._exit(refused((given / "file").read_text) | bits | refused(lambda: os.listdir(given)) << 3)

    assert in_child(action) == 0b1110
    assert (given / "file").read_text() == "x"


def test_a_folders_right_on_a_file_is_left_out_and_not_an_error(tmp_path: Path) -> None:
    version = abi()
    (tmp_path / "file").write_text("x")

    def action() -> None:
        rules = landlock.ruleset(version, landlock.accesses(version), Net(0), Scope(0))
        landlock.allow(rules, [(str(tmp_path / "file"), Access.READ_FILE | Access.READ_DIR | Access.MAKE_REG)])
        landlock.enter(rules)
        os._exit(refused((tmp_path / "file").read_text))

    assert in_child(action) == 0


def test_the_kernels_no_is_an_error_that_says_where(tmp_path: Path) -> None:
    rules = landlock.ruleset(abi(), Access.READ_FILE, Net(0), Scope(0))
    try:
        with pytest.raises(OSError, match=str(tmp_path)):
            landlock.allow(rules, [(str(tmp_path), Access.WRITE_FILE)])  # a right these rules do not withhold
    finally:
        os.close(rules)
