"""Another value for one parameter of a class's method, in every call of it."""

import contextlib
import functools
import inspect
from typing import Any

from .batches import MASKS, NoBatch


class Swap:
    """Which parameter, and how many other values were tried before this one."""

    def __init__(self, owner: type, method: str, name: str, number: int) -> None:
        self.owner, self.method, self.name, self.number = owner, method, name, number
        self.made = False
        """Whether another value was given in some call."""

    def other(self, value: Any, torch: Any) -> Any:
        """Another value of the same kind. Raises: NoBatch when there is none to be had."""
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return (value * 2, value + 1, max(1, value // 2))[self.number] if value else self.number + 1
        if isinstance(value, float):
            return [one for one in (0.5, 0.25, 0.75, 0.9) if one != value][self.number]
        if torch.is_tensor(value) and value.dtype == torch.bool:
            return ~value
        if torch.is_tensor(value) and value.is_floating_point():
            return value + torch.randn(value.shape, generator=torch.Generator().manual_seed(self.number))
        raise NoBatch(f"no other value is known for a {type(value).__name__}")


@contextlib.contextmanager
def swapped(swap: Swap | None, torch: Any) -> Any:
    """Within it every call of the method is given the other value. Nothing happens without a swap."""
    if swap is None:
        yield
        return
    before = getattr(swap.owner, swap.method)
    signature = inspect.signature(before)

    @functools.wraps(before)
    def changed(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        if swap.name in given.arguments:
            value = given.arguments[swap.name]
            if value is None and swap.name in MASKS:
                tensors = [a for a in given.args if torch.is_tensor(a)]
                value = torch.ones(tensors[0].shape[:2], dtype=torch.bool)
            given.arguments[swap.name] = swap.other(value, torch)
            swap.made = True
        return before(*given.args, **given.kwargs)

    setattr(swap.owner, swap.method, changed)
    try:
        yield
    finally:
        setattr(swap.owner, swap.method, before)


def mask_name(model: Any) -> str:
    """The parameter of `forward` that takes a mask. Raises: NoBatch."""
    for name in inspect.signature(model.forward).parameters:
        if name in MASKS:
            return name
    raise NoBatch(f"forward of {type(model).__name__} takes no mask")


def masked(model: Any, inputs: tuple[Any, ...], name: str, mask: Any) -> Any:
    """The answer with a mask in place of the one among the inputs, or beside them."""
    given = inspect.signature(model.forward).bind(*inputs)
    given.arguments[name] = mask
    return model(*given.args, **given.kwargs)
