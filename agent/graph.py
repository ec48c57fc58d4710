"""The loop, on one screen. Every node calls one function; ids are in the state, facts in the ledger.

    read ─ calibrate ─ probe ─┬─ propose ─┐                      ┌─ judge ─┐
                              ├─ merge ───┼─ check ─ branch ─ run ┤         ├─ (next) … confirm ─ attribute ─ scale_up ─ seal ─ report
                              ├─ tune ────┤      └── refused ─────┴─────────┘
                              └─ rerun ───┘

The arms are interleaved: `next_step` sends each free device slot to the arm that has used least of its share.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..targets.errors import LedgerError
from .lab import Lab
from .nodes.attempting import branch, check
from .nodes.attributing import attribute
from .nodes.finishing import confirm, report, seal
from .nodes.ideas import merge, propose
from .nodes.probing import probe
from .nodes.reading import calibrate, read
from .nodes.rerunning import rerun
from .nodes.running import judge, run
from .nodes.scaling import scale_up
from .nodes.state import IDLE, State
from .nodes.steering import after_check, after_run, next_step
from .nodes.tuning import tune

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

STEPS = ["propose", "merge", "tune", "rerun", "run", "confirm"]


def build(lab: Lab, checkpointer: Any) -> "CompiledStateGraph[State, Any, State, State]":
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(State)
    nodes: tuple[Callable[[Lab, State], State], ...] = (
        read, calibrate, probe, propose, merge, tune, rerun, check, branch, run, judge, confirm, attribute, scale_up, seal, report,
    )  # fmt: skip
    for node in nodes:
        graph.add_node(node.__name__, partial(node, lab))
    graph.add_edge(START, "read")
    graph.add_edge("read", "calibrate")
    graph.add_edge("calibrate", "probe")
    graph.add_conditional_edges("probe", partial(next_step, lab), STEPS)
    for idea in ("propose", "merge", "tune", "rerun"):
        graph.add_edge(idea, "check")
    graph.add_conditional_edges("check", partial(after_check, lab), ["branch", *STEPS])
    graph.add_edge("branch", "run")
    graph.add_conditional_edges("run", partial(after_run, lab), ["judge", *STEPS])
    graph.add_conditional_edges("judge", partial(next_step, lab), STEPS)
    graph.add_edge("confirm", "attribute")
    graph.add_edge("attribute", "scale_up")
    graph.add_edge("scale_up", "seal")
    graph.add_edge("seal", "report")
    graph.add_edge("report", END)
    return graph.compile(checkpointer=checkpointer)


def drive(lab: Lab, checkpoints: Path) -> None:
    """Runs the graph to its end, from its last checkpoint where there is one.

    Raises:
        LedgerError: the checkpoints cannot be read or written; every finished trial is in the ledger all the same.
    """
    import sqlite3
    from contextlib import closing

    from langgraph.checkpoint.sqlite import SqliteSaver

    config: Any = {"configurable": {"thread_id": lab.run_id}, "recursion_limit": 1_000_000}
    try:
        with closing(sqlite3.connect(checkpoints, check_same_thread=False)) as connection:
            graph = build(lab, SqliteSaver(connection))
            begun = graph.get_state(config).next
            graph.invoke(None if begun else IDLE, config, durability="sync")
    except sqlite3.Error as error:
        raise LedgerError(
            "the run's checkpoints cannot be used", where=str(checkpoints), found=str(error),
            fix=f"free the disk, then branchlab run --resume {lab.run_id}",
        ) from error  # fmt: skip
