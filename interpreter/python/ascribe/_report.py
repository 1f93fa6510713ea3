"""What happened at each layer."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Optional, Union, overload

from ._errors import Diagnostic

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Cost:
    """What a call of a layer took; of layers that keep their gradient, only the forward pass is known."""

    forward_seconds: float
    backward_seconds: float
    forward_operators: int
    backward_operators: int
    kept_bytes: int


@dataclass(frozen=True)
class Layer:
    """One call of a layer. Sums are over all samples and elements, in float64, in the units of what relevance started
    from; they are None until relevance has passed, and where nobody asked for them."""

    name: str
    """The module's whole name (`features.0`), or the kind and a number where there is none (`relu#3`)."""
    kind: str
    shape: tuple[int, ...]
    """Of its output, dimension 0 the batch."""
    rule: str
    """The rule with its arguments; `gradient` where no entry is for the layer."""
    entry: str
    """Where the composite's entry was written: `mine.rule:3:3`. Empty for `gradient`."""
    above: Optional[float]
    """The sum of its output's relevance."""
    below: Optional[float]
    """The sum of what it handed to its inputs."""
    bias: Optional[float]
    """What stayed with the bias."""
    stabilizer: Optional[float]
    """What the stabilizer took."""
    rest: Optional[float]
    """What neither bias nor stabilizer account for."""
    inputs: int
    """How many of its inputs get relevance."""
    cost: Optional[Cost] = None


FIELDS = tuple(each.name for each in fields(Layer) if each.name != "cost")
COLUMNS = ("name", "kind", "shape", "rule", "entry", "above", "below", "bias", "stabilizer", "rest")


class Report(Sequence):
    """The calls of layers, in the order of execution: a sequence of Layer."""

    def __init__(self, rows: list[tuple]) -> None:
        self._layers = [Layer(**dict(zip(FIELDS, row)), cost=Cost(*row[-1]) if row[-1] else None) for row in rows]

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> list[Layer]: ...
    def __getitem__(self, index: Union[int, slice]) -> Union[Layer, list[Layer]]:
        return self._layers[index]

    def __len__(self) -> int:
        return len(self._layers)

    def to_pandas(self) -> "pandas.DataFrame":
        """A table with a row for each call; needs pandas."""
        try:
            import pandas
        except ImportError as missing:
            raise ImportError("a report becomes a table with pandas, which is not installed: pip install pandas") from missing
        return pandas.DataFrame([[getattr(layer, name) for name in COLUMNS] for layer in self], columns=list(COLUMNS))

    def _cells(self) -> list[list[str]]:
        shown = [name for name in COLUMNS if name != "entry"]

        def cell(value: object) -> str:
            if value is None:
                return ""
            if isinstance(value, tuple):
                return "×".join(map(str, value))
            return f"{value:.6g}" if isinstance(value, float) else str(value)

        return [shown] + [[cell(getattr(layer, name)) for name in shown] for layer in self]

    def __repr__(self) -> str:
        rows = self._cells()
        widths = [max(map(len, column)) for column in zip(*rows)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)

    def _repr_html_(self) -> str:
        head, *rows = [[html.escape(each) for each in row] for row in self._cells()]
        line = lambda tag, row: "<tr>" + "".join(f"<{tag}>{each}</{tag}>" for each in row) + "</tr>"
        return f"<table><thead>{line('th', head)}</thead><tbody>{''.join(line('td', row) for row in rows)}</tbody></table>"


@dataclass(frozen=True)
class TestResult:
    """What came of one `test` block."""

    name: str
    file: str
    line: int
    seconds: float
    failures: tuple[Diagnostic, ...]
    """Empty where it passed."""

    @property
    def passed(self) -> bool:
        return not self.failures
