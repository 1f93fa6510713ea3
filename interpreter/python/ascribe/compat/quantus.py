"""A function that Quantus' metrics call for explanations.

    import quantus
    from ascribe.compat.quantus import explain

    quantus.PixelFlipping()(model=model, x_batch=x, y_batch=y, explain_func=explain, explain_func_kwargs={"rules": "epsilon_plus"})
"""

from __future__ import annotations

from typing import Any, Union

import numpy
import torch

from .. import _core
from .._models import attribute
from .._rules import Rules
from .._targets import Target

WRONG_INPUT = 703  # grammar/code.hpp


def explain(model: Any, inputs: Any, targets: Any, rules: Union[Rules, str] = "epsilon_plus", device: Any = None, **ignored: Any) -> numpy.ndarray:
    """Relevance of each input, for its own target, in the inputs' shape. `inputs`, `targets`: arrays or tensors."""
    try:
        x = torch.as_tensor(inputs)
    except (TypeError, ValueError, RuntimeError):
        _core.fail(WRONG_INPUT, f"the inputs are of the type {type(inputs).__name__}, and no array of numbers", "give an array, or a torch.Tensor")
    indices = numpy.asarray(targets).ravel()
    if indices.dtype.kind == "f" and (indices == indices.round()).all():
        indices = indices.astype(int)
    parameter = next(iter(model.parameters()), None) if isinstance(model, torch.nn.Module) else None
    if parameter is not None:
        x = x.to(parameter)
    found = attribute(model, rules, x, Target.one_per_sample(indices.tolist()))
    assert found.relevance is not None
    return found.relevance.cpu().numpy()
