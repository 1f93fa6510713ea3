"""The networks that composites are compared on, and the composites.

Each network is there twice, with the same weights: as it is run here, and as Zennit has to have it, with batch norm
folded by hand and residual connections as its Sum module.
"""

import copy

import torch
from torch import nn
from zennit import composites
from zennit.layer import Sum

from calls import call, clipped, relative, relative_over_channels
from drawing import draw, generator

BATCH = 2


class Residual(nn.Module):
    """A block whose branches meet in Zennit's Sum, or in a plain sum."""

    def __init__(self, channels, width, stride=1, meet="sum"):
        super().__init__()
        self.branch = nn.Sequential(nn.Conv2d(channels, width, 3, stride, padding=1), nn.ReLU(),
                                    nn.Conv2d(width, width, 3, padding=1))
        self.shortcut = nn.Conv2d(channels, width, 1, stride) if stride != 1 or channels != width else nn.Identity()
        self.sum = Sum()
        self.relu = nn.ReLU(inplace=meet == "in place")
        self.meet = meet

    def forward(self, x):
        branch, shortcut = self.branch(x), self.shortcut(x)
        if self.meet == "sum":
            return self.relu(self.sum(torch.stack([branch, shortcut], -1)))
        if self.meet == "in place":
            branch += shortcut
            return self.relu(branch)
        return self.relu(branch + shortcut)


def residual(*meets):
    first, second = meets
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), Residual(4, 4, meet=first),
                         Residual(4, 6, 2, meet=second), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 5))


class Activations(nn.Module):
    """Every activation that Zennit knows, each behind a linear layer of its own."""

    KINDS = (nn.ReLU, nn.ELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardtanh, nn.Hardswish, nn.LeakyReLU, nn.LogSigmoid,
             nn.PReLU, nn.ReLU6, nn.RReLU, nn.SELU, nn.CELU, nn.GELU, nn.Sigmoid, nn.SiLU, nn.Softplus, nn.Softshrink,
             nn.Softsign, nn.Tanh, nn.Tanhshrink)

    def __init__(self):
        super().__init__()
        kinds = [kind() for kind in self.KINDS] + [nn.Threshold(0.1, -0.2)]
        self.first = nn.Linear(4, 5)
        self.branches = nn.ModuleList(nn.Sequential(nn.Linear(5, 3), kind) for kind in kinds)
        self.last = nn.Linear(3 * len(kinds), 3)

    def forward(self, x):
        x = self.first(x)
        return self.last(torch.cat([branch(x) for branch in self.branches], 1))


def tokens():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(15, 4))


# The network here, the one for Zennit where it is another, and the shape of an input.
NETWORKS = {
    "plain": lambda: (nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(54, 8), nn.ReLU(),
        nn.Dropout(), nn.Linear(8, 5)), None, (2, 8, 8)),
    "batch_norm": lambda: (nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, stride=2, groups=2), nn.BatchNorm2d(6, eps=1e-3), nn.ReLU(),
        nn.ConvTranspose2d(6, 4, 2, groups=2), nn.BatchNorm2d(4, affine=False), nn.ReLU(), nn.Flatten(),
        nn.Linear(36, 8, bias=False), nn.BatchNorm1d(8, eps=0.1), nn.ReLU(), nn.Linear(8, 5)), None, (2, 8, 8)),
    "residual_sum": lambda: (residual("sum", "sum"), None, (2, 8, 8)),
    "residual_plus": lambda: (residual("in place", "plus"), residual("sum", "sum"), (2, 8, 8)),
    "one_dimensional": lambda: (nn.Sequential(
        nn.Conv1d(3, 4, 3), nn.ReLU(), nn.MaxPool1d(3, 1, padding=1), nn.Conv1d(4, 4, 3, padding=2, dilation=2),
        nn.ReLU(), nn.AvgPool1d(2), nn.ConvTranspose1d(4, 4, 3), nn.BatchNorm1d(4), nn.ReLU(),
        nn.AdaptiveMaxPool1d(5), nn.AdaptiveAvgPool1d(3), nn.Flatten(), nn.Linear(12, 4)), None, (3, 14)),
    "decoder": lambda: (nn.Sequential(
        nn.Linear(5, 24), nn.ReLU(), nn.Unflatten(1, (6, 2, 2)),
        nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.ConvTranspose2d(4, 3, 2, stride=2), nn.ReLU(), nn.ConvTranspose2d(3, 1, 3, padding=1), nn.Sigmoid()),
        None, (5,)),
    "perceptron": lambda: (nn.Sequential(
        nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 7), nn.Tanh(), nn.Linear(7, 7), nn.ReLU(), nn.Linear(7, 4)),
        None, (6,)),
    "tokens": lambda: (tokens(), None, (3, 4)),
    "strides_and_groups": lambda: (nn.Sequential(
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=6),
        nn.ReLU(), nn.Conv2d(6, 4, (2, 3), padding="same", dilation=(2, 1)), nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"), nn.ReLU(),
        nn.Conv2d(4, 4, (3, 2), stride=(1, 2), padding=(0, 1)), nn.ReLU(), nn.Flatten(), nn.Linear(36, 4)),
        None, (4, 9, 9)),
    "pooling": lambda: (nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
        nn.AvgPool2d(3, 1, padding=1, count_include_pad=False), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(),
        nn.AvgPool2d(2, 2, padding=1, ceil_mode=True), nn.AdaptiveMaxPool2d((3, 2)), nn.AdaptiveAvgPool2d((2, 3)),
        nn.Flatten(), nn.Linear(24, 4)), None, (2, 12, 12)),
    "volume": lambda: (nn.Sequential(
        nn.Conv3d(2, 3, 2), nn.BatchNorm3d(3), nn.ReLU(), nn.MaxPool3d(2, 1), nn.Conv3d(3, 4, 2, padding=1), nn.ReLU(),
        nn.AvgPool3d(2), nn.ConvTranspose3d(4, 2, 2), nn.ReLU(), nn.AdaptiveMaxPool3d(2), nn.AdaptiveAvgPool3d((1, 2, 2)),
        nn.Flatten(), nn.Linear(8, 4)), None, (2, 5, 5, 5)),
    "activations": lambda: (Activations(), None, (4,)),
}

EXPORTED = ("batch_norm", "residual_plus")  # as `.pt2`, too

BOUND_DRAWN = 2  # inputs lie between -2 and 2


def variants(model):
    """Zennit's composites by name, and their arguments."""
    first = next((each for each in model.modules() if isinstance(each, nn.modules.conv._ConvNd)), None)
    channels, dimensions = (first.in_channels, first.weight.ndim) if first is not None else (1, 2)
    shape = (1, channels) + (1,) * (dimensions - 2)  # of bounds per channel: the first convolution is what they are for
    low = -BOUND_DRAWN - torch.arange(channels, dtype=torch.float64).reshape(shape) / 4
    high = BOUND_DRAWN + torch.arange(channels, dtype=torch.float64).reshape(shape) / 8
    bias = ["bias"]
    return [
        ("epsilon_plus", {}),
        ("epsilon_plus", {"epsilon": 0.1, "stabilizer": 0.01, "zero_params": bias}),
        ("epsilon_plus", {"epsilon": relative(0.1), "stabilizer": clipped(0.01)}),
        ("epsilon_alpha2_beta1", {}),
        ("epsilon_alpha2_beta1", {"epsilon": 0.05, "stabilizer": 0.02, "zero_params": bias}),
        ("epsilon_plus_flat", {}),
        ("epsilon_plus_flat", {"epsilon": 0.1, "stabilizer": relative(0.05), "zero_params": bias}),
        ("epsilon_alpha2_beta1_flat", {}),
        ("epsilon_alpha2_beta1_flat", {"epsilon": clipped(0.05), "stabilizer": 0.02, "zero_params": bias}),
        ("epsilon_gamma_box", {"low": -3.0, "high": 3.0}),
        ("epsilon_gamma_box", {"low": low, "high": high, "epsilon": 0.1, "gamma": 0.5, "stabilizer": 0.02,
                               "zero_params": bias}),
        ("epsilon_gamma_box", {"low": -2.5, "high": 4.0, "gamma": 10.0, "stabilizer": relative_over_channels(0.1)}),
        ("deconvnet", {}),
        ("guided_backprop", {}),
        ("excitation_backprop", {}),
        ("excitation_backprop", {"zero_params": bias}),
        ("excitation_backprop", {"stabilizer": 0.1}),
        ("beta_smooth", {}),
        ("beta_smooth", {"beta_smooth": 2.0}),
    ]


def fill(model, name):
    """Draws all that a network has learnt."""
    drawn = generator(name)
    for module in model.modules():
        own = dict(module.named_parameters(recurse=False)) | dict(module.named_buffers(recurse=False))
        is_norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
        for key, value in own.items():
            if not value.is_floating_point():
                continue
            if is_norm:
                low, high = {"weight": (0.5, 1.5), "running_var": (0.5, 1.5)}.get(key, (-0.25, 0.5))
            elif key == "bias":
                low, high = -0.125, 0.25
            else:
                high = 2 / value[0].numel() ** 0.5 if value.ndim > 1 else 0.25
                low = -high
            value.data = draw(value.shape, drawn, low, high)
        if is_norm and module.weight is not None:
            module.weight.data[0] *= -1  # a channel that is turned over


def folded(linear, norm):
    """The layer that does what the two do one after the other."""
    out = copy.deepcopy(linear)
    scale = (norm.running_var + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.detach()
    weight = linear.weight.detach()
    if isinstance(linear, (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)):  # [in, out / groups, …]
        by_group = weight.reshape(linear.groups, -1, *weight.shape[1:])
        per_group = scale.reshape(linear.groups, 1, -1, *[1] * (weight.ndim - 2))
        out.weight.data = (by_group * per_group).reshape(weight.shape)
    else:
        out.weight.data = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    bias = torch.zeros_like(norm.running_mean) if linear.bias is None else linear.bias.detach()
    shift = 0 if norm.bias is None else norm.bias.detach()
    out.bias = nn.Parameter((bias - norm.running_mean) * scale + shift)
    return out


def as_zennit_needs_it(model):
    """Batch norm is folded, and no ReLU overwrites what Zennit's hooks keep."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    if not isinstance(model, nn.Sequential):
        return model
    layers = []
    for layer in model:
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layers[-1] = folded(layers[-1], layer)
        else:
            layers.append(layer)
    return nn.Sequential(*layers)


def relevance(model, composite, x, R):
    """Zennit's, of the input."""
    leaf = x.clone().requires_grad_()
    with composite.context(model) as registered:
        return torch.autograd.grad(registered(leaf), leaf, R)[0]


def networks():
    """Of each network: the model that is run here, and what Zennit makes of it under each composite."""
    models, found = {}, {}
    for name, make in NETWORKS.items():
        model, of_zennit, shape = make()
        model.to(torch.float64).eval()
        fill(model, name)
        if of_zennit is not None:
            of_zennit.to(torch.float64).eval().load_state_dict(model.state_dict())
        drawn = generator(name + " input")
        x = draw((BATCH, *shape), drawn, -BOUND_DRAWN, BOUND_DRAWN)
        with torch.no_grad():
            output = model(x)
        R = draw(output.shape, drawn, -1, 2)
        of_zennit = as_zennit_needs_it(of_zennit or model)
        under = []
        for composite, arguments in variants(model):
            zennits = composites.COMPOSITES[composite](**arguments)
            bounds = {key: value for key, value in arguments.items() if isinstance(value, torch.Tensor)}
            per_channel = arguments | dict.fromkeys(bounds, ...)
            under.append({
                "call": call(composite, arguments, {"beta_smooth": "beta"}),
                "row": call(composite, per_channel, {"beta_smooth": "beta"}).replace("Ellipsis", "…"),
                "relevance": relevance(of_zennit, zennits, x, R),
            })
        models[name] = (model, x)
        found[name] = {"x": x, "R": R, "output": output, "under": under}
    return models, found
