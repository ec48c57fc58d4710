from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from branchlab.evals.compare import Comparison, compare
from branchlab.evals.ledger import Ledger, RunRecord
from branchlab.evals.trial import Arm, Decision, Phase, ProposalRecord, Run, Score, Trial
from branchlab.targets.errors import LedgerError

BASE = "b" * 40
SEEDS = (100, 101, 102, 103, 104, 105, 106, 107)
WOBBLE = (0.001, -0.002, 0.003, -0.001, 0.002, -0.003, 0.001, -0.001)


class Story:
    """Writes the rows of a run a test wants to be told."""

    def __init__(self, ledger: Ledger, **settings: Any) -> None:
        self.ledger, self.count = ledger, 0
        settings = {"metric": "accuracy", "direction": "maximize", "integrity": "separate"} | settings
        ledger.start_run(RunRecord("r", "toy", BASE, 1.0, settings=settings))

    def trial(
        self, arm: Arm, phase: Phase, commit: str, scores: Mapping[int, float | None], *, seconds: float = 10.0,
        **how: Any,
    ) -> Trial:  # fmt: skip
        self.count += 1
        split = "search" if phase == "calibrate" else phase
        runs = tuple(self._run(seed, split, value, seconds / len(scores)) for seed, value in scores.items())
        decision: Decision = "crash" if None in scores.values() else "keep"
        trial = Trial(f"t{self.count}", "r", arm, phase, commit, BASE, {}, None, runs, (), decision, seconds)
        trial = replace(trial, **how)
        self.ledger.add_trial(trial)
        return trial

    def _run(self, seed: int, split: str, value: float | None, seconds: float) -> Run:
        score, status = (None, "timeout") if value is None else (Score("accuracy", value), "ok")
        return Run(seed, split, status, "", score, seconds, seconds / 2, 1.0, "", "bubblewrap (watchdog)")

    def confirm(
        self, arm: Arm, commit: str, level: float, *, phase: Phase = "confirm", wobble: Sequence[float] = WOBBLE
    ) -> None:
        """One trial a seed, as a run writes them."""
        for seed, luck in zip(SEEDS, wobble, strict=True):
            self.trial(arm, phase, commit, {seed: level + luck}, seconds=1.0)

    def search(self, arm: Arm, commit: str, level: float, **how: Any) -> Trial:
        return self.trial(arm, "search", commit, {0: level, 1: level + 0.002}, **how)

    def proposal(self, name: str, kind: str, commit: str | None, *, edits: int = 1, arm: Arm = "edits") -> str:
        edit = {"operator": "x", "file": "train.py", "symbol": "", "arguments": {}}
        self.ledger.add_proposal(
            ProposalRecord(
                name, "r", arm, kind, kind, f"Do {name}", "", (), (edit,) * edits, "defects", BASE, commit, "", ""
            )
        )
        return name

    def told(self) -> Comparison:
        return compare(self.ledger, "r")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    yield opened
    opened.close()


def full_story(ledger: Ledger, *, edits: float, tuner: float, both: float, sign: float = 1.0) -> Story:
    """Three search arms with these gains over 0.5, on fresh seeds with some luck in them."""
    story = Story(ledger, direction="maximize" if sign > 0 else "minimize")
    story.trial("baseline", "calibrate", BASE, {0: 0.5, 1: 0.502})
    story.confirm("baseline", BASE, 0.5)
    for arm, commit, gain in (("tuner", "t", tuner), ("edits", "e", edits), ("edits+tuner", "m", both)):
        for _ in range(12):
            story.search(arm, commit, 0.5 + sign * gain)  # type: ignore[arg-type]
        luck = [-w / 2 for w in WOBBLE] if arm != "edits" else [w / 3 for w in WOBBLE]
        story.confirm(arm, commit, 0.5 + sign * gain, wobble=luck)  # type: ignore[arg-type]
        story.confirm(arm, commit, 0.5 + sign * gain, wobble=luck, phase="sealed")  # type: ignore[arg-type]
    story.confirm("baseline", BASE, 0.5, phase="sealed")
    return story


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_edits_that_win_are_said_to_win_in_either_direction(ledger: Ledger, sign: float) -> None:
    told = full_story(ledger, edits=0.10, tuner=0.02, both=0.12, sign=sign).told()
    gains = {arm.arm: arm.gain.mean for arm in told.arms if arm.gain}
    assert gains == {"tuner": pytest.approx(0.02), "edits": pytest.approx(0.10), "edits+tuner": pytest.approx(0.12)}
    assert told.edits_minus_tuner is not None
    assert told.edits_minus_tuner.mean == pytest.approx(0.08)
    assert told.verdict.startswith(
        "For toy, at equal compute (120 device seconds an arm), code edits gained +0.1 ["
    )  # fmt: skip
    assert "code edits beat hyperparameter tuning by 0.08 [" in told.verdict
    assert "8 fresh seeds" in told.verdict
    assert not told.no_signal


def test_tuning_that_wins_is_said_to_win(ledger: Ledger) -> None:
    assert (
        "hyperparameter tuning beat code edits by" in full_story(ledger, edits=0.01, tuner=0.1, both=0.1).told().verdict
    )


def test_a_tie_is_called_a_tie(ledger: Ledger) -> None:
    told = full_story(ledger, edits=0.0501, tuner=0.05, both=0.05).told()
    assert "is a tie" in told.verdict
    assert "untouched code" in told.verdict
    assert "neither" not in told.verdict  # both beat the untouched code


def test_a_tie_with_the_untouched_code_says_so(ledger: Ledger) -> None:
    told = full_story(ledger, edits=0.0, tuner=0.0, both=0.0).told()
    assert "is a tie" in told.verdict
    assert "neither can be told apart from the untouched code" in told.verdict
    assert any("not that there is none" in caveat for caveat in told.caveats)
    assert not told.no_signal


def test_a_reviewed_branch_that_is_worse_is_not_called_a_tie(ledger: Ledger) -> None:
    story = Story(ledger, arms=["baseline", "review"])
    story.confirm("baseline", BASE, 0.5)
    story.confirm("review", "branch", 0.4, wobble=WOBBLE[::-1])
    assert "the reviewed branch did worse than the untouched code" in story.told().verdict


def test_nothing_confirmed_is_no_signal(ledger: Ledger) -> None:
    story = Story(ledger, arms=["baseline", "edits"])
    story.trial("baseline", "calibrate", BASE, {0: 0.5, 1: 0.5})
    story.search("edits", "e", 0.9)
    told = story.told()
    assert told.no_signal
    assert "nothing was confirmed" in told.verdict
    assert [arm.gain for arm in told.arms] == [None, None]


def test_a_run_without_any_row_is_compared_too(ledger: Ledger) -> None:
    told = Story(ledger).told()
    assert (told.no_signal, told.arms) == (True, ())


def test_every_confirmation_that_failed_is_no_signal(ledger: Ledger) -> None:
    story = Story(ledger)
    story.confirm("baseline", BASE, 0.5)
    story.trial("edits", "confirm", "e", dict.fromkeys(SEEDS))
    told = story.told()
    assert told.no_signal
    edits = told.arm("edits")
    assert edits is not None
    assert (edits.failures, edits.confirm_score) == ({"timeout": 8}, None)


def test_the_winner_found_by_luck_shows_search_and_confirmation_apart(ledger: Ledger) -> None:
    story = Story(ledger)
    story.confirm("baseline", BASE, 0.5)
    story.search("tuner", "loser", 0.6, params={"a::X": 1})
    story.search("tuner", "lucky", 0.9, params={"a::X": 2})
    story.confirm("tuner", "lucky", 0.5, wobble=[-w for w in WOBBLE])
    tuner = story.told().arm("tuner")
    assert tuner is not None
    assert (tuner.commit, tuner.params) == ("lucky", {"a::X": 2})
    assert tuner.search_score == pytest.approx(0.901)
    assert tuner.confirm_score == pytest.approx(0.5)
    assert tuner.gain is not None
    assert tuner.gain.tie


def test_an_arm_that_found_nothing_is_confirmed_as_the_code_itself_and_ties_exactly(ledger: Ledger) -> None:
    story = Story(ledger)
    story.trial("baseline", "calibrate", BASE, {0: 0.5, 1: 0.6})
    story.confirm("baseline", BASE, 0.5)
    story.confirm("edits", BASE, 0.5)
    told = story.told()
    edits = told.arm("edits")
    assert edits is not None
    assert edits.gain is not None
    assert (edits.gain.mean, edits.gain.low, edits.gain.high) == (0.0, 0.0, 0.0)
    assert edits.search_score == pytest.approx(0.55)
    assert any("found nothing better" in caveat for caveat in told.caveats)


def test_cost_counts_every_trial_and_every_charge(ledger: Ledger) -> None:
    story = Story(ledger)
    story.search("edits", "e", 0.6, seconds=10.0)
    story.trial("edits", "search", "x", {0: None}, seconds=30.0)
    story.confirm("edits", "e", 0.6)
    ledger.charge_device("r", "edits", seconds=5.0, purpose="cut off")
    ledger.charge_model("r", "edits", model="m", input_tokens=1, output_tokens=1, dollars=0.5, purpose="p")
    ledger.charge_model("r", "edits", model="m", input_tokens=1, output_tokens=1, dollars=None, purpose="p")
    story.proposal("refused", "data", None)
    edits = story.told().arm("edits")
    assert edits is not None
    assert (edits.trials, edits.failures, edits.refused) == (2, {"timeout": 1}, 1)
    assert (edits.device_seconds, edits.search_seconds, edits.cpu_seconds) == (53.0, 40.0, 24.0)
    assert (edits.dollars, edits.unpriced_calls) == (0.5, 1)


def test_unequal_compute_is_said_in_the_sentence_and_in_a_caveat(ledger: Ledger) -> None:
    story = full_story(ledger, edits=0.1, tuner=0.0, both=0.1)
    for _ in range(12):
        story.search("edits", "more", 0.5)
    told = story.told()
    assert not told.equal_compute.equal
    assert told.equal_compute.spread == pytest.approx(0.5)
    assert "at unequal compute (120 to 240 device seconds)" in told.verdict
    assert any("did not use the same compute" in caveat for caveat in told.caveats)


def test_an_arm_that_had_nothing_to_try_did_not_use_the_same_compute(ledger: Ledger) -> None:
    story = Story(ledger, arms=["baseline", "random", "tuner", "edits"], plan={"share": 40.0})
    for arm in ("random", "tuner"):
        for _ in range(4):
            story.search(arm, "c", 0.5)
    check = story.told().equal_compute
    assert (check.seconds["edits"], check.equal, check.within) == (0.0, False, True)


def test_a_difference_of_one_trial_is_equal_compute(ledger: Ledger) -> None:
    story = Story(ledger)
    for arm, number in (("tuner", 5), ("edits", 4)):
        for _ in range(number):
            story.search(arm, "c", 0.5)  # type: ignore[arg-type]
    assert story.told().equal_compute.equal


def test_single_edits_are_held_against_their_parent_and_several_at_once_are_not(ledger: Ledger) -> None:
    story = Story(ledger)
    story.trial("baseline", "calibrate", BASE, {0: 0.5, 1: 0.5, 7: 0.9})
    fix = story.proposal("fix", "bug_fix", "f1")
    grow = story.proposal("grow", "architecture", "g1")
    pair = story.proposal("pair", "architecture", "p1", edits=2)
    crash = story.proposal("crash", "architecture", "x1")
    story.proposal("never", "data", None)
    story.search("edits", "f1", 0.6, proposal_id=fix)
    story.search("edits", "g1", 0.58, proposal_id=grow, parent="f1")
    story.search("edits", "p1", 0.9, proposal_id=pair)
    story.trial("edits", "search", "x1", {0: None}, proposal_id=crash)
    told = story.told()
    assert {e.proposal_id: e.gain.mean for e in told.edits} == {
        "fix": pytest.approx(0.101), "grow": pytest.approx(-0.02), "crash": None,
    }  # fmt: skip
    rows = {row.kind: (row.tried, row.failed, row.refused) for row in told.kinds}
    assert rows == {"bug_fix": (1, 0, 0), "architecture": (2, 1, 0), "data": (0, 0, 1)}
    assert [row.kind for row in told.kinds] == ["bug_fix", "architecture", "data"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"integrity": "same-process"}, "same-process"),
        ({}, "per-example"),
    ],
)
def test_caveats_say_what_the_numbers_rest_on(ledger: Ledger, change: dict[str, str], words: str) -> None:
    story = Story(ledger, **change)
    story.confirm("baseline", BASE, 0.5)
    story.confirm("edits", "e", 0.6, wobble=[w / 2 for w in WOBBLE])
    assert any(words in caveat for caveat in story.told().caveats)


def test_few_seeds_a_missing_seed_and_a_second_opening_are_said(ledger: Ledger) -> None:
    story = Story(ledger)
    story.trial("baseline", "confirm", BASE, {100: 0.5, 101: 0.51, 102: 0.49})
    story.trial("edits", "confirm", "e", {100: 0.6, 101: 0.62, 102: None})
    ledger.open_sealed("r")
    ledger.open_sealed("r")
    told = " ".join(story.told().caveats)
    assert "2 seeds: a sign-flip test cannot go below p = 0.5" in told
    assert "no counterpart" in told
    assert "opened 2 times" in told


def test_a_gain_the_sealed_split_does_not_uphold_is_said(ledger: Ledger) -> None:
    story = full_story(ledger, edits=0.1, tuner=0.05, both=0.1)
    for seed in SEEDS:  # later rows of the same seeds: the sealed split says otherwise
        story.trial("edits", "sealed", "e", {seed: 0.5 + (0.01 if seed % 2 else -0.01)})
    assert any(caveat.startswith("edits: the sealed split does not uphold") for caveat in story.told().caveats)


def test_hostile_names_stay_on_one_line(ledger: Ledger) -> None:
    story = Story(ledger, metric="acc\x1b[31m\nuracy")
    story.confirm("baseline", BASE, 0.5)
    story.confirm("edits", "e", 0.6, wobble=[w / 2 for w in WOBBLE])
    assert story.told().verdict.isprintable()


def test_the_same_rows_give_the_same_comparison(ledger: Ledger) -> None:
    story = full_story(ledger, edits=0.1, tuner=0.05, both=0.1)
    assert story.told() == story.told()


def test_an_unknown_run_is_named(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no run nobody"):
        compare(ledger, "nobody")
