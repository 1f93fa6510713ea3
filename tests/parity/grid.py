"""The grid of Zennit's own rule test: 20 configurations of its rules for layers with weights, on 98 modules; and its
rules for activations.

Relevance starts from the layer's output.
"""

from itertools import product

import torch
from torch import nn
from zennit import rules

from calls import call, clipped, relative, relative_clipped, relative_over_channels
from drawing import draw, generator

BATCH = 4
SIZES = {1: (5,), 2: (4, 4), 3: (3, 3, 3)}  # of the input, by the number of its dimensions

# The name here, Zennit's class, and what Zennit's class is given.
CONFIGURATIONS = [
    ("epsilon", rules.Epsilon, {}),
    ("epsilon", rules.Epsilon, {"epsilon": 0.25, "zero_params": ["bias"]}),
    ("epsilon", rules.Epsilon, {"epsilon": clipped(0.5)}),
    ("epsilon", rules.Epsilon, {"epsilon": relative(0.1)}),
    ("epsilon", rules.Epsilon, {"epsilon": relative_over_channels(0.1)}),
    ("norm", rules.Norm, {"stabilizer": 0.1}),
    ("gamma", rules.Gamma, {}),
    ("gamma", rules.Gamma, {"gamma": 0.0, "stabilizer": 0.01}),
    ("gamma", rules.Gamma, {"gamma": 1.0, "stabilizer": 0.1, "zero_params": ["bias"]}),
    ("gamma", rules.Gamma, {"gamma": 10.0, "stabilizer": relative_clipped(0.1)}),
    ("zplus", rules.ZPlus, {}),
    ("zplus", rules.ZPlus, {"stabilizer": 0.25, "zero_params": ["bias"]}),
    ("alpha_beta", rules.AlphaBeta, {}),
    ("alpha_beta", rules.AlphaBeta, {"alpha": 1.0, "beta": 0.0, "zero_params": ["bias"]}),
    ("alpha_beta", rules.AlphaBeta, {"alpha": 1.5, "beta": 0.5, "stabilizer": clipped(0.1)}),
    ("zbox", rules.ZBox, {"low": -3.0, "high": 3.0}),
    ("zbox", rules.ZBox, {"low": -2.5, "high": 4.0, "stabilizer": relative(0.1), "zero_params": ["bias"]}),
    ("wsquare", rules.WSquare, {}),
    ("wsquare", rules.WSquare, {"stabilizer": 0.1, "zero_params": ["bias"]}),
    ("flat", rules.Flat, {}),
]

ACTIVATION_RULES = [
    ("pass", rules.Pass, {}),
    ("relu_deconvnet", rules.ReLUDeconvNet, {}),
    ("relu_guided_backprop", rules.ReLUGuidedBackprop, {}),
    ("relu_beta_smooth", rules.ReLUBetaSmooth, {}),
    ("relu_beta_smooth", rules.ReLUBetaSmooth, {"beta_smooth": 2.0}),
]

RENAMED = {"stabilizer": "epsilon", "beta_smooth": "beta"}


def modules():
    """Name, module and the shape of its input."""
    for bias in (True, False):
        yield f"linear bias {bias}", nn.Linear(5, 4, bias=bias), (BATCH, 5)
    for size, transposed in product(SIZES, (False, True)):
        kind = f"conv_transpose{size}d" if transposed else f"conv{size}d"
        module = getattr(nn, f"ConvTranspose{size}d" if transposed else f"Conv{size}d")
        for channels, width, kernel, bias in product((1, 3), (1, 3), (2, 3), (True, False)):
            yield (f"{kind} {channels} -> {width} kernel {kernel} bias {bias}",
                   module(channels, width, kernel, bias=bias), (BATCH, channels, *SIZES[size]))


def relevance(module, rule, x, R=None):
    """What a rule of Zennit's hands to the module's input."""
    hook = rule.copy()
    handles = hook.register(module)
    try:
        leaf = x.clone().requires_grad_()
        y = module(leaf)
        return torch.autograd.grad(y, leaf, y.detach() if R is None else R)[0]
    finally:
        handles.remove()


def grid():
    made, found = [], [[] for _ in CONFIGURATIONS]
    for name, module, shape in modules():
        module.to(torch.float64)
        drawn = generator(name)
        for parameter in module.parameters():
            parameter.data = draw(parameter.shape, drawn)
        x = draw(shape, drawn, -2, 2)
        entry = {"kind": name.split()[0], "name": name, "x": x, "weight": module.weight.detach()}
        if module.bias is not None:
            entry["bias"] = module.bias.detach()
        made.append(entry)
        for (_, rule, arguments), all_found in zip(CONFIGURATIONS, found):
            all_found.append(relevance(module, rule(**arguments), x).flatten())
    return {
        "modules": made,
        "calls": [call(name, arguments, RENAMED) for name, _, arguments in CONFIGURATIONS],
        "relevance": [torch.cat(each) for each in found],  # of all modules, one after the other
    }


def activations():
    drawn = generator("activations")
    x, R = draw((BATCH, 3, 7), drawn, -2, 2), draw((BATCH, 3, 7), drawn, -2, 2)
    x[0, 0, :3] = 0  # where sides are taken
    R[0, 0, 2:4] = 0
    return {
        "x": x,
        "R": R,
        "calls": [call(name, arguments, RENAMED) for name, _, arguments in ACTIVATION_RULES],
        "relevance": [relevance(nn.ReLU(), rule(**arguments), x, R) for _, rule, arguments in ACTIVATION_RULES],
    }
