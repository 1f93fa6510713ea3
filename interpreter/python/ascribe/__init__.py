"""Rules of layer-wise relevance propagation (LRP), declared in rule files, on PyTorch models.

    import torch, ascribe

    rules = ascribe.load("mine.rule").composite("mine", gamma=0.1)      # or ascribe.composite("epsilon_plus")
    with ascribe.attach(rules, model) as attached:                      # any torch.nn.Module; nothing of it changes
        y = model(x)                                                    # x.requires_grad_()
    relevance, = torch.autograd.grad(y[:, 3].sum(), x)
    print(attached.report)                                              # what each layer did with it

    found = ascribe.attribute(model, rules, x, target=3)                # the same in one call; also of .pt and .pt2 files
    ascribe.heatmap(found.relevance, format="png")

Every mistake is an ascribe.Error, with a code, a place and a help. Functions may be called from several threads at once.
"""

from __future__ import annotations

import os as _os
from typing import Union as _Union

from . import _build


def _check_torch() -> None:
    """The extension is compiled for one release of PyTorch: another one's classes lie otherwise in memory."""
    try:
        import torch
    except ImportError as missing:
        raise ImportError(f"Ascribe needs PyTorch, which is not installed: pip install 'torch=={_build.torch}.*'") from missing
    if torch.__version__.split("+")[0].split(".")[:2] != _build.torch.split("."):
        raise ImportError(
            f"this Ascribe was built for PyTorch {_build.torch}, and this is PyTorch {torch.__version__}\n"
            f"help: pip install 'torch=={_build.torch}.*', or build the wheel with this PyTorch in .venv: ./dev wheel"
        )


_check_torch()

from . import _arguments, _core  # noqa: E402
from ._errors import Diagnostic, Error, Place  # noqa: E402
from ._models import Attached, Attribution, Model, attach, attribute, layers  # noqa: E402
from ._pictures import colour_maps, heatmap, read_picture  # noqa: E402
from ._report import Cost, Layer, Report, TestResult  # noqa: E402
from ._rules import Pack, Rules, composite, load, parse, rule, standard  # noqa: E402
from ._targets import Target  # noqa: E402

__version__: str = _build.version

__all__ = [
    "Attached",
    "Attribution",
    "Cost",
    "Diagnostic",
    "Error",
    "Layer",
    "Model",
    "Pack",
    "Place",
    "Report",
    "Rules",
    "Target",
    "TestResult",
    "attach",
    "attribute",
    "colour_maps",
    "composite",
    "drop_parameter_cache",
    "heatmap",
    "layers",
    "load",
    "parameter_cache_bytes",
    "parse",
    "read_picture",
    "rule",
    "set_parameter_cache_limit",
    "standard",
    "test",
]


def test(path: _Union[str, "_os.PathLike[str]"], filter: str = "*") -> list[TestResult]:
    """Runs the `test` blocks of rule files: a file, a folder of them, or a pack. `filter`: a glob over the tests' names.

    >>> import ascribe, tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp(), "soft.rule")
    >>> _ = file.write_text('''
    ... rule soft = epsilon(0.01)
    ... test "a hundredth is lost" {
    ...   model = linear(weight = [[1, 1]])
    ...   x     = [[0.5, 0.5]]
    ...   expect sum(relevance(soft)) == 0.99 within 1e-3
    ... }''')
    >>> [(each.name, each.passed) for each in ascribe.test(file)]
    [('a hundredth is lost', True)]

    Raises Error for files with mistakes, and A0902 where there is no test.
    """
    found = _core.run_tests(_arguments.path(path), _arguments.text("filter", filter))
    if not found:
        _core.fail(
            902,
            "there is no test in these files" if filter == "*" else f"no test is called '{filter}'",
            'write one: test "…" { model = …; x = …; expect … }',
        )
    return [
        TestResult(name, file, line, seconds, tuple(Diagnostic.of(row) for row in failures))
        for name, file, line, seconds, failures in found
    ]


test.__test__ = False  # type: ignore[attr-defined]  # not one of pytest's


def parameter_cache_bytes() -> int:
    """Bytes in which rules keep what they make of parameters, such as max(w, 0), for the next call."""
    return _core.parameter_cache_bytes()


def set_parameter_cache_limit(bytes: int) -> None:
    """How many may be kept; 2**30 where nothing is said, 0 for none."""
    _core.set_parameter_cache_limit(bytes)


def drop_parameter_cache() -> None:
    """Drops all that is kept."""
    _core.drop_parameter_cache()
