"""Every way to a model: scripted, recorded, capped, and a real litellm against an endpoint that misbehaves."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from branchlab.agent.models import Budgeted, Completion, Message, ModelRequest, make_model, price_ceiling
from branchlab.agent.models.budget import UNPRICED_CALLS
from branchlab.agent.models.litellm_model import LONGEST_WAIT, MAX_ANSWER, TRIES, LiteLLM
from branchlab.agent.models.replay import Recording, Remembering, Replay, answers_in, key_of
from branchlab.agent.models.scripted import Scripted
from branchlab.targets.errors import ModelBudgetError, ModelError, UsageError

from .fault_server import FaultServer, Reply, chat, fault, fault_server

ASK = ModelRequest((Message("system", "Be brief."), Message("user", "2 + 2?")), {"type": "object"})
KEY = "sk-very-secret-key"


# scripted and replay


def test_a_script_answers_in_order_then_has_no_more(tmp_path: Path) -> None:
    script = tmp_path / "answers.json"
    script.write_text(json.dumps(["four", {"proposals": []}]))
    model = make_model(f"scripted:{script}")
    assert [model.complete(ASK).text for _ in range(2)] == ["four", '{"proposals": []}']
    with pytest.raises(ModelError, match="no answer left"):
        model.complete(ASK)


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "\x00"])
def test_a_script_that_is_no_list_is_a_usage_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(UsageError, match=r"s\.json"):
        make_model(f"scripted:{tmp_path / 's.json'}")


def test_what_was_recorded_is_replayed_and_anything_else_is_an_error(tmp_path: Path) -> None:
    cassette = tmp_path / "cassette.jsonl"
    live = Recording(Scripted(["four \u2028 \U0001f600", "five"], "live"), cassette)
    other = ModelRequest(ASK.messages, ASK.schema, seed=1)
    said = [live.complete(ASK), live.complete(other)]
    replay = make_model(f"replay:{cassette}")
    assert [replay.complete(other), replay.complete(ASK)] == said[::-1]
    for changed in (
        ModelRequest((*ASK.messages, Message("user", "sure?")), ASK.schema),
        ModelRequest(ASK.messages, None),
        ModelRequest(ASK.messages, ASK.schema, temperature=0.1),
        ModelRequest(ASK.messages, ASK.schema, seed=2),
    ):
        with pytest.raises(ModelError, match="no answer to this request"):
            replay.complete(changed)


def test_a_key_depends_on_content_and_not_on_the_order_of_a_schema() -> None:
    one, two = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert key_of(ModelRequest(ASK.messages, one)) == key_of(ModelRequest(ASK.messages, two))
    assert key_of(ModelRequest(ASK.messages, one)) != key_of(ModelRequest(ASK.messages, {"a": 1}))


@pytest.mark.parametrize("text", ["{", "[]", '{"key": "x"}', '{"key": "x", "completion": {"text": "y"}}', "\x00"])
def test_a_broken_cassette_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    cassette = tmp_path / "c.jsonl"
    Recording(Scripted(["four"]), cassette).complete(ASK)
    cassette.write_text(cassette.read_text() + text)
    with pytest.raises(UsageError, match=r"c\.jsonl:2"):
        Replay(cassette)


def test_what_was_answered_before_is_neither_asked_nor_given_again(tmp_path: Path) -> None:
    cassette, script = tmp_path / "c.jsonl", tmp_path / "answers.json"
    script.write_text(json.dumps(["four", "five"]))
    assert answers_in(cassette) == []
    first = make_model(f"scripted:{script}", record=cassette).complete(ASK)
    with cassette.open("ab") as file:
        file.write(b'{"key": "cut short by a full di')
    known = answers_in(cassette)
    assert known == [(key_of(ASK), first)]
    again = Remembering(make_model(f"scripted:{script}", record=cassette, given=len(known)), dict(known))
    other = ModelRequest(ASK.messages, ASK.schema, seed=1)
    assert [again.complete(r).text for r in (ASK, other)] == ["four", "five"]
    assert [key for key, _ in answers_in(cassette)] == [key_of(ASK), key_of(other)]


def test_a_missing_cassette_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cassette"):
        make_model(f"replay:{tmp_path / 'none'}")


# budget


class Priced:
    name = "priced"

    def __init__(self, *dollars: float | None) -> None:
        self.dollars, self.calls = dollars, 0

    def complete(self, request: ModelRequest) -> Completion:
        self.calls += 1
        return Completion("x", 1, 1, self.dollars[min(self.calls, len(self.dollars)) - 1], self.name)


def test_a_budget_charges_every_answer_and_stops_before_its_cap_is_passed() -> None:
    charged: list[Completion] = []
    model = Priced(0.3)
    capped = Budgeted(model, 1.0, charged.append)
    for _ in range(3):
        capped.complete(ASK)
    with pytest.raises(ModelBudgetError, match=r"\$0\.90 of \$1\.00"):
        capped.complete(ASK)
    assert (model.calls, len(charged)) == (3, 3)


def test_the_answer_that_passes_the_cap_is_charged_and_is_the_last() -> None:
    charged: list[Completion] = []
    capped = Budgeted(Priced(5.0), 1.0, charged.append)
    capped.complete(ASK)
    with pytest.raises(ModelBudgetError):
        capped.complete(ASK)
    assert [c.dollars for c in charged] == [5.0]


def test_what_was_spent_before_a_resume_counts() -> None:
    model = Priced(0.3)
    with pytest.raises(ModelBudgetError):
        Budgeted(model, 1.0, lambda _: None, spent=1.0).complete(ASK)
    with pytest.raises(ModelBudgetError):
        Budgeted(model, 1.0, lambda _: None, unpriced=UNPRICED_CALLS).complete(ASK)
    assert model.calls == 0


def test_a_call_that_could_pass_the_cap_is_not_made() -> None:
    model = Priced(0.1)
    with pytest.raises(ModelBudgetError, match=r"the next may cost \$1\.50"):
        Budgeted(model, 1.0, lambda _: None, ceiling=lambda _: 1.5).complete(ASK)
    assert model.calls == 0


def test_the_ceiling_of_a_known_model_grows_with_the_request_and_is_0_for_an_unknown_one() -> None:
    longer = ModelRequest((Message("user", "x" * 100_000),))
    known = price_ceiling("gpt-4o")
    assert 0 < known(ASK) < known(longer)
    assert price_ceiling("openai/nobody-sells-this")(longer) == 0
    assert price_ceiling("scripted:answers.json")(longer) == 0


def test_a_model_without_a_price_is_charged_and_may_not_be_called_for_ever() -> None:
    charged: list[Completion] = []
    capped = Budgeted(Priced(None), 1.0, charged.append)
    for _ in range(UNPRICED_CALLS):
        capped.complete(ASK)
    with pytest.raises(ModelBudgetError, match="without a known price"):
        capped.complete(ASK)
    assert len(charged) == UNPRICED_CALLS


# litellm, for real


@pytest.fixture(scope="module")
def shared_server() -> Iterator[FaultServer]:
    with fault_server() as server:
        yield server


@pytest.fixture
def server(shared_server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> FaultServer:
    monkeypatch.setenv("BRANCHLAB_API_BASE", shared_server.base)
    monkeypatch.setenv("BRANCHLAB_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-key-of-another-provider")
    return shared_server


def ask(waits: list[float] | None = None, timeout: float = 20.0) -> Completion:
    noted = [] if waits is None else waits
    return LiteLLM("openai/small", timeout=timeout, wait=noted.append).complete(ASK)


def test_a_good_answer_comes_back_with_its_tokens_and_an_unknown_price(server: FaultServer) -> None:
    server.load(chat("four"))
    assert ask() == Completion("four", 11, 7, None, "openai/small", "stop")
    request = server.seen[0]
    assert request["model"] == "small"
    assert [m["content"] for m in request["messages"]] == ["Be brief.", "2 + 2?"]
    assert request["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert (request["seed"], request["max_tokens"], request["temperature"]) == (0, 4096, 0.7)


def test_the_key_of_another_provider_is_not_sent(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.load(chat("four"))
    ask()
    monkeypatch.delenv("BRANCHLAB_API_KEY")
    ask()
    assert server.keys == [f"Bearer {KEY}", "Bearer none"]


def test_prose_is_an_answer_for_the_caller_to_judge(server: FaultServer) -> None:
    server.load(chat("Sure! I would raise the learning rate."))
    assert ask().text.startswith("Sure!")


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_passing_fault_is_tried_again(server: FaultServer, status: int) -> None:
    server.load(fault(status), fault(status), chat("four"))
    waits: list[float] = []
    assert ask(waits).text == "four"
    assert (len(server.seen), waits) == (3, [1.0, 2.0])


@pytest.mark.parametrize("status", [500, 429])
def test_a_lasting_fault_is_one_clear_error(server: FaultServer, status: int) -> None:
    server.load(fault(status, f"you sent {KEY}"))
    waits: list[float] = []
    with pytest.raises(
        ModelError, match=rf"openai/small gives no answer.*HTTP {status}.*{TRIES} tries.*resumed"
    ) as error:
        ask(waits)
    assert (len(server.seen), len(waits)) == (TRIES, TRIES - 1)
    assert_no_key(error.value)


def test_retry_after_is_kept_to(server: FaultServer) -> None:
    server.load(fault(429, retry_after="0"), fault(429, retry_after="7"), chat("four"))
    waits: list[float] = []
    assert ask(waits).text == "four"
    assert waits == [0.0, 7.0]


@pytest.mark.parametrize("said", ["Wed, 21 Oct 2026 07:28:00 GMT", "nan", "inf", "soon"])
def test_a_retry_after_that_is_no_number_of_seconds_changes_nothing(server: FaultServer, said: str) -> None:
    server.load(fault(503, retry_after=said), chat("four"))
    waits: list[float] = []
    assert ask(waits).text == "four"
    assert waits == [1.0]


def test_a_longer_wait_than_we_have_ends_it_at_once(server: FaultServer) -> None:
    server.load(fault(429, retry_after=str(LONGEST_WAIT + 1)))
    with pytest.raises(ModelError, match="HTTP 429"):
        ask()
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_not_tried_again_and_not_shown(server: FaultServer, status: int) -> None:
    server.load(fault(status, f"Incorrect API key provided: {KEY}"))
    with pytest.raises(ModelError, match="refuses the key") as error:
        ask()
    assert len(server.seen) == 1
    assert_no_key(error.value)


@pytest.mark.parametrize("status", [400, 404])
def test_a_wrong_request_is_not_tried_again(server: FaultServer, status: int) -> None:
    server.load(fault(status, f"key {KEY}"))
    with pytest.raises(ModelError, match=rf"HTTP {status}.*check --model") as error:
        ask()
    assert len(server.seen) == 1
    assert_no_key(error.value)


def test_a_slow_endpoint_times_out(server: FaultServer) -> None:
    server.load(Reply(b"", hangs=True))
    with pytest.raises(ModelError, match="Timeout"):
        ask(timeout=0.2)
    assert len(server.seen) == TRIES


def test_a_closed_port_is_one_clear_error(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRANCHLAB_API_BASE", "http://127.0.0.1:1/v1")
    with pytest.raises(ModelError, match="gives no answer"):
        ask()


def test_no_choices_is_an_error_and_not_an_empty_answer(server: FaultServer) -> None:
    server.load(chat("four", choices=[]))
    with pytest.raises(ModelError, match="without a choice"):
        ask()


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b"[]", chat("four").body[:60]])
def test_what_is_no_answer_at_all_is_one_clear_error(server: FaultServer, body: bytes) -> None:
    server.load(Reply(body))
    with pytest.raises(ModelError, match="gives no answer"):
        ask()


def test_a_megabyte_is_cut_and_says_so(server: FaultServer) -> None:
    server.load(chat("a" * 1_000_000))
    answer = ask()
    assert (len(answer.text), answer.finish_reason) == (MAX_ANSWER, "too long")


def test_an_empty_answer_is_empty_text(server: FaultServer) -> None:
    server.load(chat(None))
    assert ask().text == ""


def test_tokens_nobody_counted_are_estimated_and_not_free(server: FaultServer) -> None:
    server.load(chat("four and four more", usage=None))
    answer = ask()
    assert answer.input_tokens > 0
    assert answer.output_tokens > 0


def test_a_name_no_provider_has_is_one_clear_error(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRANCHLAB_API_BASE")
    with pytest.raises(ModelError, match=r"no-such-model gives no answer.*check --model"):
        LiteLLM("no-such-model", timeout=1.0, wait=lambda _: None).complete(ASK)


def assert_no_key(error: BaseException) -> None:
    """Neither in its text nor in anything a traceback of it would print."""
    assert KEY not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_importing_the_command_or_the_models_brings_no_heavy_library() -> None:
    for module in ("branchlab.agent.cli", "branchlab.agent.models", "branchlab.agent.modelled"):
        script = f"import sys, {module}; print(*({{m.split('.')[0] for m in sys.modules}} & {{'litellm', 'torch', 'optuna', 'langgraph'}}))"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.split() == [], module


def test_a_scripted_answer_waits_for_the_question_it_is_for() -> None:
    model = Scripted(['{"proposals": []}', "prose", '{"defects": []}'])
    defects: dict[str, object] = {"properties": {"defects": {}}}
    proposals: dict[str, object] = {"properties": {"proposals": {}}}
    asked = [defects, proposals, proposals, proposals, defects]
    given = [model.complete(replace(ASK, schema=schema)).text for schema in asked]
    assert given == ["{}", '{"proposals": []}', "prose", "{}", '{"defects": []}']
    with pytest.raises(ModelError, match="no answer left"):
        model.complete(replace(ASK, schema=defects))
