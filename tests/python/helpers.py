"""What the tests have in common."""

import contextlib
import sys
from pathlib import Path

import torch
from torch import nn

import ascribe

ROOT = Path(__file__).resolve().parents[2]


class Skipped(Exception):
    """A test that cannot run here."""


@contextlib.contextmanager
def refused(code, *parts):
    """An ascribe.Error of this code, whose text has these parts and a help."""
    try:
        yield
    except ascribe.Error as error:
        assert error.code == code, f"{error.code} instead of {code}: {error}"
        assert error.help and error.help in str(error), str(error)
        for part in parts:
            assert part in str(error), f"{part!r} is not in: {error}"
    else:
        raise AssertionError(f"nothing was raised, instead of {code}")


def need_zennit():
    """Zennit, where it is installed; what it wants of torchvision, it gets."""
    sys.path += [each for each in (str(ROOT / "tests/parity"), str(ROOT / "examples")) if each not in sys.path]
    from zennit_reference import let_torchvision_in

    try:
        if "zennit" not in sys.modules:
            let_torchvision_in(torch)
        import zennit.composites
    except ImportError as missing:
        raise Skipped(f"there is no Zennit: {missing}") from None
    return zennit


def network(seed=0, dtype=torch.float64):
    """A small network of every sort of layer that matters here, and an input of it."""
    torch.manual_seed(seed)
    model = (
        nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            Block(6),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(),
            nn.Linear(24, 5),
        )
        .to(dtype)
        .eval()
    )
    return model, torch.randn(2, 3, 8, 8, dtype=dtype)


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first, self.second = nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, channels, 1)
        self.act = nn.Hardswish(inplace=True)

    def forward(self, x):
        y = self.second(self.act(self.first(x)))
        y += x
        return torch.relu(y)


def relevance(rules, model, x, start=None, **options):
    """Of an attached model, with what is attached."""
    leaf = x.detach().clone().requires_grad_()
    with ascribe.attach(rules, model, **options) as attached:
        y = model(leaf)
    (found,) = torch.autograd.grad(y, leaf, torch.ones_like(y) if start is None else start)
    return found, attached


def close(one, other, within=1e-12):
    difference = (one - other).abs().max().item()
    assert difference <= within * max(1, other.abs().max().item()), f"they differ by {difference}"
