"""Where Zennit is wrong: what it gives there, what it gives on an equivalent network that it does right, and the network.

Of each difference: `zennit`, its relevance; `right`, what it has to be; and what the test needs to find out for itself.
"""

import copy

import torch
from torch import nn
from zennit import composites, rules
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.core import BasicHook, Composite
from zennit.layer import Sum

from drawing import draw, generator
from networks import fill, folded, relevance


class Twice(nn.Module):
    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.second(self.relu(self.first(x)))


class Meeting(nn.Module):
    """Two branches, and a module that takes them both."""

    def __init__(self, meet):
        super().__init__()
        self.left, self.right, self.meet = nn.Linear(4, 3), nn.Linear(4, 3), meet

    def forward(self, x):
        return self.meet(self.left(x), self.right(x))


class Add(nn.Module):
    def forward(self, first, second=0):
        return first + second


class AddByStack(nn.Module):
    def __init__(self):
        super().__init__()
        self.sum = Sum()

    def forward(self, first, second):
        return self.sum(torch.stack([first, second], -1))


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


class InAnotherOrder(nn.Module):
    """Its layers are registered in the reverse of the order in which they run."""

    def __init__(self, *layers):
        super().__init__()
        for i, layer in reversed(list(enumerate(layers))):
            self.add_module(f"layer{i}", layer)
        self.depth = len(layers)

    def forward(self, x):
        for i in range(self.depth):
            x = getattr(self, f"layer{i}")(x)
        return x


def made(model, name):
    model.to(torch.float64).eval()
    fill(model, name)
    return model


def of_type(kind, hook):
    return Composite(module_map=lambda ctx, name, module: hook if isinstance(module, kind) else None)


def drawn_for(name, *shapes):
    drawn = generator(name)
    return [draw(shape, drawn, -2, 2) for shape in shapes]


def a_module_used_twice():
    linear = nn.Linear(4, 4)
    model = made(Twice(linear, linear), "twice")
    x, R = drawn_for("twice input", (3, 4), (3, 4))
    equivalent = copy.deepcopy(model)
    equivalent.second = copy.deepcopy(equivalent.first)
    plus = composites.EpsilonPlus
    return model, {"x": x, "R": R, "zennit": relevance(model, plus(epsilon=0.1), x, R),
                   "right": relevance(equivalent, plus(epsilon=0.1), x, R)}


def a_stabilizer_of_its_own():
    """BasicHook takes one, and divides by the default one."""
    model = made(nn.Sequential(nn.Linear(4, 3)), "stabilizer")
    x, R = drawn_for("stabilizer input", (3, 4), (3, 3))
    return model, {"x": x, "R": R, "zennit": relevance(model, of_type(nn.Linear, BasicHook(stabilizer=0.5)), x, R),
                   "default": relevance(model, of_type(nn.Linear, BasicHook()), x, R),
                   "right": relevance(model, of_type(nn.Linear, rules.Epsilon(epsilon=0.5)), x, R)}


def several_inputs():
    """A rule sees a module's first input only, and each input of its shape gets all of the relevance."""
    model = made(Meeting(Add()), "meeting")
    x, R = drawn_for("meeting input", (3, 4), (3, 3))
    equivalent = Meeting(AddByStack()).to(torch.float64)
    equivalent.load_state_dict(model.state_dict())
    mapped = {nn.Linear: rules.Epsilon(epsilon=0.1), Add: rules.Norm(stabilizer=0.1), Sum: rules.Norm(stabilizer=0.1)}
    composite = Composite(module_map=lambda ctx, name, module: mapped.get(type(module)))
    return model, {"x": x, "R": R, "zennit": relevance(model, composite, x, R),
                   "right": relevance(equivalent, composite, x, R)}


def batch_norm_that_keeps_its_eps():
    """Merged batch norm still divides by √(1 + eps): the network has another output while rules are registered."""
    model = made(nn.Sequential(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 2, 2)), "eps")
    x, R = drawn_for("eps input", (2, 2, 4, 4), (2, 2, 2, 2))
    merging = composites.EpsilonPlus(canonizers=[SequentialMergeBatchNorm()])
    out = {"x": x, "R": R, "zennit": relevance(model, merging, x, R)}
    with torch.no_grad(), merging.context(model) as registered:
        out["output of zennit"] = registered(x)
    out["output"] = model(x).detach()
    by_hand = nn.Sequential(folded(model[0], model[1]), model[2], model[3])
    out["right"] = relevance(by_hand, composites.EpsilonPlus(), x, R)
    return model, out


def batch_norm_before_a_layer():
    """Merged into a layer before it only, it is passed: the same function, folded by hand, gives another relevance."""
    norm, conv = nn.BatchNorm2d(2), nn.Conv2d(2, 3, 2)
    model = made(nn.Sequential(norm, conv), "before")
    x, R = drawn_for("before input", (2, 2, 4, 4), (2, 3, 3, 3))
    merging = composites.EpsilonPlus(canonizers=[SequentialMergeBatchNorm()])
    scale = norm.weight.detach() * (norm.running_var + norm.eps).rsqrt()
    by_hand = copy.deepcopy(conv)  # w (s x + t) + b = (w s) x + (w t + b)
    by_hand.weight.data = conv.weight.detach() * scale.reshape(1, -1, 1, 1)
    shift = norm.bias.detach() - norm.running_mean * scale
    by_hand.bias.data = conv.bias.detach() + (conv.weight.detach() * shift.reshape(1, -1, 1, 1)).sum((1, 2, 3))
    return model, {"x": x, "R": R, "output": model(x).detach(), "zennit": relevance(model, merging, x, R),
                   "right": relevance(nn.Sequential(by_hand), composites.EpsilonPlus(), x, R),
                   "output by hand": by_hand(x).detach()}


def batch_norm_by_registration():
    """Merged into the layer that was registered before it, which is not the one that runs before it."""
    layers = [nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.Conv2d(3, 3, 2)]
    model = made(InAnotherOrder(*layers), "registered")
    x, R = drawn_for("registered input", (2, 2, 4, 4), (2, 3, 2, 2))
    merging = composites.EpsilonPlus(canonizers=[SequentialMergeBatchNorm()])
    out = {"x": x, "R": R, "zennit": relevance(model, merging, x, R)}
    with torch.no_grad(), merging.context(model) as registered:
        out["output of zennit"] = registered(x)
    out["output"] = model(x).detach()
    out["right"] = relevance(nn.Sequential(folded(layers[0], layers[1]), layers[2]), composites.EpsilonPlus(), x, R)
    return model, out


def first_by_registration():
    """The first layer's rule goes to the layer that was registered first, not to the one that runs first."""
    layers = [nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)]
    model = made(InAnotherOrder(*layers), "first")
    x, R = drawn_for("first input", (3, 4), (3, 3))
    return model, {"x": x, "R": R, "zennit": relevance(model, composites.EpsilonPlusFlat(), x, R),
                   "right": relevance(nn.Sequential(*layers), composites.EpsilonPlusFlat(), x, R)}


def two_forward_passes():
    """A hook keeps the tensors of one forward pass: a second one, or another thread's, replaces them."""
    model = made(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)), "passes")
    x, other, R = drawn_for("passes input", (3, 4), (3, 4), (3, 3))
    composite = composites.EpsilonPlus(epsilon=0.1)
    leaf = x.clone().requires_grad_()
    with composite.context(model) as registered:
        y = registered(leaf)
        registered(other.clone().requires_grad_())
        zennit, = torch.autograd.grad(y, leaf, R)
    return model, {"x": x, "other": other, "R": R, "zennit": zennit, "right": relevance(model, composite, x, R)}


def relu_in_place():
    """The hook keeps the ReLU's input, which the ReLU then overwrites: where x < 0, half of the relevance goes through."""
    layers = made(nn.Sequential(nn.Linear(4, 5), nn.ReLU(inplace=True), nn.Linear(5, 3)), "in place")
    x, R = drawn_for("in place input", (3, 4), (3, 3))
    equivalent = nn.Sequential(layers[0], nn.ReLU(), layers[2])
    return layers, {"x": x, "R": R, "zennit": relevance(layers, composites.BetaSmooth(), x, R),
                    "right": relevance(equivalent, composites.BetaSmooth(), x, R)}


def activations_that_are_functions():
    """Only modules get rules: what forward() calls keeps its gradient."""
    model = made(Functional(), "functional")
    x, R = drawn_for("functional input", (3, 4), (3, 3))
    equivalent = nn.Sequential(model.first, nn.ReLU(), model.second)
    return model, {"x": x, "R": R, "zennit": relevance(model, composites.DeconvNet(), x, R),
                   "right": relevance(equivalent, composites.DeconvNet(), x, R)}


def an_activation_that_it_does_not_know():
    """Mish is none of its activations, and keeps its gradient."""
    model = made(nn.Sequential(nn.Linear(4, 5), nn.Mish(), nn.Linear(5, 3)), "mish")
    x, R = drawn_for("mish input", (3, 4), (3, 3))
    passing = composites.EpsilonPlus(epsilon=0.1, layer_map=[(nn.Mish, rules.Pass())])
    return model, {"x": x, "R": R, "zennit": relevance(model, composites.EpsilonPlus(epsilon=0.1), x, R),
                   "right": relevance(model, passing, x, R)}


def refusals():
    """The kind of exception that Zennit ends with where it cannot go on: empty if it can."""

    def said(action):
        try:
            action()
            return ""
        except Exception as error:  # whatever it is
            return type(error).__name__

    def merge(*layers):
        model = made(nn.Sequential(*layers), "refused")
        with composites.EpsilonPlus(canonizers=[SequentialMergeBatchNorm()]).context(model) as registered:
            registered(drawn_for("refused input", (1, 4, 3, 3))[0])

    return {
        "alpha_beta(2.2, 1.2)": said(lambda: rules.AlphaBeta(alpha=2.2, beta=1.2)),
        "batch norm without affine": said(lambda: merge(nn.Conv2d(4, 4, 2), nn.BatchNorm2d(4, affine=False))),
        "batch norm behind a grouped transposed convolution": said(
            lambda: merge(nn.ConvTranspose2d(4, 6, 2, groups=2), nn.BatchNorm2d(6))),
    }


DIFFERENCES = [a_module_used_twice, a_stabilizer_of_its_own, several_inputs, batch_norm_that_keeps_its_eps,
               batch_norm_before_a_layer, batch_norm_by_registration, first_by_registration, two_forward_passes,
               relu_in_place, activations_that_are_functions, an_activation_that_it_does_not_know]


def differences():
    models, found = {}, {"refusals": refusals()}
    for difference in DIFFERENCES:
        name = difference.__name__
        model, found[name] = difference()
        models[name] = (model, found[name]["x"])
    return models, found
