"""Packs, and the rules that they give."""

from __future__ import annotations

import html
import os
from typing import Any, Iterable, Union

from . import _arguments, _core
from ._errors import Diagnostic

Path = Union[str, "os.PathLike[str]"]


class Rules:
    """Which layers get which rules: a composite with its arguments, or a rule for all linear and convolution layers.

    Immutable, cheap to copy, and for any number of models and threads. `description` is the call that makes it.

    >>> import ascribe
    >>> ascribe.rule("gamma", gamma=0.5)
    gamma(gamma = 0.5, epsilon = 1e-06)
    """

    def __init__(self, composite: Any) -> None:
        self._composite = composite

    @property
    def description(self) -> str:
        return self._composite.description

    def __repr__(self) -> str:
        return self.description

    def __copy__(self) -> "Rules":
        return self  # nothing of it changes

    def __deepcopy__(self, memo: dict) -> "Rules":
        return self

    def __reduce__(self) -> Any:
        _core.fail(705, "rules cannot be pickled", "make them where they are used: give the path of the file, or the call as text")

    def _repr_html_(self) -> str:
        """In a notebook: the call, and the definitions that it comes from."""
        texts = _core.definitions_in_colours(self._composite)
        pre = '<pre style="line-height:1.35">{}</pre>'
        return f"<p><code>{html.escape(self.description)}</code></p>" + pre.format("\n\n".join(texts))


def _argument(value: Any) -> Any:
    """Numbers of whatever sort as tensors; what C++ knows, and what it refuses, as it is."""
    if isinstance(value, (int, float, str)) or (
        isinstance(value, (list, tuple)) and any(isinstance(each, str) for each in value)
    ):
        return list(value) if isinstance(value, tuple) else value
    if isinstance(value, (list, tuple)) and not value:
        return []
    import torch

    try:
        return torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return value


class Pack:
    """Checked definitions of rules and composites. Immutable; made by load(), parse() and standard()."""

    def __init__(self, pack: Any) -> None:
        self._pack = pack

    def rule(self, name: str, **arguments: Any) -> Rules:
        """A rule for all linear and convolution layers.

        Arguments are numbers, tensors and arrays of numbers (such as one bound per channel), names (`["bias"]`), or a
        stabilizer as text: `epsilon="relative(0.1)"`. What is not named takes its default.

        Raises Error: A0202 for a name that is not there, A0302, A0303, A0208 and A0305 for arguments.
        """
        return Rules(self._pack.rule(_arguments.text("name", name), {key: _argument(value) for key, value in arguments.items()}))

    def composite(self, name: str, **arguments: Any) -> Rules:
        """A composite, or a rule, of this pack, or else of the standard one. Arguments and errors as of rule()."""
        return Rules(self._pack.composite(_arguments.text("name", name), {key: _argument(value) for key, value in arguments.items()}))

    def call(self, text: str) -> Rules:
        """From a call as it is written in a composite: `epsilon_gamma_box(low = -3, high = 3)`."""
        return Rules(self._pack.call(_arguments.text("text", text)))

    def reload(self) -> "Pack":
        """The same once more, as its files are now. This one stays what it is."""
        return Pack(self._pack.reload())

    @property
    def name(self) -> str:
        """What pack.rule says; empty unless one pack is what was loaded."""
        return self._pack.name

    @property
    def version(self) -> str:
        return self._pack.version

    @property
    def warnings(self) -> list[Diagnostic]:
        """What is worth knowing about the files, although they are sound."""
        return [Diagnostic.of(row) for row in self._pack.warnings]

    def __repr__(self) -> str:
        return f"<ascribe.Pack {self.name} {self.version}>" if self.name else "<ascribe.Pack>"


def load(*paths: Path, path: Iterable[Path] = (), require_lock: bool = False) -> Pack:
    """Rule files and packs. Several share one scope.

    `path`: folders in which imports are looked for that are not beside the importing file. `require_lock`: loads only
    what a lock covers.

    Raises Error with every mistake of all files that are loaded, each with its place.
    """
    if not paths:
        _core.fail(705, "no rule file is named", 'ascribe.load("mine.rule")')
    if isinstance(path, (str, os.PathLike)):
        path = [path]
    files, folders = ([_arguments.path(each) for each in given] for given in (paths, path))
    return Pack(_core.Pack.load(files, folders, _arguments.flag("require_lock", require_lock)))


def parse(text: str, name: str = "text") -> Pack:
    """Rules from text, which imports nothing; `name` is what messages call it.

    >>> import ascribe
    >>> pack = ascribe.parse("composite mine { linear => epsilon(0.1) }")
    >>> pack.composite("mine")
    mine

    Raises Error with every mistake of the text.
    """
    return Pack(_core.Pack.parse(_arguments.text("text", text), _arguments.text("name", name)))


def standard() -> Pack:
    """The rules that come with Ascribe."""
    return Pack(_core.Pack.standard())


def rule(name: str, **arguments: Any) -> Rules:
    """A rule of the standard pack; see Pack.rule."""
    return standard().rule(name, **arguments)


def composite(name: str, **arguments: Any) -> Rules:
    """A composite of the standard pack; see Pack.composite.

    >>> import ascribe
    >>> ascribe.composite("epsilon_plus", epsilon=0.1)
    epsilon_plus(epsilon = 0.1, stabilizer = 1e-06)
    """
    return standard().composite(name, **arguments)


def rules_of(given: Any) -> Any:
    """C++'s composite: of Rules, or of a call as text."""
    if isinstance(given, Rules):
        return given._composite
    if isinstance(given, str) and given.endswith(".rule"):
        _core.fail(208, f"the rules are the name of a file, {given!r}", f"ascribe.load({given!r}).composite(…), with the name of what it defines")
    if isinstance(given, str):
        return standard().call(given)._composite
    _core.fail(
        208,
        f"the rules are of the type {type(given).__name__}",
        'ascribe.composite("epsilon_plus"), or a call as text: "zplus"',
    )
