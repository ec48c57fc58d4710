"""Slots hand results back as they end, never wait for an idea, and raise what the work raised."""

import threading

import pytest

from branchlab.agent.slots import Slots
from branchlab.evals.trial import Trial


def row(name: str) -> Trial:
    return Trial(name, "r", "edits", "search", "c", "p", {}, None, (), (), "keep", 0.0)


def test_results_come_back_in_the_order_they_end() -> None:
    gate = threading.Event()
    slots = Slots(2)

    def slow() -> Trial:
        gate.wait(60)
        return row("slow")

    slots.submit(slow)
    assert slots.busy
    assert not slots.full
    slots.submit(lambda: row("quick"))
    assert slots.wait().id == "quick"
    gate.set()
    assert slots.wait().id == "slow"
    assert not slots.busy
    slots.close()


def test_one_more_than_the_slots_may_wait() -> None:
    gate = threading.Event()
    slots = Slots(1)
    for name in ("a", "b"):
        slots.submit(lambda name=name: (gate.wait(60), row(name))[1])  # type: ignore[misc]
    assert slots.full
    gate.set()
    assert {slots.wait().id, slots.wait().id} == {"a", "b"}
    slots.close()


def test_whoever_waits_does_something_meanwhile() -> None:
    gate = threading.Event()
    slots = Slots(1)
    slots.submit(lambda: (gate.wait(60), row("a"))[1])
    assert slots.wait(gate.set, every=0.001).id == "a"  # else it would wait for ever
    slots.close()


def test_what_the_work_raises_is_raised_by_wait() -> None:
    slots = Slots(1)

    def broken() -> Trial:
        raise ValueError("on purpose")

    slots.submit(broken)
    with pytest.raises(ValueError, match="on purpose"):
        slots.wait()
    slots.close()
