"""Relevance as pictures."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, Any, Literal, Optional, Sequence, TypedDict, Union, overload

import torch

from . import _arguments, _core

if TYPE_CHECKING:
    import numpy
    from typing_extensions import Unpack

WRONG_TENSOR, USAGE = 702, 705  # grammar/code.hpp


def _tensor(given: Any, what: str) -> torch.Tensor:
    if type(given).__module__ == "numpy" and getattr(getattr(given, "dtype", None), "kind", "") in "fiub":
        given = torch.from_numpy(given.copy())  # strides of any sign
    if not isinstance(given, torch.Tensor):
        _core.fail(
            WRONG_TENSOR,
            f"{what} is of the type {type(given).__name__}, and no tensor",
            "give a tensor or an array: attribution.relevance",
        )
    return given


class HeatmapOptions(TypedDict, total=False):
    """How relevance becomes a picture; see heatmap()."""

    colour_map: str
    range: str
    clip: float
    shared_scale: bool
    channels: int
    smooth: float
    upside_down: bool
    size: int
    columns: int
    original: Any
    overlay: float
    beside: bool
    contours: bool


# What C++ takes of each; pictures and ranges are looked at by themselves.
TYPES: dict[str, tuple[type, ...]] = dict(
    colour_map=(str,),
    range=(str,),
    clip=(int, float),
    shared_scale=(bool,),
    channels=(int,),
    smooth=(int, float),
    upside_down=(bool,),
    size=(int,),
    columns=(int,),
    original=(object,),
    overlay=(int, float),
    beside=(bool,),
    contours=(bool,),
)


def _options(given: dict[str, Any]) -> dict[str, Any]:
    out = {name: value for name, value in given.items() if value is not None}
    for name, value in out.items():
        if name not in TYPES:
            near = difflib.get_close_matches(name, TYPES, 1)
            _core.fail(
                USAGE,
                f"a heatmap has no option `{name}`",
                f"did you mean `{near[0]}`?" if near else f"it has: {', '.join(TYPES)}",
            )
        if not isinstance(value, TYPES[name]):
            _core.fail(
                USAGE,
                f"`{name}` is of the type {type(value).__name__}",
                f"give it as {' or '.join(each.__name__ for each in TYPES[name])}",
            )
    if "original" in out:
        out["original"] = _tensor(out["original"], "the original")
    if "range" in out:
        ranges = _core.ColourRange.__members__
        if out["range"] not in ranges:
            _core.fail(USAGE, f"there is no range '{out['range']}'", f"write one of {', '.join(ranges)}")
        out["range"] = ranges[out["range"]]
    return out


@overload
def heatmap(relevance: Any, *, format: Literal["array"] = "array", **options: Unpack[HeatmapOptions]) -> numpy.ndarray: ...
@overload
def heatmap(relevance: Any, *, format: Literal["png"], **options: Unpack[HeatmapOptions]) -> bytes: ...
@overload
def heatmap(
    relevance: Any, *, format: Literal["svg"], captions: Sequence[str] = (), title: str = "", **options: Unpack[HeatmapOptions]
) -> str: ...
def heatmap(
    relevance: Any, *, format: str = "array", captions: Sequence[str] = (), title: str = "", **options: Any
) -> Union[numpy.ndarray, bytes, str]:
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
    values, taken = _tensor(relevance, "the relevance"), _options(options)
    if format == "svg":
        return _core.figure(values, taken, list(captions), title)
    if format not in ("array", "png"):
        _core.fail(USAGE, f"there is no format '{format}'", "write array, png or svg")
    pixels = _core.heatmap(values, taken)
    return _core.encode_png(pixels) if format == "png" else pixels.numpy()


def read_picture(
    source: Union[bytes, str, "os.PathLike[str]"],
    *,
    name: Optional[str] = None,
    imagenet: bool = False,
    resize: Union[None, int, Sequence[int]] = None,
    crop: Union[None, int, Sequence[int]] = None,
    mean: Union[None, float, Sequence[float]] = None,
    deviation: Union[None, float, Sequence[float]] = None,
    grey: bool = False,
    colour: bool = False,
) -> torch.Tensor:
    """A PNG or JPEG as a model takes it: what `ascribe run --input` reads, with the same options.

    `source`: a path, or the file's bytes, which messages call `name` then. Returns float32 [1, C, H, W], upright, in [0, 1]
    until `mean` is subtracted and it is divided by `deviation`. `imagenet`: a shorter side of 256, the middle 224×224, in
    colour, with ImageNet's mean and deviation. `resize`: the shorter side, or [height, width]; bilinear, with antialias,
    as torchvision does it. `crop`: of the middle. `grey`, `colour`: one channel, or three.

    >>> import ascribe
    >>> ascribe.read_picture(ascribe.heatmap(torch.eye(4)[None, None], format="png"), resize=64, grey=True).shape
    torch.Size([1, 1, 64, 64])

    Raises Error: A0001 for a file that cannot be read, A0702 for what is no picture, A0004 where it is too large, A0705
    for options that do not fit together.
    """
    flags = dict(imagenet=imagenet, grey=grey, colour=colour)
    options: dict[str, Any] = {key: True for key, value in flags.items() if _arguments.flag(key, value)}
    for key, value in dict(resize=resize, crop=crop, mean=mean, deviation=deviation).items():
        if value is None:
            continue
        numbers = value.tolist() if hasattr(value, "tolist") else value
        numbers = list(numbers) if isinstance(numbers, (list, tuple)) else [numbers]
        wanted = int if key in ("resize", "crop") else (int, float)
        if not all(isinstance(each, wanted) and not isinstance(each, bool) for each in numbers):
            _core.fail(USAGE, f"`{key}` is {value!r}", f"give {'pixels' if wanted is int else 'numbers'}, one or several")
        options[key] = numbers
    if isinstance(source, bytes):
        return _core.decode_picture(source, name or "the picture", options)
    return _core.read_picture(_arguments.path(source), options)


def colour_maps() -> list[str]:
    """The names of the colour maps."""
    return _core.colour_maps()
