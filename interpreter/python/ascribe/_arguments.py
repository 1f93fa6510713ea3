"""What arguments have to be before C++ is given them."""

from __future__ import annotations

import os
from typing import Any

from . import _core

FILE_NOT_READ, USAGE = 1, 705  # grammar/code.hpp


def text(name: str, given: Any) -> str:
    if not isinstance(given, str):
        _core.fail(USAGE, f"`{name}` is of the type {type(given).__name__}, and no text", f'{name} = "…"')
    return given


def flag(name: str, given: Any) -> bool:
    if type(given).__name__ not in ("bool", "bool_"):  # NumPy's, too
        _core.fail(USAGE, f"`{name}` is of the type {type(given).__name__}, and neither true nor false", f"{name} = True")
    return bool(given)


def path(given: Any) -> str:
    try:
        out = os.fsdecode(given)
    except TypeError:
        _core.fail(USAGE, f"a path is of the type {type(given).__name__}", 'give text, such as "folder/file", or a pathlib.Path')
    if "\0" in out:
        _core.fail(FILE_NOT_READ, f"cannot read {out!r}: no path holds a zero byte", "look at where the path comes from")
    return out
