"""The one door to a language model. Importing this imports no provider."""

from collections.abc import Callable
from pathlib import Path

from .base import Completion as Completion
from .base import Message as Message
from .base import Model as Model
from .base import ModelRequest as ModelRequest
from .budget import Budgeted as Budgeted
from .litellm_model import LiteLLM as LiteLLM
from .replay import Recording, Replay
from .replay import Remembering as Remembering
from .replay import answers_in as answers_in
from .scripted import Scripted


def make_model(name: str, *, record: Path | None = None, given: int = 0) -> Model:
    """`scripted:FILE`, `replay:FILE`, or any litellm name; its answers are kept in the cassette `record`. Of a script the
    first `given` answers were given before."""
    model = _model(name, given)
    return Recording(model, record) if record else model


def _model(name: str, given: int) -> Model:
    kind, _, rest = name.partition(":")
    if kind == "scripted" and rest:
        return Scripted.read(Path(rest), given)
    if kind == "replay" and rest:
        return Replay(Path(rest))
    return LiteLLM(name)


def price_ceiling(name: str) -> Callable[[ModelRequest], float]:
    """What one request to this model can cost at most, in dollars; 0 for answers that cost nothing."""
    free = name.partition(":")[0] in ("scripted", "replay") and ":" in name
    return (lambda _request: 0.0) if free else LiteLLM(name).ceiling
