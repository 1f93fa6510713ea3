"""Relevance as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Optional, Sequence, Union, overload

import torch

from . import _core

if TYPE_CHECKING:
    import numpy

WRONG_TENSOR, USAGE = 702, 705  # grammar/code.hpp


def _tensor(given: Any, what: str) -> torch.Tensor:
    if type(given).__module__ == "numpy":
        given = torch.from_numpy(given)
    if not isinstance(given, torch.Tensor):
        _core.fail(WRONG_TENSOR, f"{what} is of the type {type(given).__name__}, and no tensor", "give a tensor or an array: attribution.relevance")
    return given


@overload
def heatmap(relevance: Any, *, format: Literal["array"] = "array", **options: Any) -> "numpy.ndarray": ...
@overload
def heatmap(relevance: Any, *, format: Literal["png"], **options: Any) -> bytes: ...
@overload
def heatmap(relevance: Any, *, format: Literal["svg"], **options: Any) -> str: ...
def heatmap(
    relevance: Any,
    *,
    format: str = "array",
    colour_map: Optional[str] = None,
    range: Optional[str] = None,
    clip: Optional[float] = None,
    shared_scale: Optional[bool] = None,
    channels: Optional[int] = None,
    smooth: Optional[float] = None,
    upside_down: Optional[bool] = None,
    size: Optional[int] = None,
    columns: Optional[int] = None,
    original: Any = None,
    overlay: Optional[float] = None,
    beside: Optional[bool] = None,
    contours: Optional[bool] = None,
    captions: Sequence[str] = (),
    title: str = "",
) -> Union["numpy.ndarray", bytes, str]:
    """Relevance as a picture: what `ascribe run --heatmap` draws.

    >>> import torch, ascribe
    >>> ascribe.heatmap(torch.eye(4)[None, None]).shape
    (256, 256, 3)

    `relevance`: [N, C, H, W] (channels are summed), [N, C, D, H, W], or vectors [N, L] and [N, C, L]; a tensor or an array.
    `format`: "array", unsigned bytes [height, width, 3]; "png", the bytes of a file; "svg", a text with `captions` and
    `title` and a colour bar.

    `colour_map`: one of colour_maps(), `_r` behind it turns it over. `range`: "automatic", "symmetric", "from_zero" or
    "whole". `clip`: the percentile of magnitudes at which colours are full. `shared_scale`: one scale for all samples.
    `channels`: the maps of so many channels instead of their sum. `smooth`: a Gaussian's deviation, in values. `size`: the
    longer side in pixels. `columns`: samples beside each other. `original`: what the model saw, [N, 1 or 3, H, W] in
    [0, 1], for `overlay` (an opacity up to 1) and `beside`. `contours`: lines at a third and two thirds of the scale.

    Raises Error: A0702 for other shapes and types, A0705 for options out of their range.
    """
    options = {name: value for name, value in dict(
        colour_map=colour_map, range=range, clip=clip, shared_scale=shared_scale, channels=channels, smooth=smooth,
        upside_down=upside_down, size=size, columns=columns, original=original, overlay=overlay, beside=beside, contours=contours,
    ).items() if value is not None}
    values = _tensor(relevance, "the relevance")
    if original is not None:
        options["original"] = _tensor(original, "the original")
    if range is not None:
        if range not in _core.ColourRange.__members__:
            _core.fail(USAGE, f"there is no range '{range}'", f"write one of {', '.join(_core.ColourRange.__members__)}")
        options["range"] = _core.ColourRange.__members__[range]
    for name, wanted in dict(clip=(int, float), smooth=(int, float), overlay=(int, float), size=int, columns=int, channels=int, colour_map=str).items():
        if name in options and not isinstance(options[name], wanted):
            _core.fail(USAGE, f"`{name}` is of the type {type(options[name]).__name__}", "ascribe.heatmap's documentation says what it takes")
    if format == "svg":
        return _core.figure(values, options, list(captions), title)
    if format not in ("array", "png"):
        _core.fail(USAGE, f"there is no format '{format}'", "write array, png or svg")
    pixels = _core.heatmap(values, options)
    return _core.encode_png(pixels) if format == "png" else pixels.numpy()


def colour_maps() -> list[str]:
    """The names of the colour maps."""
    return _core.colour_maps()
