from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from branchlab.evals.trial import Params, Score
from branchlab.evals.tuners import NEED_RUNGS, TUNERS, Tuner, about, check_tuner, make_tuner
from branchlab.targets.errors import TargetError, UsageError
from branchlab.targets.tunable import Tunable, Value


def tunable(name: str, default: Value, **how: Any) -> Tunable:
    return Tunable(f"train.py::{name}", "train.py", 1, type(default).__name__, default, "by hand", **how)


SPACE = (
    tunable("RATE", 0.5, low=0.001, high=1.0, log=True),
    tunable("WIDTH", 8, low=1, high=64, log=True),
    tunable("DROP", 0.0, low=0.0, high=0.9),
    tunable("NORM", True),
    tunable("OPTIMIZER", "sgd", choices=("sgd", "adam", "rmsprop")),
    tunable("MIXED", 1, choices=(1, True, 1.0, "1")),
)
NUMBERS = st.tuples(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3)).map(lambda pair: (pair[0], pair[0] + pair[1]))
FLOATS = st.tuples(NUMBERS, st.floats(-2, 2), st.booleans()).map(
    lambda t: tunable("X", float(t[1]), low=t[0][0], high=t[0][1], log=t[2])
)
INTS = st.tuples(st.integers(-50, 50), st.integers(1, 100), st.integers(-100, 100), st.booleans()).map(
    lambda t: tunable("N", t[2], low=t[0], high=t[0] + t[1], log=t[3])
)
CHOICES = st.lists(st.one_of(st.text(max_size=3), st.integers(), st.booleans()), min_size=1, max_size=4).map(
    lambda values: tunable("C", values[0], choices=tuple(values))
)


def value_of(params: Params) -> float | None:
    """A toy objective, the lower the better, that fails for wide layers."""
    rate, width = float(params["train.py::RATE"]), float(params["train.py::WIDTH"])
    return None if width > 40 else abs(rate - 0.05) + abs(width - 20) / 20 + (0.0 if params["train.py::NORM"] else 1.0)


def search(name: str, asks: int, seed: int = 0) -> list[tuple[Params, Score | None]]:
    tuner = make_tuner(name, SPACE, seed=seed, direction="minimize")
    history = []
    for _ in range(asks):
        params = tuner.ask()
        value = value_of(params)
        history.append((params, None if value is None else Score("loss", value)))
        tuner.tell(*history[-1])
    return history


def rebuilt(name: str, history: Sequence[tuple[Params, Score | None]], seed: int = 0) -> Tuner:
    tuner = make_tuner(name, SPACE, seed=seed, direction="minimize")
    for params, score in history:
        tuner.tell(params, score)
    return tuner


@pytest.fixture(params=sorted(TUNERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_first_ask_is_the_code_as_it_is(name: str) -> None:
    assert make_tuner(name, SPACE, seed=3, direction="maximize").ask() == {t.name: t.default for t in SPACE}


def test_a_tuner_rebuilt_from_its_history_goes_on_as_the_one_that_was_killed(name: str) -> None:
    history = search(name, 25)
    for known in range(25):
        assert rebuilt(name, history[:known]).ask() == history[known][0]


def test_what_was_in_flight_when_a_tuner_was_killed_still_is(name: str) -> None:
    history = search(name, 12)
    alive = rebuilt(name, history)
    in_flight = [alive.ask(), alive.ask()]
    killed = rebuilt(name, history)
    for params in in_flight:
        killed.asked(params)
    assert killed.ask() == alive.ask()
    for tuner in (alive, killed):
        tuner.tell(in_flight[0], Score("loss", 0.1))
    assert killed.ask() == alive.ask()


def test_the_seed_decides_and_nothing_else(name: str) -> None:
    assert search(name, 12) == search(name, 12)
    assert search(name, 12) != search(name, 12, seed=1)


def test_only_what_differs_needs_to_be_told(name: str) -> None:
    defaults = {t.name: t.default for t in SPACE}
    history = search(name, 15)
    short = [({k: v for k, v in p.items() if v is not defaults[k]} | {"gone.py::X": 1}, s) for p, s in history]
    assert rebuilt(name, short).ask() == rebuilt(name, history).ask()


@given(st.one_of(FLOATS, INTS, CHOICES), st.sampled_from(sorted(TUNERS)), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_asks_stay_inside_the_space_and_keep_their_type(one: Tunable, name: str, seed: int) -> None:
    tuner = make_tuner(name, (one,), seed=seed, direction="maximize")
    tuner.tell(tuner.ask(), Score("m", 0.0))
    for n in range(14):
        value = tuner.ask()[one.name]
        if one.choices is not None:
            assert any(value is c or (value == c and type(value) is type(c)) for c in one.choices)
        else:
            assert type(value) is type(one.default)
            assert one.low is not None
            assert one.high is not None
            assert not isinstance(value, str)
            assert one.low <= value <= one.high
        tuner.tell({one.name: value}, Score("m", float(n % 5)) if n % 3 else None)


def test_tpe_learns_where_random_does_not() -> None:
    def best(name: str) -> float:
        ends = [min(s.value for _, s in search(name, 40, seed) if s) for seed in range(5)]
        return sum(ends) / len(ends)

    assert best("tpe") < best("random")


def test_tpe_keeps_away_from_what_failed() -> None:
    def failures(name: str) -> int:
        """Of the last 20 of 40 asks, where two thirds of the space crash and the rest is all alike."""
        count = 0
        for seed in range(5):
            tuner = make_tuner(name, SPACE, seed=seed, direction="maximize")
            for n in range(40):
                params = tuner.ask()
                crash = float(params["train.py::DROP"]) > 0.3
                tuner.tell(params, None if crash else Score("m", 0.5))
                count += crash and n >= 20
        return count

    assert failures("tpe") < 0.7 * failures("random")


def test_a_history_of_failures_alone_is_no_obstacle(name: str) -> None:
    tuner = make_tuner(name, SPACE, seed=0, direction="maximize")
    asked = []
    for _ in range(15):
        asked.append(tuner.ask())
        tuner.tell(asked[-1], None)
    assert len({str(a) for a in asked}) == 15


def test_asks_in_flight_differ(name: str) -> None:
    tuner = rebuilt(name, search(name, 12))
    asked = [tuner.ask() for _ in range(6)]
    assert len({str(a) for a in asked}) == 6
    for params in reversed(asked):
        tuner.tell(params, Score("loss", 1.0))
    assert tuner.ask() not in asked


def test_a_small_space_is_seen_whole_before_anything_repeats(name: str) -> None:
    tuner = make_tuner(name, (tunable("NORM", True), tunable("BIAS", False)), seed=0, direction="maximize")
    asked = []
    for _ in range(4):
        asked.append(tuner.ask())
        tuner.tell(asked[-1], Score("m", 1.0))
    assert len({str(sorted(a.items())) for a in asked}) == 4
    assert tuner.ask() in asked


def test_a_default_outside_its_range_is_still_trial_zero(name: str) -> None:
    tuner = make_tuner(name, (tunable("RATE", 5.0, low=0.1, high=1.0),), seed=0, direction="maximize")
    first = tuner.ask()
    assert first == {"train.py::RATE": 5.0}
    tuner.tell(first, Score("m", 1.0))
    assert 0.1 <= float(tuner.ask()["train.py::RATE"]) <= 1.0


def test_a_space_that_cannot_be_searched_is_the_users_mistake(name: str) -> None:
    for space in ((), (tunable("X", 1.0),), (tunable("X", 1.0, low=2.0, high=2.0),), (tunable("X", "a"),)):
        with pytest.raises(TargetError):
            make_tuner(name, space, seed=0, direction="maximize")


def test_an_unknown_tuner_is_named() -> None:
    with pytest.raises(UsageError, match="cma"):
        make_tuner("cma", SPACE, seed=0, direction="maximize")


NUMBERS_ONLY = (
    tunable("RATE", 0.5, low=0.001, high=1.0, log=True),
    tunable("DROP", 0.0, low=0.0, high=0.9),
    tunable("DECAY", 0.5, low=0.0, high=1.0),
)


def valley(params: Params) -> float:
    """Highest, at 0, where no corner and no default lies."""
    rate, drop, decay = (float(params[t.name]) for t in NUMBERS_ONLY)
    return -((rate - 0.1) ** 2) - (drop - 0.6) ** 2 - (decay - 0.2) ** 2


@pytest.mark.parametrize(("name", "asks"), [("cmaes", 60), ("gp", 25)])
def test_those_for_numbers_learn_where_random_does_not(name: str, asks: int) -> None:
    def best(name: str) -> float:
        ends = []
        for seed in range(3):
            tuner, values = make_tuner(name, NUMBERS_ONLY, seed=seed, direction="maximize"), []
            for _ in range(asks):
                params = tuner.ask()
                values.append(valley(params))
                tuner.tell(params, Score("m", values[-1]))
            ends.append(max(values))
        return sum(ends) / len(ends)

    assert best(name) > best("random")


def test_a_lone_number_and_choices_alone_are_no_obstacle_for_cma_es() -> None:
    for space in ((NUMBERS_ONLY[0],), (tunable("NORM", True), tunable("OPT", "a", choices=("a", "b", "c"))), SPACE):
        tuner = make_tuner("cmaes", space, seed=1, direction="minimize")
        for n in range(12):
            tuner.tell(tuner.ask(), Score("m", float(n % 3)) if n % 4 else None)


def test_a_failed_run_weighs_as_a_finite_score_below_every_other(name: str) -> None:
    """A sampler ignores what is told as failed, and goes on asking for it."""
    tuner: Any = make_tuner(name, NUMBERS_ONLY, seed=0, direction="minimize")
    for value in (3.0, 5.0, None, 4.0):
        tuner.tell(tuner.ask(), None if value is None else Score("loss", value))
    values = [trial.value for trial in tuner._study(None).trials]
    assert values == [-3.0, -5.0, -10.0, -4.0]


def test_those_that_climb_need_rungs() -> None:
    for name in TUNERS:
        check_tuner(name, rungs=True)
        if name in NEED_RUNGS:
            with pytest.raises(UsageError, match=r"rungs.*tuner = .tpe") as caught:
                check_tuner(name, rungs=False)
            assert "\n" not in str(caught.value)
        else:
            check_tuner(name, rungs=False)


def test_every_tuner_says_what_it_is(name: str) -> None:
    said = about(name, SPACE)
    assert said.name == name
    assert said.version.partition(" ")[0] in ("optuna", "cmaes")
    assert said.startup == {"random": 0, "cmaes": 7}.get(name, 10)
