"""Any provider through litellm: one call, our own retries, no cache, no tools, no budget of its.

Each of those four was found broken or surprising in the SDK (1.106): `max_budget` is never enforced, the first cache hit
fails on a plain install, `num_retries` repeats refused keys, tools need packages that are not there.
"""

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
AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504, 529})


class LiteLLM:
    """`name` is litellm's: `anthropic/claude-...`, `openai/gpt-...`, `ollama/...`.

    A local OpenAI-compatible server needs no key: `openai/NAME` with BRANCHLAB_API_BASE=http://127.0.0.1:PORT/v1.
    """

    def __init__(self, name: str, *, timeout: float = TIMEOUT, wait: Callable[[float], None] = time.sleep) -> None:
        self.name = name
        self._timeout = timeout
        self._wait = wait

    def complete(self, request: ModelRequest) -> Completion:
        """Raises: ModelError, saying whether going on later can help; never with a key in it."""
        litellm = _litellm()
        waited = 0.0
        for attempt in range(1, TRIES + 1):
            try:
                return self._read(litellm, litellm.completion(**self._arguments(request)))
            except litellm.exceptions.AuthenticationError as error:
                raise self._refused() from error
            except (litellm.exceptions.APIError, litellm.exceptions.BadRequestError, litellm.exceptions.Timeout,
                    litellm.exceptions.APIConnectionError, litellm.exceptions.OpenAIError) as error:  # fmt: skip
                status = int(getattr(error, "status_code", None) or 0)
                pause = min(_retry_after(error, 2.0 ** (attempt - 1)), LONGEST_WAIT - waited)
                if status in (401, 403):
                    raise self._refused() from error
                if status not in AGAIN or attempt == TRIES or pause <= 0:
                    raise self._failed(error, status, attempt) from error
                self._wait(pause)
                waited += pause
        raise AssertionError("unreachable")

    def _arguments(self, request: ModelRequest) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": self.name,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "timeout": self._timeout,
            "max_retries": 0,
            "drop_params": True,
        }
        if request.schema is not None:
            form = {"name": "answer", "schema": dict(request.schema)}
            arguments["response_format"] = {"type": "json_schema", "json_schema": form}
        if base := os.environ.get("BRANCHLAB_API_BASE"):
            arguments |= {"api_base": base, "api_key": os.environ.get("OPENAI_API_KEY", "none")}
        return arguments

    def _read(self, litellm: Any, answer: Any) -> Completion:
        if not answer.choices:
            raise ModelError(f"{self.name} answered without a choice", fix="try again, or another --model")
        choice = answer.choices[0]
        text = str(choice.message.content or "")
        usage = getattr(answer, "usage", None)
        return Completion(
            text=text[:MAX_ANSWER],
            input_tokens=int(getattr(usage, "prompt_tokens", 0) or 0),
            output_tokens=int(getattr(usage, "completion_tokens", 0) or 0),
            dollars=_dollars(litellm, answer),
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
        return ModelError(
            f"{self.name} gives no answer", found=f"{kind}{f' (HTTP {status})' if status else ''} after {attempt} tries",
            fix="the run can be resumed when the endpoint works again",
        )  # fmt: skip


def _litellm() -> Any:
    """litellm, imported at the first call: it costs seconds, and at import it would ask the network for prices."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        import litellm
    except ModuleNotFoundError as error:
        raise ModelError("litellm is not installed", fix="pip install 'branchlab[models]'") from error
    litellm.suppress_debug_info = True
    return litellm


def _dollars(litellm: Any, answer: Any) -> float | None:
    hidden = getattr(answer, "_hidden_params", None) or {}
    cost = hidden.get("response_cost")
    return float(cost) if isinstance(cost, int | float) else None


def _retry_after(error: Exception, default: float) -> float:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return max(0.0, float(headers.get("retry-after", default)))
    except ValueError:
        return default
