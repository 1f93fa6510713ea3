"""Ascribe in Captum's form: `attribute(inputs, target)`, as its visualisation and its metrics take it.

    from captum.attr import visualization
    from ascribe.compat.captum import LRP

    relevance = LRP(model, "epsilon_plus").attribute(x, target=3)
    visualization.visualize_image_attr(relevance[0].permute(1, 2, 0).numpy(), method="heat_map", sign="all")
"""

from __future__ import annotations

from typing import Any, Union

import torch

from .. import _core
from .._models import attribute
from .._rules import Rules
from .._targets import Target

WRONG_TARGET = 704  # grammar/code.hpp
Tensors = Union[torch.Tensor, tuple[torch.Tensor, ...]]


class LRP:
    """`rules`: Rules, or a call of the standard pack as text."""

    def __init__(self, model: Any, rules: Union[Rules, str] = "epsilon_plus") -> None:
        self.model, self.rules = model, rules

    def has_convergence_delta(self) -> bool:
        return True

    def attribute(self, inputs: Tensors, target: Any = None, additional_forward_args: Any = None, return_convergence_delta: bool = False,
                  verbose: bool = False) -> Any:
        """Relevance of each input, in its shape; a tuple where the inputs are one.

        `target`: an index, one for each sample (a list or a tensor), or, of outputs with more dimensions, a tuple of an
        index and a position; None for outputs [batch]. Relevance starts as the output's value. `verbose` prints the
        layers' report. `return_convergence_delta`: also, of each sample, what relevance started with less what arrived.
        """
        given = inputs if isinstance(inputs, tuple) else (inputs,)
        if additional_forward_args is not None:
            _core.fail(WRONG_TARGET, "additional_forward_args are no inputs that get relevance", "make a module that has them: class With(torch.nn.Module): …")
        found = attribute(self.model, self.rules, list(given), _target_of(target, given[0].shape[0]))
        if target is None and found.output.dim() > 1 and found.output.numel() > given[0].shape[0]:
            _core.fail(WRONG_TARGET, f"the output has the shape {list(found.output.shape)}: which of them?", "attribute(x, target=3)")
        relevance = tuple(torch.zeros_like(x) if each is None else each for each, x in zip(found.relevances, given))
        if verbose:
            print(found.report)
        out = relevance if isinstance(inputs, tuple) else relevance[0]
        if not return_convergence_delta:
            return out
        arrived = sum(each.flatten(1).sum(1) for each in relevance)
        return out, found.start.flatten(1).sum(1) - arrived if found.start.dim() > 1 else found.start - arrived


def _target_of(target: Any, samples: int) -> Any:
    if target is None or isinstance(target, (int, Target)):
        return Target.all() if target is None else target
    if isinstance(target, tuple):
        return Target(target[0]).at_position(*target[1:])
    listed = target.flatten().tolist() if isinstance(target, torch.Tensor) else list(target)
    if not all(isinstance(each, int) and not isinstance(each, bool) for each in listed):
        _core.fail(WRONG_TARGET, "the targets are no indices", "give an index for each sample; positions, for all samples at once: (3, 12, 30)")
    indices = listed
    if len(indices) == 1:
        return indices[0]
    if len(indices) != samples:
        _core.fail(WRONG_TARGET, f"there are {len(indices)} targets for {samples} samples", "give one index, or one for each sample")
    return Target.one_per_sample(indices)
