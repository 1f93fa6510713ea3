"""Mistakes, as Python has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Optional


class Place(NamedTuple):
    """Where in a rule file, or in the text of a call, something stands. Lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Diagnostic:
    """One message: what is wrong, where, and what to do about it. `ascribe explain CODE` tells more."""

    code: str
    """For instance "A0202"; it never changes."""
    severity: str
    """"error" or "warning"."""
    message: str
    place: Optional[Place] = None
    note: str = ""
    help: str = ""

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        advice = f" ({self.help})" if self.help else ""
        return f"{where}{self.severity} {self.code}: {self.message}{advice}"

    @staticmethod
    def of(row: tuple) -> "Diagnostic":
        code, severity, message, place, note, help = row
        return Diagnostic(code, severity, message, Place(*place) if place else None, note, help)


class Error(Exception):
    """Every mistake in a rule file, model, tensor or argument: the only exception of Ascribe's own.

    Its text is what the command `ascribe` would print. Several mistakes of one file come together, in `diagnostics`;
    the other attributes are those of the first.

    >>> import ascribe
    >>> try:
    ...     ascribe.rule("epsilom")
    ... except ascribe.Error as error:
    ...     print(error.code, error.help)
    A0202 did you mean `epsilon`?
    """

    diagnostics: tuple[Diagnostic, ...]
    _own: Any = None  # C++'s own of it

    def __init__(self, text: str, diagnostics: tuple = ()) -> None:
        super().__init__(text)
        self.diagnostics = tuple(each if isinstance(each, Diagnostic) else Diagnostic.of(each) for each in diagnostics)

    def _first(self) -> Diagnostic:
        return self.diagnostics[0] if self.diagnostics else Diagnostic("", "error", str(self))

    @property
    def code(self) -> str:
        """For instance "A0202"."""
        return self._first().code

    @property
    def message(self) -> str:
        """One line, without place and help."""
        return self._first().message

    @property
    def place(self) -> Optional[Place]:
        """Where in a rule file; None for what is wrong with models, tensors and arguments."""
        return self._first().place

    @property
    def note(self) -> str:
        return self._first().note

    @property
    def help(self) -> str:
        """What to do; may be empty."""
        return self._first().help

    def _render_traceback_(self) -> list[str]:
        """In a notebook: the message with its place, without the way through the module to it."""
        lines = str(self).splitlines()
        if self.__cause__ is not None:
            lines.append(f"because of {type(self.__cause__).__name__}: {self.__cause__}")
        return lines

    def __reduce__(self) -> tuple:
        return Error, (str(self), self.diagnostics)
