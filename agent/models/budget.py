"""A model that is charged for, and stops before its dollars are spent."""

from collections.abc import Callable

from ...targets.errors import ModelBudgetError
from .base import Completion, Model, ModelRequest

UNPRICED_CALLS = 200
"""A model whose price nobody knows may be called this often."""


class Budgeted:
    """Wraps a model: `charge` hears of every answer, and no call is made once `cap` dollars are gone.

    `ceiling` is the most a request can cost, 0 where no price is known; a call is made only when that, and the dearest
    call so far, still fit under the cap. `spent` and `unpriced` are what came before a resume.
    """

    def __init__(
        self,
        model: Model,
        cap: float,
        charge: Callable[[Completion], None],
        *,
        ceiling: Callable[[ModelRequest], float] = lambda _request: 0.0,
        spent: float = 0.0,
        unpriced: int = 0,
    ) -> None:
        self.name = model.name
        self._model, self._cap, self._charge, self._ceiling = model, cap, charge, ceiling
        self._spent = spent
        self._dearest = 0.0
        self._unpriced = unpriced

    def complete(self, request: ModelRequest) -> Completion:
        """Raises: ModelBudgetError when the cap leaves no room for another call."""
        next_call = max(self._dearest, self._ceiling(request))
        if self._spent >= self._cap or self._spent + next_call > self._cap:
            raise ModelBudgetError(
                "the dollar cap of the model leaves no room for another call",
                found=f"${self._spent:.2f} of ${self._cap:.2f} spent, the next may cost ${next_call:.2f}",
            )
        if self._unpriced >= UNPRICED_CALLS:
            raise ModelBudgetError(f"{UNPRICED_CALLS} calls of a model without a known price", where=self.name)
        completion = self._model.complete(request)
        if completion.dollars is None:
            self._unpriced += 1
        else:
            self._spent += completion.dollars
            self._dearest = max(self._dearest, completion.dollars)
        self._charge(completion)
        return completion
