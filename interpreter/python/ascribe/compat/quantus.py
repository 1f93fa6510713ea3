"""A function that Quantus' metrics call for explanations.

    import quantus
    from ascribe.compat.quantus import explain

    quantus.PixelFlipping()(model=model, x_batch=x, y_batch=y, explain_func=explain, explain_func_kwargs={"rules": "epsilon_plus"})
"""

from __future__ import annotations

from typing import Any, Union

import numpy
import torch

from .._models import Target, attribute
from .._rules import Rules


def explain(model: Any, inputs: Any, targets: Any, rules: Union[Rules, str] = "epsilon_plus", device: Any = None, **ignored: Any) -> numpy.ndarray:
    """Relevance of each input, for its own target, in the inputs' shape. `inputs`, `targets`: arrays or tensors."""
    x = torch.as_tensor(inputs)
    parameter = next(iter(model.parameters()), None) if isinstance(model, torch.nn.Module) else None
    if parameter is not None:
        x = x.to(parameter)
    found = attribute(model, rules, x, Target.one_per_sample([int(each) for each in numpy.asarray(targets).ravel()]))
    assert found.relevance is not None
    return found.relevance.cpu().numpy()
