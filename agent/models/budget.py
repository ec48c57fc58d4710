"""A model that is charged for, and stops before its dollars are spent."""

from collections.abc import Callable

from ...targets.errors import ModelBudgetError
from .base import Completion, Model, ModelRequest

UNPRICED_CALLS = 200
"""A model whose price nobody knows may be called this often."""


class Budgeted:
    """Wraps a model: `charge` hears of every answer, and no call is made once `cap` dollars are gone.

    The dearest call so far is what the next one is expected to cost, so the cap is not passed by habit; a first call, or
    one dearer than any before it, can pass it once. `spent` and `unpriced` are what came before a resume.
    """

    def __init__(
        self,
        model: Model,
        cap: float,
        charge: Callable[[Completion], None],
        *,
        spent: float = 0.0,
        unpriced: int = 0,
    ) -> None:
        self.name = model.name
        self._model, self._cap, self._charge = model, cap, charge
        self._spent = spent
        self._dearest = 0.0
        self._unpriced = unpriced

    def complete(self, request: ModelRequest) -> Completion:
        """Raises: ModelBudgetError when the cap leaves no room for another call."""
        if self._spent >= self._cap or self._spent + self._dearest > self._cap:
            raise ModelBudgetError(
                "the dollar cap of the model is reached", found=f"${self._spent:.2f} of ${self._cap:.2f}"
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
