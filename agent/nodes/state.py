"""What travels through the graph. Ids only: a checkpoint is written after every node."""

from typing import TypedDict


class State(TypedDict):
    proposal: str
    """Record id of the proposal on its way; empty between two."""
    finished: str
    """Id of the trial that just ended; empty when none did."""


IDLE = State(proposal="", finished="")
