"""Any provider through litellm: one call, our own retries, no cache, no tools, no budget of its.

Each of those four was found broken or surprising in the SDK (1.106): `max_budget` is never enforced, the first cache hit
fails on a plain install, `num_retries` repeats refused keys, tools need packages that are not there.
"""

import math
import os
import time
from collections.abc import Callable
from typing import Any

from ...targets.errors import ModelError
from .base import Completion, ModelRequest

TRIES = 4
LONGEST_WAIT = 60.0
TIMEOUT = 180.0
MAX_ANSWER = 200_000
"""Characters; a longer answer is cut off by us, and what is cut is not an answer."""
CHARACTERS = 4
"""Of a token, roughly: for an endpoint that does not count them."""
AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504, 529})


class LiteLLM:
    """`name` is litellm's: `anthropic/claude-...`, `openai/gpt-...`, `ollama/...`.

    A local OpenAI-compatible server needs no key: `openai/NAME` with BRANCHLAB_API_BASE=http://127.0.0.1:PORT/v1. One
    that wants a key gets BRANCHLAB_API_KEY, never the key of another provider.
    """

    def __init__(self, name: str, *, timeout: float = TIMEOUT, wait: Callable[[float], None] = time.sleep) -> None:
        self.name = name
        self._timeout = timeout
        self._wait = wait

    def complete(self, request: ModelRequest) -> Completion:
        """Raises: ModelError, saying whether going on later can help; never with a key in it."""
        litellm, failures = _litellm()
        left = LONGEST_WAIT
        for attempt in range(1, TRIES + 1):
            try:
                return self._read(request, litellm.completion(**self._arguments(request)))
            # Not chained: what a provider says can quote the key it was given.
            except failures as error:
                status = int(getattr(error, "status_code", None) or 0)
                pause = _retry_after(error, 2.0 ** (attempt - 1))
                if status in (401, 403):
                    raise self._refused() from None
                if status not in AGAIN or attempt == TRIES or pause > left:
                    raise self._failed(error, status, attempt) from None
            self._wait(pause)
            left -= pause
        raise AssertionError("unreachable")

    def ceiling(self, request: ModelRequest) -> float:
        """Dollars this request can cost at most, by litellm's price list; 0 for a model that is not on it.

        A token is at least one character, so the characters bound the tokens that go in.
        """
        litellm, _ = _litellm()
        prices = litellm.model_cost.get(self.name) or litellm.model_cost.get(self.name.partition("/")[2]) or {}
        characters = sum(len(message.content) for message in request.messages)
        into = float(prices.get("input_cost_per_token") or 0.0)
        out = float(prices.get("output_cost_per_token") or 0.0)
        return characters * into + request.max_tokens * out

    def _arguments(self, request: ModelRequest) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": self.name,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            "timeout": self._timeout,
            "max_retries": 0,
            "drop_params": True,
        }
        if request.schema is not None:
            form = {"name": "answer", "schema": dict(request.schema)}
            arguments["response_format"] = {"type": "json_schema", "json_schema": form}
        if base := os.environ.get("BRANCHLAB_API_BASE"):
            arguments |= {"api_base": base, "api_key": os.environ.get("BRANCHLAB_API_KEY", "none")}
        return arguments

    def _read(self, request: ModelRequest, answer: Any) -> Completion:
        if not answer.choices:
            raise ModelError(f"{self.name} answered without a choice", fix="try again, or another --model")
        choice = answer.choices[0]
        text = str(choice.message.content or "").encode("utf-8", "replace").decode()
        usage = getattr(answer, "usage", None)
        asked = sum(len(message.content) for message in request.messages)
        return Completion(
            text=text[:MAX_ANSWER],
            input_tokens=int(getattr(usage, "prompt_tokens", 0) or asked // CHARACTERS),
            output_tokens=int(getattr(usage, "completion_tokens", 0) or len(text) // CHARACTERS),
            dollars=_dollars(answer),
            model=self.name,
            finish_reason="too long" if len(text) > MAX_ANSWER else str(choice.finish_reason or "stop"),
        )

    def _refused(self) -> ModelError:
        return ModelError(
            f"{self.name} refuses the key, or there is none",
            fix="set the provider's key in the environment as litellm names it; the run goes on with --resume",
        )

    def _failed(self, error: Exception, status: int, attempt: int) -> ModelError:
        kind = type(error).__name__
        tries = f"after {attempt} tries" if attempt > 1 else "at the first try"
        again = status in AGAIN or not status
        return ModelError(
            f"{self.name} gives no answer", found=f"{kind}{f' (HTTP {status})' if status else ''} {tries}",
            fix=f"{'' if again else 'check --model and what it can do; '}the run can be resumed when it answers again",
        )  # fmt: skip


def _litellm() -> tuple[Any, tuple[type[Exception], ...]]:
    """litellm and what it raises, imported at the first call: it costs seconds.

    Left alone it would ask the network for prices at import, and read any `.env` file above its own folder.
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    try:
        import litellm
        from openai import OpenAIError
    except ModuleNotFoundError as error:
        raise ModelError(
            "litellm is not installed", found=f"no {error.name}", fix="pip install 'branchlab[models]'"
        ) from error
    litellm.suppress_debug_info = True
    # Its own errors have no common root but openai's, and not all of them have that.
    return litellm, (OpenAIError, ValueError)


def _dollars(answer: Any) -> float | None:
    hidden = getattr(answer, "_hidden_params", None) or {}
    cost = hidden.get("response_cost")
    return float(cost) if isinstance(cost, int | float) else None


def _retry_after(error: Exception, default: float) -> float:
    """Seconds the endpoint asks us to wait; `default` where it does not say, or says a date."""
    headers = getattr(error, "litellm_response_headers", None) or {}
    try:
        asked = float(headers.get("retry-after", default))
    except ValueError:
        return default
    return max(0.0, asked) if math.isfinite(asked) else default
