"""The card of trivial baselines: what answers that know nothing score, before anything is tried."""

import shutil
import uuid
from functools import partial
from pathlib import Path

from ...evals.charges import CARD
from ...evals.trial import Run
from ...evals.trivial.card import Bench, Card, make_card, start_alarm, start_of
from ..attempt import Interrupted
from ..events import Note
from ..lab import Lab


def trivial_baselines(lab: Lab) -> None:
    """Makes the card, once in a run, and says so when the untouched code is no better than one answer for everything.

    Nothing for a target whose judge cannot score predictions by themselves.
    """
    if not lab.target.steps.score:
        return
    kept = lab.journal.ledger.run(lab.run_id).settings
    if "trivial" not in kept:
        card = lab.slots.run(partial(_made, lab), lab.journal.meter)
        kept = card.settings()
        said = f"no trivial baselines: {card.reason}" if card.reason else _shown(card)
        lab.say(Note(said))
    start = start_of([run for trial in lab.journal.trials("baseline", "calibrate") for run in trial.runs])
    if alarm := start_alarm(kept, start, lab.target.metric.direction):
        lab.say(Note(alarm, "alarm"))
    shutil.rmtree(lab.template, ignore_errors=True)


def _made(lab: Lab) -> Card:
    """In a slot. Raises: Interrupted when the run is stopping; what the card used until then is charged."""
    folder = lab.folder / "scratch" / f"trivial-{uuid.uuid4().hex[:12]}"
    lab.journal.begin(CARD, "baseline")
    try:
        bench = Bench(
            predictions=lab.template,
            inputs=lab.judge.inputs("search"),
            scratch=folder,
            score=partial(_scored, lab),
            maximize=lab.target.metric.direction == "maximize",
        )
        card = (
            make_card(bench) if lab.template.is_dir() else Card(reason="no predictions of the untouched code were kept")
        )
        lab.journal.keep_card(card)
        return card
    finally:
        lab.journal.cut_off(CARD)  # nothing once the card is kept
        shutil.rmtree(folder, ignore_errors=True)


def _scored(lab: Lab, predictions: Path) -> Run:
    if lab.stopping.is_set():
        raise Interrupted
    run = lab.judge.score_predictions(predictions, "search")
    if lab.stopping.is_set():
        raise Interrupted
    return run


def _shown(card: Card) -> str:
    scores = [f"{name} {value:.4g}" for name, value in card.entries.items() if isinstance(value, float)]
    return f"trivial baselines: {', '.join(scores) or 'none could be scored'}"
