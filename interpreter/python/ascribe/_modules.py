"""Where in a model a thread is: modules say so while they are called, and nothing of the model is changed.

While something is attached, `torch.nn.Module.__call__` is ours, as PyTorch's own tracers do it, and so are parts of
torch.utils.checkpoint and torch.compile. On threads without rules, they do what they did before.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple, Optional

import torch
from torch.utils import _pytree, checkpoint

from . import _core

# Of torch.nn, what computes by several operators: then the module is the layer. All others are one operator.
SEVERAL_OPERATORS = ("Softsign", "Tanhshrink", "LocalResponseNorm")


def operators_of(module: torch.nn.Module) -> int:
    own = type(module)
    return 1 if own.__module__.startswith("torch.nn.") and own.__name__ not in SEVERAL_OPERATORS else 2


lock = threading.Lock()
Call = Callable[..., Any]


class Installed:
    """What stands in for parts of PyTorch, over what stood there before, as long as somebody watches. Where somebody has
    put theirs over it, it stays, and does nothing."""

    def __init__(self) -> None:
        self.watching = 1
        self.replaced: list[tuple[Any, str, Any, Any]] = []
        self.of_modules = self.replace(
            torch.nn.Module, "__call__", lambda plain: _core.stand_in(plain, call_whole, refuse_compiled)
        )
        self.replace(checkpoint, "CheckpointFunction", self.checkpoint_by_function)
        self.replace(checkpoint, "_checkpoint_without_reentrant_generator", self.checkpoint_by_hooks)
        if compiler := sys.modules.get("torch._dynamo.eval_frame"):
            self.replace(compiler, "_callback_from_stance", self.without_compiler)

    def replace(self, owner: Any, name: str, stand_in: Callable[[Any], Any]) -> Any:
        plain = getattr(owner, name)
        ours = stand_in(plain)
        self.replaced.append((owner, name, plain, ours))
        setattr(owner, name, ours)
        return ours

    def remove(self) -> None:
        _core.retire(self.of_modules)
        for owner, name, plain, ours in self.replaced:
            if getattr(owner, name) is ours:
                setattr(owner, name, plain)

    def works(self) -> bool:
        """Whether this thread has rules."""
        return self.watching > 0 and _core.watches()

    def without_compiler(self, plain: Call) -> Call:
        """Of functions that were compiled before, the parts are no operators: they run as they were written."""
        return lambda callback: None if self.works() else plain(callback)

    # What torch.utils.checkpoint would compute once more in the backward pass would have no rules there: it is kept.

    def checkpoint_by_function(self, plain: Any) -> type:
        class Kept(plain):  # type: ignore[misc]
            @classmethod
            def apply(cls, function: Call, preserve: bool, *args: Any) -> Any:
                return function(*args) if self.works() else plain.apply(function, preserve, *args)

        return Kept

    def checkpoint_by_hooks(self, plain: Call) -> Call:
        def steps(*args: Any, **kwargs: Any) -> Iterator[None]:
            if self.works():
                yield
            else:
                yield from plain(*args, **kwargs)

        return steps


installed: Optional[Installed] = None


class Slot(int):
    """The place of a tensor among those that enter a module."""


class Fixed(NamedTuple):
    """A part of a module's result that is no tensor."""

    value: Any


def refuse_compiled() -> None:
    _core.fail(701, "a compiled model is called where rules are attached: its layers are no operators any more",
               "call the model from before torch.compile(model)")


def call_whole(module: torch.nn.Module, own: _core.Module, plain: Call, args: tuple, kwargs: dict) -> Any:
    """A module as one layer."""
    path, class_name = own.path, own.class_name
    leaves, structure = _pytree.tree_flatten((args, kwargs))
    inputs: list[torch.Tensor] = []
    places: dict[int, Slot] = {}
    for number, leaf in enumerate(leaves):
        if isinstance(leaf, torch.Tensor):
            if id(leaf) not in places:
                places[id(leaf)] = Slot(len(inputs))
                inputs.append(leaf)
            leaves[number] = places[id(leaf)]
    if not inputs:
        _core.fail(601, f"module '{path}' ({class_name}) gets no tensor that can be seen, so that it cannot be one layer",
                   f'give its parts an entry: `any "{path}.*" => norm`')
    memory = [each.data_ptr() for each in inputs]
    shape: list[Any] = []  # of the result: what is no tensor, and how it hangs together
    written: dict[int, bool] = {}  # inputs into whose copies it writes, and whether the result is that copy

    def run(given: list[torch.Tensor]) -> list[torch.Tensor]:
        versions = [each._version for each in given]
        own_args, own_kwargs = _pytree.tree_unflatten(
            [given[leaf] if isinstance(leaf, Slot) else leaf for leaf in leaves], structure
        )
        result, result_structure = _pytree.tree_flatten(plain(module, *own_args, **own_kwargs))
        for number, (each, version) in enumerate(zip(given, versions)):
            if each._version != version and each.data_ptr() != memory[number]:
                written[number] = len(result) == 1 and result[0] is each
        tensors = [each for each in result if isinstance(each, torch.Tensor)]
        if not shape:
            shape.extend(([None if isinstance(each, torch.Tensor) else Fixed(each) for each in result], result_structure))
        return tensors

    parameters = [*module.named_parameters(), *module.named_buffers()]
    results = own.call(inputs, parameters, run)
    for number, is_result in written.items():
        if not is_result:
            _core.fail(
                601,
                f"module '{path}' ({class_name}) writes into its input, so that it cannot be one layer",
                f'give its parts an entry: `any "{path}.*" => norm`',
            )
        # Who reads the input later is to find there what the module would have left.
        _core.write(inputs[number], results[0])
        results = [inputs[number]]
    next_result = iter(results)
    fixed, result_structure = shape
    return _pytree.tree_unflatten([next(next_result) if each is None else each.value for each in fixed], result_structure)


class Watch:
    """The modules of a model tell where this thread is, until `end()`. On the thread that made it."""

    def __init__(self, modules: list[tuple[str, torch.nn.Module]]) -> None:
        global installed
        self._modules = modules  # kept: nothing else gets their addresses
        self._names = _core.Names([(each, path, type(each).__name__, operators_of(each)) for path, each in modules])
        self.ended = False
        with lock:
            if installed is None:
                installed = Installed()
            else:
                installed.watching += 1
        self._names.watch()

    @property
    def called(self) -> bool:
        """Whether a module of the model was called."""
        return self._names.called

    def end(self) -> None:
        global installed
        if self.ended:
            return
        self.ended = True
        self._names.unwatch()  # whatever thread ends it
        self._modules = []
        with lock:
            assert installed is not None
            installed.watching -= 1
            if installed.watching == 0:
                installed.remove()
                installed = None
