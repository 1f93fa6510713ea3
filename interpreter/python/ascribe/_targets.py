"""Where relevance starts."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NoReturn, Union

import torch

from . import _core

BAD_TARGET = 704  # grammar/code.hpp


class Target:
    """Where relevance starts: which of the model's outputs, and how much of it.

    Target(3) is output 3 of every sample, Target([3, 5]) several, whose relevance adds up. Indices count along dimension
    1 of the output. Raises Error (A0704) for what cannot be; attribute() does so for what the output lacks.
    """

    def __init__(self, index: Union[int, Sequence[int]]) -> None:
        self._target = _core.Target(_indices(index))

    @classmethod
    def _of(cls, target: Any) -> "Target":
        out = cls.__new__(cls)
        out._target = target
        return out

    @classmethod
    def largest(cls, count: int = 1) -> "Target":
        """Each sample's largest outputs, so many of them."""
        return cls._of(_core.Target.largest(_index(count)))

    @classmethod
    def one_per_sample(cls, indices: Union[Sequence[int], torch.Tensor]) -> "Target":
        """Another index for each sample."""
        return cls._of(_core.Target.one_per_sample(_indices(indices)))

    @classmethod
    def named(cls, names: Sequence[str], labels: Sequence[str]) -> "Target":
        """By their names; `labels` names the outputs, in order."""
        return cls._of(_core.Target.named(list(names), list(labels)))

    @classmethod
    def all(cls) -> "Target":
        """Every output there is."""
        return cls._of(_core.Target.all())

    @classmethod
    def of(cls, relevance: torch.Tensor) -> "Target":
        """A tensor of the output's shape: how much relevance each output has."""
        if not isinstance(relevance, torch.Tensor):
            _bad_target(relevance)
        return cls._of(_core.Target.of(relevance))

    def from_one(self) -> "Target":
        """Starts from 1 instead of the output's own value."""
        return self._of(self._target.from_one())

    def against(self, *indices: int) -> "Target":
        """Less these outputs: `Target(3).against(5)` is what speaks for 3 rather than for 5."""
        return self._of(self._target.against(_indices(indices)))

    def at_position(self, *position: int) -> "Target":
        """At one position of outputs [batch, positions, classes] (one number), or [batch, classes, height, width] (as
        many as dimensions behind the classes). Negative ones count from the end."""
        return self._of(self._target.at_position(_indices(position)))

    def of_output(self, number: int) -> "Target":
        """Of the model's outputs, this one; needed where there are several."""
        if (output := _index(number)) < 0:
            _core.fail(BAD_TARGET, f"there is no output {output}", "outputs count from 0")
        return self._of(self._target.of_output(output))


def _bad_target(given: Any) -> NoReturn:
    kind = f"{given.dtype} " if isinstance(given, torch.Tensor) else ""
    _core.fail(
        BAD_TARGET,
        f"the target is of the type {kind}{type(given).__name__}",
        "give an index, several of them, a tensor of relevance in the output's shape, or an ascribe.Target",
    )
    raise AssertionError


def _index(given: Any) -> int:
    """A number of Python's, NumPy's or PyTorch's; what is true or false is none."""
    if isinstance(given, torch.Tensor) and given.dim() == 0 and not given.is_floating_point() and given.dtype != torch.bool:
        given = int(given)
    try:
        index = operator.index(given)
    except TypeError:
        _bad_target(given)
    if isinstance(given, bool) or type(given).__name__ in ("bool_", "bool") or not -(2**63) <= index < 2**63:
        _bad_target(given)
    return index


def _indices(given: Any) -> list[int]:
    """One index, or several of them in whatever holds them."""
    if isinstance(given, torch.Tensor):
        if given.is_floating_point() or given.dtype == torch.bool or given.dim() > 1:
            _bad_target(given)
        return [int(each) for each in given.reshape(-1).tolist()]
    if isinstance(given, (list, tuple, range)) or (type(given).__module__ == "numpy" and getattr(given, "ndim", 0) == 1):
        return [_index(each) for each in given]
    return [_index(given)]


def target_of(given: Any) -> Any:
    if given is None:
        return _core.Target.largest(1)
    if isinstance(given, Target):
        return given._target
    if type(given).__module__ == "numpy" and getattr(given, "ndim", 0) > 0:
        given = torch.as_tensor(given) if given.dtype.kind in "fiu" else _bad_target(given)
    if isinstance(given, torch.Tensor) and given.is_floating_point():
        return _core.Target.of(given)
    if isinstance(given, torch.Tensor) and given.dim() == 1:
        return _core.Target.one_per_sample(_indices(given))
    return _core.Target(_indices(given))
