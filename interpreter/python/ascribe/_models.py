"""Rules on models: those of Python, and saved ones."""

from __future__ import annotations

import base64
import html
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from types import FunctionType
from typing import Any, Callable, NoReturn, Optional, Union

import torch
from torch.utils import _pytree

from . import _arguments, _core
from ._errors import Diagnostic, Error
from ._modules import Watch
from ._pictures import heatmap
from ._report import Report
from ._rules import Rules, rules_of
from ._targets import Target, target_of

TRAINING_MODE, WRONG_MODEL, WRONG_INPUT, USAGE = 605, 701, 703, 705  # grammar/code.hpp


def _refuse(what: str, help: str) -> NoReturn:
    _core.fail(WRONG_MODEL, what, help)
    raise AssertionError


def _is_compiled(module: torch.nn.Module) -> bool:
    own = module.__dict__
    if own.get("_compiled_call_impl") is not None or type(module).__name__ == "OptimizedModule":
        return True
    forwards = (
        own.get("forward"),
        getattr(type(module), "forward", None),
        *(each for each in own.values() if isinstance(each, FunctionType)),
    )
    return any(getattr(each, "_is_torch_compile", False) for each in forwards)


def _zennits(module: torch.nn.Module) -> bool:
    for hooks in (module._forward_pre_hooks, module._forward_hooks, module._backward_hooks):
        for hook in hooks.values():
            owner = getattr(hook, "__self__", hook)
            if type(owner).__module__.startswith("zennit.") or getattr(hook, "__module__", "").startswith("zennit."):
                return True
    return False


class Survey:
    """A model's modules, and its parameters and buffers, by their whole names. Refuses what cannot be explained, before
    anything runs."""

    def __init__(self, model: Any) -> None:
        if not isinstance(model, torch.nn.Module):
            help = (
                "ascribe.attribute takes paths of saved models"
                if isinstance(model, (str, os.PathLike))
                else "give a torch.nn.Module"
            )
            _refuse(f"the model is of the type {type(model).__name__}, and no module", help)
        self.modules: list[tuple[str, torch.nn.Module]] = list(model.named_modules())
        self.tensors: list[tuple[str, torch.Tensor]] = []
        for path, module in self.modules:
            if isinstance(module, torch.jit.ScriptModule):
                _refuse(
                    f"{self._shown(path, module)} is TorchScript's, which runs without Python",
                    "build the model of modules that are not scripted" if path else "use ascribe.attribute(model, rules, x)",
                )
            if _is_compiled(module):
                _refuse(
                    f"{self._shown(path, module)} is compiled: its layers are no operators any more",
                    "give what was compiled: the model from before torch.compile(model), or before model.compile()",
                )
            if _zennits(module):
                _refuse(
                    f"{self._shown(path, module)} has hooks of Zennit's, which would change its gradient once more",
                    "take them away first: composite.remove()",
                )
            prefix = path + "." if path else ""
            for held in (module._parameters, module._buffers):
                for name, tensor in held.items():
                    if tensor is None:
                        continue
                    if tensor.is_meta:
                        _refuse(
                            f"'{prefix}{name}' is on the device `meta`, which has no numbers",
                            "load the weights: model.to_empty(device='cpu'), then model.load_state_dict(…)",
                        )
                    self.tensors.append((prefix + name, tensor))

    @staticmethod
    def _shown(path: str, module: torch.nn.Module) -> str:
        return f"module '{path}' ({type(module).__name__})" if path else f"the model ({type(module).__name__})"


def _tell(diagnostics: list[Diagnostic]) -> None:
    """As Python's warnings, in the line that called who calls this."""
    for each in diagnostics:
        warnings.warn(f"ascribe: {each}", stacklevel=3)


class Attached:
    """Rules at work on a model, on this thread, until the end of the `with` or remove(). See attach()."""

    _watch: Optional[Watch] = None

    def __init__(self, rules: Union[Rules, str], model: torch.nn.Module, sums: bool) -> None:
        composite, survey = rules_of(rules), Survey(model)
        self._attachment = _core.attach(composite, survey.tensors, _arguments.flag("sums", sums))
        self._watch = Watch(survey.modules)

    def __enter__(self) -> "Attached":
        if self._watch is None or self._watch.ended:
            _core.fail(USAGE, "these rules are attached no more", "attach them once more: with ascribe.attach(rules, model) as attached")
        return self

    def __exit__(self, kind: Any = None, *exception: object) -> None:
        try:
            if kind is None and self._watch is not None:
                if self._watch.called:
                    _tell(self.warnings)
                else:
                    warnings.warn(
                        "ascribe: nothing of the model was called in the `with`, and what it computes outside of it has no rules",
                        stacklevel=2,
                    )
        finally:
            self.remove()

    def __reduce__(self) -> Any:
        raise TypeError("rules are attached to a model on one thread: they are neither copied nor pickled")

    def __del__(self) -> None:
        if self._watch is not None:
            self.remove()

    def remove(self) -> None:
        """Ends it; a second call does nothing. What was computed keeps its rules."""
        if self._watch is None:
            return
        self._attachment.remove()
        self._watch.end()

    @property
    def report(self) -> Report:
        """The layers that were called so far, in order; their sums are there once relevance has passed."""
        return Report(self._attachment.report())

    @property
    def warnings(self) -> list[Diagnostic]:
        """What is no mistake, and hardly meant, of the layers in the report: entries that none of them had, layers and
        functions that kept their gradient; once relevance has passed, also what padding took, and what is not finite.
        The end of the `with` tells what is known until then as Python's warnings."""
        return [Diagnostic.of(row) for row in self._attachment.warnings()]

    @contextmanager
    def inactive(self) -> Iterator[None]:
        """In the `with`, it is as if nothing were attached, and what was recorded answers with the layers' own
        gradients, on every thread. For gradients of relevance, after `create_graph=True`."""
        pausing = self._attachment.inactive()
        try:
            yield
        finally:
            pausing.end()


def attach(rules: Union[Rules, str], model: torch.nn.Module, *, sums: bool = True) -> Attached:
    """Attaches rules to a model: in the `with`, what the model computes has relevance as its gradient.

    >>> import torch, ascribe
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval()
    >>> x = torch.ones(1, 3, requires_grad=True)
    >>> with ascribe.attach(ascribe.composite("epsilon_plus"), model) as attached:
    ...     y = model(x)
    >>> relevance, = torch.autograd.grad(y[:, 1].sum(), x)
    >>> relevance.shape, [layer.kind for layer in attached.report]
    (torch.Size([1, 3]), ['linear', 'relu', 'linear'])

    Relevance starts as the gradient that the output is given (`grad_outputs`; above 1), and arrives at every tensor of
    the input that requires a gradient, in its shape. Dimension 0 counts samples, whose relevance does not mix. No
    parameter gets a gradient.

    In the `with`, torch.utils.checkpoint keeps what it would compute once more in the backward pass, and functions that
    torch.compile has compiled before run as they were written.

    Nothing of the model changes, and other threads may use it meanwhile, with other rules or none. All operators of this
    thread in the `with` count as the model's; those behind it, such as the choice of an output, are better outside.

    `rules`: Rules, or a call of the standard pack as text: "epsilon_gamma_box(low = -3, high = 3)". `sums`: whether
    reports say what relevance sums to at each layer, which costs time in the backward pass.

    Raises Error: A0606 where gradients are disabled, A0701 for what is no model, or compiled, scripted, on `meta`, or has
    Zennit's hooks. From the model's forward: A0601, a rule that a layer cannot be served by; A0602, where the rules say
    so; A0604, no batch; A0605, training mode; A0609, what a layer's own operator refuses. From the backward pass: A0601,
    A0602, A0603 (nothing required a gradient), A0607, A0608.
    """
    return Attached(rules, model, sums)


Inputs = Union[torch.Tensor, Sequence[torch.Tensor], Mapping[str, torch.Tensor]]


def _inputs_of(given: Any) -> tuple[list[torch.Tensor], Optional[list[str]]]:
    """The tensors, and what they are called where that is how they are given."""
    names = list(given) if isinstance(given, Mapping) else None
    inputs = list(given.values()) if names else [given] if isinstance(given, torch.Tensor) else given
    if not isinstance(inputs, (list, tuple)):
        _core.fail(
            WRONG_INPUT,
            f"the input is of the type {type(given).__name__}, and no tensor",
            (
                "torch.from_numpy(x)"
                if type(given).__module__ == "numpy"
                else "give a torch.Tensor, several of them, or a dictionary of them"
            ),
        )
    for number, each in enumerate(inputs):
        name = f"'{names[number]}'" if names else number
        if not isinstance(each, torch.Tensor):
            _core.fail(WRONG_INPUT, f"input {name} is of the type {type(each).__name__}, and no tensor", "give torch.Tensors")
        if each.is_meta:
            _core.fail(WRONG_INPUT, f"input {name} is on the device `meta`, which has no numbers", "give torch.Tensors with numbers")
    return list(inputs), names


class Model:
    """A saved model, in evaluation mode: what torch.export.save (`.pt2`) or torch.jit.save (`.pt`) wrote. May be used by
    several threads at once."""

    def __init__(self, model: Any) -> None:
        self._model = model

    @classmethod
    def load(cls, path: Union[str, "os.PathLike[str]"]) -> "Model":
        """Raises Error: A0001 for a file that cannot be read, A0701 for what is no such model."""
        return cls(_core.Model.load(_arguments.path(path)))

    def to(self, device: str) -> "Model":
        """The model on another device ("cpu", "cuda:0"); this one stays where it is."""
        return Model(self._model.to(device))

    def __call__(self, *inputs: torch.Tensor) -> Union[torch.Tensor, tuple[torch.Tensor, ...]]:
        """What the model computes, as the file says it."""
        outputs = self._model.run(_inputs_of(list(inputs))[0])
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


def _tensors_in(result: Any) -> list[torch.Tensor]:
    """In order. Dataclasses are read by their fields, which PyTorch does of those only that are registered."""
    out: list[torch.Tensor] = []
    for leaf in _pytree.tree_leaves(result):
        if isinstance(leaf, torch.Tensor):
            out.append(leaf)
        elif is_dataclass(leaf) and not isinstance(leaf, type):
            out += _tensors_in([getattr(leaf, each.name) for each in fields(leaf)])
    return out


@contextmanager
def _running(model: Any, names: Optional[list[str]]) -> Iterator[Any]:
    """C++'s model, whatever it is given as."""
    if isinstance(model, Model):
        yield model._model
    elif isinstance(model, (str, os.PathLike)):
        yield _core.Model.load(_arguments.path(model))
    elif isinstance(model, (torch.jit.ScriptModule, torch.export.ExportedProgram)):
        with tempfile.TemporaryDirectory() as folder:
            if isinstance(model, torch.jit.ScriptModule):
                by_chance = ("BatchNorm", "Dropout", "AlphaDropout", "FeatureAlphaDropout", "RReLU")
                if any(each.training and str(getattr(each, "original_name", "")).startswith(by_chance) for each in model.modules()):
                    _core.fail(TRAINING_MODE, "the TorchScript model is in training mode", "call eval() on the model first")
                path = os.path.join(folder, "model.pt")
                torch.jit.save(model, path)
            else:
                path = os.path.join(folder, "model.pt2")
                torch.export.save(model, path)
            loaded = _core.Model.load(path)
        yield loaded
    else:
        survey = Survey(model)

        def run(inputs: list[torch.Tensor]) -> list[torch.Tensor]:
            return _tensors_in(model(**dict(zip(names, inputs))) if names else model(*inputs))

        looks_up = any(isinstance(each, (torch.nn.Embedding, torch.nn.EmbeddingBag)) for _, each in survey.modules)
        watch = Watch(survey.modules)
        try:
            yield _core.Model.of(run, survey.tensors, looks_up)
        finally:
            watch.end()


@dataclass(repr=False)
class Attribution:
    """What attribute() found."""

    relevance: Optional[torch.Tensor]
    """Of the input, or the first one that gets some, in its shape; None if relevance was not to go there."""
    relevances: list[Optional[torch.Tensor]]
    """One for each input; None for those that get none, such as integers and masks beside other inputs."""
    output: torch.Tensor
    """What the model computed, without history: the output that the target is of."""
    start: torch.Tensor
    """The relevance that it started with, in the output's shape."""
    sample_dimension: Optional[int]
    """Which of the output's dimensions counts samples; None where that is unknown."""
    report: Report
    """The layers, in order of execution."""
    layers: dict[str, list[Optional[torch.Tensor]]] = field(default_factory=dict)
    """Of the inner layers that were asked for: relevance at the outputs of their calls, in order of execution."""
    warnings: list[Diagnostic] = field(default_factory=list)
    """What is no mistake, and hardly meant: entries that no layer had, layers that kept their gradient, relevance that is
    not finite, … Told as Python's warnings, too."""

    def _summary(self) -> str:
        total = f"relevance {self.start.double().sum().item():.6g} at the output {tuple(self.output.shape)}"
        if self.relevance is not None:
            total += f", {self.relevance.double().sum().item():.6g} at the input {tuple(self.relevance.shape)}"
        return f"{total}, {len(self.report)} layers"

    def __repr__(self) -> str:
        return "\n".join([f"<ascribe.Attribution: {self._summary()}>", *map(str, self.warnings)])

    def _repr_html_(self) -> str:
        parts = [f"<p>{html.escape(self._summary())}</p>", *(f"<p>{html.escape(str(each))}</p>" for each in self.warnings)]
        if self.relevance is not None:
            try:
                picture = base64.b64encode(heatmap(self.relevance, format="png")).decode()
                parts.insert(1, f'<img alt="relevance" src="data:image/png;base64,{picture}">')
            except Error as error:  # of dimensions that are no picture
                parts.insert(1, f"<p>{html.escape(error.message)}</p>")
        return "".join(parts) + f"<details><summary>layers</summary>{self.report._repr_html_()}</details>"


Progress = Callable[[str, str, str, int, Optional[int]], None]


def attribute(
    model: Union[torch.nn.Module, Model, str, "os.PathLike[str]"],
    rules: Union[Rules, str],
    inputs: Inputs,
    target: Union[None, int, Sequence[int], torch.Tensor, Target] = None,
    *,
    layers: Sequence[str] = (),
    to_input: bool = True,
    sum_embeddings: bool = False,
    sums: bool = True,
    profile: bool = False,
    create_graph: bool = False,
    progress: Optional[Progress] = None,
) -> Attribution:
    """The relevance of a model's input, for every sample of a batch at once: one run forward and one backward.

    >>> import torch, ascribe
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval()
    >>> found = ascribe.attribute(model, "epsilon_plus", torch.ones(5, 3), target=1)
    >>> found.relevance.shape, found.output.shape
    (torch.Size([5, 3]), torch.Size([5, 2]))

    `model`: a module of PyTorch's, TorchScript, an exported program, the path of a saved one (`.pt`, `.pt2`), or a Model.
    `inputs`: a tensor, several, or a dictionary of them by forward's names; dimension 0 counts samples. They stay as they
    are, and are copied to the model's device and floating type. Integers that an embedding looks up get the relevance of
    what is looked up, [batch, length, size]; with `sum_embeddings` summed over its size.
    `target`: an index along the output's dimension 1, several, a tensor with one index for each sample, a tensor of
    relevance in the output's shape, or a Target; None: each sample's largest output. Relevance starts as the output's own
    value there.

    `layers`: names of inner layers, or globs over them (`features.*`), at whose outputs relevance is wanted, too;
    `to_input=False`: there only. `profile`: the report tells what each layer took. `create_graph`: relevance has a history,
    for its gradient with respect to inputs that require one. `progress`: called after each layer, with "forward" or
    "backward", its name, its kind, how many are done, and of how many; what it raises ends the attribution.

    Raises Error: what attach() and the model do; A0703 for inputs, A0704 for targets, A0611 for layers that are not there,
    A0610 where the rules are for none of the model's layers. What the model's own code raises is the `__cause__`.
    """
    composite, (tensors, names), start = rules_of(rules), _inputs_of(inputs), target_of(target)
    if not isinstance(layers, Sequence) or isinstance(layers, str) or not all(isinstance(each, str) for each in layers):
        _core.fail(USAGE, "`layers` holds something else than names", 'give names of layers, or globs: ["features.*"]')
    if progress is not None and not callable(progress):
        _core.fail(USAGE, f"`progress` is of the type {type(progress).__name__}", "give a function, or leave it out")
    flags = dict(to_input=to_input, sum_embeddings=sum_embeddings, sums=sums, profile=profile, create_graph=create_graph)
    to_input, sum_embeddings, sums, profile, create_graph = (_arguments.flag(name, given) for name, given in flags.items())
    with _running(model, names) as running:
        found = _core.attribute(
            running, composite, tensors, start, list(layers), to_input, sum_embeddings, sums, profile, create_graph, progress
        )
    found["report"] = Report(found["report"])
    found["warnings"] = [Diagnostic.of(row) for row in found["warnings"]]
    _tell(found["warnings"])
    return Attribution(**found)


def layers(
    model: Union[torch.nn.Module, Model, str, "os.PathLike[str]"], inputs: Inputs, rules: Union[None, Rules, str] = None
) -> Report:
    """A model's layers, and which of them gets which rule, by which entry. Runs the model once; there are no sums.

    >>> import torch, ascribe
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU()).eval()
    >>> ascribe.layers(model, torch.ones(1, 3), "epsilon_plus")
    name  kind    shape  rule                      above  below  bias  stabilizer  rest
    0     linear  1×4    epsilon(epsilon = 1e-06)
    1     relu    1×4    pass
    """
    tensors, names = _inputs_of(inputs)
    composite = None if rules is None else rules_of(rules)
    with _running(model, names) as running:
        return Report(_core.layers(running, composite, tensors))
