"""Zennit's rules and composites by their names, as Ascribe's.

    from ascribe.compat.zennit import EpsilonGammaBox, Gradient

    with Gradient(model, EpsilonGammaBox(low=-3.0, high=3.0)) as attributor:
        output, relevance = attributor(x, torch.eye(1000)[[3]])

Relevance is what Zennit gives with the canonizers that fit the model. Here none are needed: batch norm is merged, and
sums hand each summand its share, whether `canonizers` is given or not. The model is not changed, and a composite may be
at work on several models, in several threads.

What is not here: hooks that are Python classes. Such a rule is a few lines of a `.rule` file; see ascribe.load().
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Optional, Union

import torch

from .. import _core
from .._models import Attached, attach
from .._report import Report
from .._rules import Rules, parse

__all__ = [
    "Activation", "AlphaBeta", "AvgPool", "BatchNorm", "BetaSmooth", "Convolution", "ConvolutionStandard", "ConvolutionTranspose",
    "DeconvNet", "Epsilon", "EpsilonAlpha2Beta1", "EpsilonAlpha2Beta1Flat", "EpsilonGammaBox", "EpsilonPlus", "EpsilonPlusFlat",
    "ExcitationBackprop", "Flat", "Gamma", "Gradient", "GuidedBackprop", "LayerMapComposite", "Linear", "MaxPool", "MixedComposite",
    "NameLayerMapComposite", "NameMapComposite", "Norm", "Pass", "ReLUBetaSmooth", "ReLUDeconvNet", "ReLUGuidedBackprop",
    "SpecialFirstLayerMapComposite", "Sum", "WSquare", "ZBox", "ZPlus", "layer_map_base",
]

WRONG_ARGUMENT = 303  # grammar/code.hpp
ZeroParams = Union[None, str, Sequence[str]]


# ---- types of layers

class LayerType:
    """Stands for layers in a composite's map, as Zennit's types do."""

    def __init__(self, name: str, kinds: str) -> None:
        self.name, self.kinds = name, kinds

    def __repr__(self) -> str:
        return self.name


ConvolutionStandard = LayerType("ConvolutionStandard", "conv1d, conv2d, conv3d")
ConvolutionTranspose = LayerType("ConvolutionTranspose", "conv_transpose1d, conv_transpose2d, conv_transpose3d")
Convolution = LayerType("Convolution", "convolution")
Linear = LayerType("Linear", "linear, convolution")  # Zennit counts convolutions among them
BatchNorm = LayerType("BatchNorm", "batch_norm")
AvgPool = LayerType("AvgPool", "avg_pool")
MaxPool = LayerType("MaxPool", "max_pool")
Activation = LayerType("Activation", "activation")
Sum = LayerType("Sum", "add, sum")

_types = {each.name: each.kinds for each in (ConvolutionStandard, ConvolutionTranspose, Convolution, Linear, BatchNorm, AvgPool, MaxPool, Activation, Sum)}

_kinds_of_classes = {
    **{f"Conv{n}d": f"conv{n}d" for n in (1, 2, 3)}, **{f"ConvTranspose{n}d": f"conv_transpose{n}d" for n in (1, 2, 3)},
    **{f"{a}{b}Pool{n}d": f"{c}{d}_pool{n}d" for n in (1, 2, 3) for a, c in (("", ""), ("Adaptive", "adaptive_")) for b, d in (("Avg", "avg"), ("Max", "max"))},
    **{f"BatchNorm{n}d": "batch_norm" for n in (1, 2, 3)}, "Linear": "linear", "Bilinear": "bilinear", "Embedding": "embedding",
    "LayerNorm": "layer_norm", "GroupNorm": "group_norm", "Softmax": "softmax", "LogSoftmax": "log_softmax",
    "ReLU": "relu", "ReLU6": "relu6", "LeakyReLU": "leaky_relu", "RReLU": "rrelu", "ELU": "elu", "SELU": "selu", "CELU": "celu",
    "GELU": "gelu", "SiLU": "silu", "Mish": "mish", "Sigmoid": "sigmoid", "LogSigmoid": "log_sigmoid", "Tanh": "tanh",
    "Softplus": "softplus", "Softsign": "softsign", "Threshold": "threshold", "Hardtanh": "hardtanh", "Hardswish": "hardswish",
    "Hardsigmoid": "hardsigmoid", "Hardshrink": "hardshrink", "Softshrink": "softshrink", "Tanhshrink": "tanhshrink", "PReLU": "prelu",
}


def _kinds_of(layer_type: Any) -> str:
    """Of a type of this module or of Zennit's, a class of torch.nn's, or several of them."""
    if isinstance(layer_type, (tuple, list)):
        return ", ".join(_kinds_of(each) for each in layer_type)
    if isinstance(layer_type, LayerType):
        return layer_type.kinds
    name, module = getattr(layer_type, "__name__", ""), getattr(layer_type, "__module__", "")
    if module.startswith("zennit.") and name in _types:
        return _types[name]
    if module.startswith("torch.nn.") and name in _kinds_of_classes:
        return _kinds_of_classes[name]
    _core.fail(WRONG_ARGUMENT, f"{layer_type!r} stands for no kind of layers",
               'give a type such as Convolution, or a class of torch.nn; modules of other classes are entries of a .rule file: class "Name" => …')
    raise AssertionError


# ---- rules

class _Call:
    """A rule with its arguments; tensors among them become the composite's."""

    name = ""

    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments

    def text(self, tensors: list[torch.Tensor]) -> str:
        if not self.arguments:
            return self.name
        return f"{self.name}({', '.join(f'{key} = {_shown(value, key, tensors)}' for key, value in self.arguments.items())})"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.arguments.items())})"


def _shown(value: Any, name: str, tensors: list[torch.Tensor]) -> str:
    if value is None:
        return "[]"
    if isinstance(value, str):
        return f'["{value}"]' if name == "zero_params" else value  # a stabilizer as text
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(float(value)) if isinstance(value, float) else repr(value)
    if isinstance(value, torch.Tensor):
        tensors.append(value)
        return f"p{len(tensors)}"
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return "[" + ", ".join(f'"{each}"' for each in value) + "]"
    _core.fail(WRONG_ARGUMENT, f"`{name}` is of the type {type(value).__name__}",
               'give a number; a stabilizer of another sort is text, such as epsilon="relative(0.1)"')
    raise AssertionError


class Epsilon(_Call):
    name = "epsilon"

    def __init__(self, epsilon: Union[float, str] = 1e-6, zero_params: ZeroParams = None) -> None:
        super().__init__(epsilon=epsilon, zero_params=zero_params)


class Gamma(_Call):
    name = "gamma"

    def __init__(self, gamma: float = 0.25, stabilizer: Union[float, str] = 1e-6, zero_params: ZeroParams = None) -> None:
        super().__init__(gamma=gamma, epsilon=stabilizer, zero_params=zero_params)


class ZPlus(_Call):
    name = "zplus"

    def __init__(self, stabilizer: Union[float, str] = 1e-6, zero_params: ZeroParams = None) -> None:
        super().__init__(epsilon=stabilizer, zero_params=zero_params)


class AlphaBeta(_Call):
    name = "alpha_beta"

    def __init__(self, alpha: float = 2.0, beta: float = 1.0, stabilizer: Union[float, str] = 1e-6, zero_params: ZeroParams = None) -> None:
        super().__init__(alpha=alpha, beta=beta, epsilon=stabilizer, zero_params=zero_params)


class ZBox(_Call):
    name = "zbox"

    def __init__(self, low: Union[float, torch.Tensor], high: Union[float, torch.Tensor], stabilizer: Union[float, str] = 1e-6,
                 zero_params: ZeroParams = None) -> None:
        super().__init__(low=low, high=high, epsilon=stabilizer, zero_params=zero_params)


class WSquare(_Call):
    name = "wsquare"

    def __init__(self, stabilizer: Union[float, str] = 1e-6, zero_params: ZeroParams = None) -> None:
        super().__init__(epsilon=stabilizer, zero_params=zero_params)


class Flat(_Call):
    name = "flat"

    def __init__(self, stabilizer: Union[float, str] = 1e-6, zero_params: ZeroParams = None) -> None:
        super().__init__(epsilon=stabilizer, zero_params=zero_params)


class Norm(_Call):
    name = "norm"

    def __init__(self, stabilizer: Union[float, str] = 1e-6) -> None:
        super().__init__(epsilon=stabilizer)


class Pass(_Call):
    name = "pass"

    def __init__(self) -> None:
        super().__init__()


class ReLUDeconvNet(_Call):
    name = "relu_deconvnet"

    def __init__(self) -> None:
        super().__init__()


class ReLUGuidedBackprop(_Call):
    name = "relu_guided_backprop"

    def __init__(self) -> None:
        super().__init__()


class ReLUBetaSmooth(_Call):
    name = "relu_beta_smooth"

    def __init__(self, beta_smooth: float = 10.0) -> None:
        super().__init__(beta=beta_smooth)


class _Merge(_Call):
    """What canonizers do for Zennit."""

    name = "merge"


# ---- composites

Entry = tuple[str, _Call]
LayerMap = Sequence[tuple[Any, Any]]


def layer_map_base(stabilizer: Union[float, str] = 1e-6) -> list[tuple[Any, Any]]:
    """What most maps begin with: activations pass, batch norm is merged, sums and average pools hand out shares."""
    return [(Activation, Pass()), (Sum, Norm(stabilizer)), (AvgPool, Norm(stabilizer)), (BatchNorm, _Merge())]


def _is_rule(rule: Any) -> _Call:
    if not isinstance(rule, _Call):
        _core.fail(WRONG_ARGUMENT, f"a rule is of the type {type(rule).__module__}.{type(rule).__name__}",
                   f"give one of this module, such as ascribe.compat.zennit.{type(rule).__name__ if type(rule).__name__ in __all__ else 'Epsilon'}")
    return rule


def _pairs(name: str, given: Any) -> list[tuple[Any, Any]]:
    """A map as it is written: pairs, each of layers and their rule; None: there are none."""
    if given is None:
        return []
    if not isinstance(given, (list, tuple)) or not all(isinstance(each, (list, tuple)) and len(each) == 2 for each in given):
        _core.fail(WRONG_ARGUMENT, f"`{name}` is no list of pairs", "name_map = [([\"features.0\"], ZPlus())]" if name == "name_map" else f"{name} = [(Convolution, ZPlus())]")
    return list(given)


def _layer_entries(layer_map: Optional[LayerMap], name: str = "layer_map", count: str = "") -> list[Entry]:
    return [(count + _kinds_of(kinds), _is_rule(rule)) for kinds, rule in _pairs(name, layer_map)]


def _name_entries(name_map: Optional[Sequence[tuple[Sequence[str], Any]]]) -> list[Entry]:
    def glob(name: str) -> str:
        if '"' in name or "\n" in name:
            _core.fail(WRONG_ARGUMENT, f"the module's name {name!r} has no place in a rule file", "give names without quotes and line ends")
        return '"' + "".join(f"[{each}]" if each in "*?[" else each for each in name) + '"'

    return [(", ".join(map(glob, names)), _is_rule(rule)) for names, rule in _pairs("name_map", name_map) if names]


class Composite:
    """Which layers get which rules: the first entry that fits a layer."""

    def __init__(self, entries: Sequence[Entry], canonizers: Optional[Sequence[Any]] = None) -> None:
        self.entries = list(entries)
        if canonizers is not None and not isinstance(canonizers, (list, tuple)):
            _core.fail(WRONG_ARGUMENT, f"`canonizers` is of the type {type(canonizers).__name__}", "leave it out: none are needed here")
        if canonizers:  # of what Zennit merges, nothing is left that an entry could be for
            self.entries.insert(0, ("batch_norm", _Merge()))
        self._attached: dict[int, Attached] = {}

    @property
    def rule_text(self) -> str:
        """The same in Ascribe's language."""
        return self._written()[0]

    @property
    def rules(self) -> Rules:
        """The same for ascribe.attach() and ascribe.attribute()."""
        text, tensors = self._written()
        return parse(text, type(self).__name__).composite("composite_of_zennit", **{f"p{i + 1}": tensor for i, tensor in enumerate(tensors)})

    def _written(self) -> tuple[str, list[torch.Tensor]]:
        tensors: list[torch.Tensor] = []
        lines = [f"  {layers} => {rule.text(tensors)}\n" for layers, rule in self.entries]
        parameters = f"({', '.join(f'p{i + 1}: input' for i in range(len(tensors)))})" if tensors else ""
        return f"composite composite_of_zennit{parameters} {{\n{''.join(lines)}}}\n", tensors

    def register(self, module: torch.nn.Module) -> None:
        """From now on, gradients of what the model computes on this thread are relevance; until remove()."""
        if id(module) in self._attached:
            _core.fail(WRONG_ARGUMENT, "the composite is registered on this model", "composite.remove()")
        self._attached[id(module)] = attach(self.rules, module, sums=False)

    def remove(self) -> None:
        for attached in self._attached.values():
            attached.remove()
        self._attached.clear()

    @contextmanager
    def context(self, module: torch.nn.Module) -> Iterator[torch.nn.Module]:
        """In the `with`, gradients of what the model computes are relevance."""
        with attach(self.rules, module, sums=False):
            yield module


class LayerMapComposite(Composite):
    def __init__(self, layer_map: LayerMap, canonizers: Optional[Sequence[Any]] = None) -> None:
        super().__init__(_layer_entries(layer_map), canonizers)


class SpecialFirstLayerMapComposite(Composite):
    def __init__(self, layer_map: LayerMap, first_map: LayerMap, canonizers: Optional[Sequence[Any]] = None) -> None:
        super().__init__(_layer_entries(first_map, "first_map", "first ") + _layer_entries(layer_map), canonizers)


class NameMapComposite(Composite):
    def __init__(self, name_map: Sequence[tuple[Sequence[str], Any]], canonizers: Optional[Sequence[Any]] = None) -> None:
        super().__init__(_name_entries(name_map), canonizers)


class NameLayerMapComposite(Composite):
    def __init__(self, name_map: Optional[Sequence[tuple[Sequence[str], Any]]] = None, layer_map: Optional[LayerMap] = None,
                 canonizers: Optional[Sequence[Any]] = None) -> None:
        super().__init__(_name_entries(name_map) + _layer_entries(layer_map), canonizers)


class MixedComposite(Composite):
    def __init__(self, composites: Sequence[Composite], canonizers: Optional[Sequence[Any]] = None) -> None:
        if not isinstance(composites, (list, tuple)) or not all(isinstance(each, Composite) for each in composites):
            _core.fail(WRONG_ARGUMENT, "`composites` holds something else than composites", "composites = [NameMapComposite([]), EpsilonPlus()]")
        super().__init__([entry for each in composites for entry in each.entries], canonizers)


class EpsilonGammaBox(SpecialFirstLayerMapComposite):
    def __init__(self, low: Union[float, torch.Tensor], high: Union[float, torch.Tensor], epsilon: Union[float, str] = 1e-6, gamma: float = 0.25,
                 stabilizer: Union[float, str] = 1e-6, layer_map: Optional[LayerMap] = None, first_map: Optional[LayerMap] = None,
                 zero_params: ZeroParams = None, canonizers: Optional[Sequence[Any]] = None) -> None:
        super().__init__(
            [*_pairs("layer_map", layer_map), *layer_map_base(stabilizer), (Convolution, Gamma(gamma, stabilizer, zero_params)), (torch.nn.Linear, Epsilon(epsilon, zero_params))],
            [*_pairs("first_map", first_map), (Linear, ZBox(low, high, stabilizer, zero_params))], canonizers)


class EpsilonPlus(LayerMapComposite):
    def __init__(self, epsilon: Union[float, str] = 1e-6, stabilizer: Union[float, str] = 1e-6, layer_map: Optional[LayerMap] = None,
                 zero_params: ZeroParams = None, canonizers: Optional[Sequence[Any]] = None) -> None:
        super().__init__(
            [*_pairs("layer_map", layer_map), *layer_map_base(stabilizer), (Convolution, ZPlus(stabilizer, zero_params)), (torch.nn.Linear, Epsilon(epsilon, zero_params))],
            canonizers)


class EpsilonAlpha2Beta1(LayerMapComposite):
    def __init__(self, epsilon: Union[float, str] = 1e-6, stabilizer: Union[float, str] = 1e-6, layer_map: Optional[LayerMap] = None,
                 zero_params: ZeroParams = None, canonizers: Optional[Sequence[Any]] = None) -> None:
        super().__init__(
            [*_pairs("layer_map", layer_map), *layer_map_base(stabilizer), (Convolution, AlphaBeta(2, 1, stabilizer, zero_params)), (torch.nn.Linear, Epsilon(epsilon, zero_params))],
            canonizers)


class EpsilonPlusFlat(SpecialFirstLayerMapComposite):
    def __init__(self, epsilon: Union[float, str] = 1e-6, stabilizer: Union[float, str] = 1e-6, layer_map: Optional[LayerMap] = None,
                 first_map: Optional[LayerMap] = None, zero_params: ZeroParams = None, canonizers: Optional[Sequence[Any]] = None) -> None:
        super().__init__(
            [*_pairs("layer_map", layer_map), *layer_map_base(stabilizer), (Convolution, ZPlus(stabilizer, zero_params)), (torch.nn.Linear, Epsilon(epsilon, zero_params))],
            [*_pairs("first_map", first_map), (Linear, Flat(stabilizer, zero_params))], canonizers)


class EpsilonAlpha2Beta1Flat(SpecialFirstLayerMapComposite):
    def __init__(self, epsilon: Union[float, str] = 1e-6, stabilizer: Union[float, str] = 1e-6, layer_map: Optional[LayerMap] = None,
                 first_map: Optional[LayerMap] = None, zero_params: ZeroParams = None, canonizers: Optional[Sequence[Any]] = None) -> None:
        super().__init__(
            [*_pairs("layer_map", layer_map), *layer_map_base(stabilizer), (Convolution, AlphaBeta(2, 1, stabilizer, zero_params)), (torch.nn.Linear, Epsilon(epsilon, zero_params))],
            [*_pairs("first_map", first_map), (Linear, Flat(stabilizer, zero_params))], canonizers)


class DeconvNet(LayerMapComposite):
    def __init__(self, layer_map: Optional[LayerMap] = None, canonizers: Optional[Sequence[Any]] = None) -> None:
        super().__init__([*_pairs("layer_map", layer_map), (torch.nn.ReLU, ReLUDeconvNet())], canonizers)


class GuidedBackprop(LayerMapComposite):
    def __init__(self, layer_map: Optional[LayerMap] = None, canonizers: Optional[Sequence[Any]] = None) -> None:
        super().__init__([*_pairs("layer_map", layer_map), (torch.nn.ReLU, ReLUGuidedBackprop())], canonizers)


class ExcitationBackprop(LayerMapComposite):
    def __init__(self, stabilizer: Union[float, str] = 1e-6, layer_map: Optional[LayerMap] = None, zero_params: ZeroParams = None,
                 canonizers: Optional[Sequence[Any]] = None) -> None:
        super().__init__([*_pairs("layer_map", layer_map), (Sum, Norm(stabilizer)), (AvgPool, Norm(stabilizer)), (BatchNorm, _Merge()), (Linear, ZPlus(stabilizer, zero_params))], canonizers)


class BetaSmooth(LayerMapComposite):
    def __init__(self, beta_smooth: float = 10.0, layer_map: Optional[LayerMap] = None, zero_params: ZeroParams = None,
                 canonizers: Optional[Sequence[Any]] = None) -> None:
        super().__init__([*_pairs("layer_map", layer_map), (torch.nn.ReLU, ReLUBetaSmooth(beta_smooth))], canonizers)


# ---- the attributor

class Gradient:
    """Runs a model under a composite, and gives its output and the input's relevance.

    `attr_output`: relevance of the output: a tensor of its shape, or a function of it; None: the output itself.
    """

    def __init__(self, model: torch.nn.Module, composite: Optional[Composite] = None, attr_output: Any = None,
                 create_graph: bool = False, retain_graph: Optional[bool] = None) -> None:
        self.model, self.composite, self.attr_output, self.create_graph, self.retain_graph = model, composite, attr_output, create_graph, retain_graph
        self.report: Optional[Report] = None
        """What the layers did, in the last call."""

    def __enter__(self) -> "Gradient":
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def __call__(self, input: torch.Tensor, attr_output: Any = None) -> tuple[torch.Tensor, torch.Tensor]:
        return self.forward(input, attr_output)

    def forward(self, input: torch.Tensor, attr_output: Any = None) -> tuple[torch.Tensor, torch.Tensor]:
        x = input if input.requires_grad and self.create_graph else input.detach().clone().requires_grad_()
        start = self.attr_output if attr_output is None else attr_output
        with torch.enable_grad():
            if self.composite is None:
                output = self.model(x)
            else:
                with attach(self.composite.rules, x_model := self.model) as attached:
                    output = x_model(x)
        if start is None:
            start = output.detach()
        elif callable(start):
            start = start(output.detach())
        relevance, = torch.autograd.grad(output, x, grad_outputs=start.to(output), create_graph=self.create_graph, retain_graph=self.retain_graph)
        if self.composite is not None:
            self.report = attached.report
        return output.detach() if not self.create_graph else output, relevance
