"""Saves small networks with each layer and activation of torch.nn, in every way that there is: traced, scripted, frozen,
exported, and exported with its operators decomposed. Beside them the input, and a list of what there is.
usage: export.py FOLDER"""
import hashlib
import os
import sys
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
from sequences import LENGTH, SEQUENCES, WIDTH  # noqa: E402: in double precision, from the same seed
folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)


def network(layer, shape, front=None):
    """The layer behind a linear one, and before another one."""
    channels = shape[1]
    if front is None:
        front = {2: nn.Linear, 3: nn.Conv1d, 4: nn.Conv2d, 5: nn.Conv3d}[len(shape)]
        front = front(channels, channels) if len(shape) == 2 else front(channels, channels, 1)
    body = nn.Sequential(front, layer, nn.Flatten())
    features = body(torch.randn(*shape)).shape[1]
    return nn.Sequential(front, layer, nn.Flatten(), nn.Linear(features, 3))


class Function(nn.Module):
    """A function within the model's own forward: its operators belong to no module of their own."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.first, self.last = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.last(self.function(self.first(x)))


def normalised(module):
    """With statistics that are no zeros and ones."""
    for name in ("running_mean", "running_var", "weight", "bias"):
        tensor = getattr(module, name, None)
        if tensor is not None:
            with torch.no_grad():
                tensor.copy_(torch.rand_like(tensor) + 0.5)
    return module


class Linear3d(nn.Module):
    """A linear layer on [batch, length, features], and batch norm along its features."""

    def __init__(self):
        super().__init__()
        self.linear, self.norm, self.last = nn.Linear(4, 5), normalised(nn.BatchNorm1d(5)), nn.Linear(15, 3)

    def forward(self, x):
        return self.last(self.norm(self.linear(x).transpose(1, 2)).flatten(1))


class Interpolated(nn.Module):
    """A function that decomposing takes apart, where no module says what it was."""

    def __init__(self, mode: str, size: int):
        super().__init__()
        self.mode, self.size = mode, size

    def forward(self, x):
        return 2 * F.interpolate(x, size=[self.size] * (x.dim() - 2), mode=self.mode) - 0.5


class Cell(nn.Module):
    """Two steps of a recurrent cell."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.last = cell, nn.Linear(4, 3)

    def forward(self, x):
        h = self.cell(x[:, 0])
        if isinstance(h, tuple):
            h = self.cell(x[:, 1], h)[0]
        else:
            h = self.cell(x[:, 1], h)
        return self.last(h)


vector, sequence, image, volume = (2, 6), (2, 4, 8), (2, 4, 6, 6), (2, 4, 4, 4, 4)
cases = {}
for name, module in {
        "ReLU": nn.ReLU(), "ReLU6": nn.ReLU6(), "LeakyReLU": nn.LeakyReLU(0.1), "PReLU": nn.PReLU(6), "RReLU": nn.RReLU(),
        "ELU": nn.ELU(1.5), "SELU": nn.SELU(), "CELU": nn.CELU(1.5), "GELU": nn.GELU(), "GELU_tanh": nn.GELU("tanh"),
        "SiLU": nn.SiLU(), "Mish": nn.Mish(), "Sigmoid": nn.Sigmoid(), "LogSigmoid": nn.LogSigmoid(), "Tanh": nn.Tanh(),
        "Softplus": nn.Softplus(2.0), "Softsign": nn.Softsign(), "Threshold": nn.Threshold(0.1, 0.3),
        "Hardtanh": nn.Hardtanh(-0.5, 0.7), "Hardswish": nn.Hardswish(), "Hardsigmoid": nn.Hardsigmoid(),
        "Hardshrink": nn.Hardshrink(0.3), "Softshrink": nn.Softshrink(0.3), "Tanhshrink": nn.Tanhshrink(),
        "Softmax": nn.Softmax(1), "LogSoftmax": nn.LogSoftmax(1), "LayerNorm": normalised(nn.LayerNorm(6)),
        "RMSNorm": normalised(nn.RMSNorm(6)), "Linear": nn.Linear(6, 5), "Dropout": nn.Dropout(0.5),
        "BatchNorm1d": normalised(nn.BatchNorm1d(6)), "Identity": nn.Identity()}.items():
    cases[name] = (network(module, vector), vector)
for name, module in {
        "Conv1d": nn.Conv1d(4, 6, 3, padding=1), "ConvTranspose1d": nn.ConvTranspose1d(4, 3, 2, stride=2),
        "AvgPool1d": nn.AvgPool1d(3, padding=1), "MaxPool1d": nn.MaxPool1d(2), "AdaptiveAvgPool1d": nn.AdaptiveAvgPool1d(3),
        "AdaptiveMaxPool1d": nn.AdaptiveMaxPool1d(3), "Upsample_linear": nn.Upsample(scale_factor=2, mode="linear"),
        "InstanceNorm1d": normalised(nn.InstanceNorm1d(4, affine=True))}.items():
    cases[name] = (network(module, sequence), sequence)
for name, module in {
        "Conv2d": nn.Conv2d(4, 6, 3, padding=1, groups=2), "Conv2d_same": nn.Conv2d(4, 6, 3, padding="same"),
        "Conv2d_circular": nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"),
        "Conv2d_reflect": nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"),
        "ConvTranspose2d": nn.ConvTranspose2d(4, 3, 2, stride=2), "AvgPool2d": nn.AvgPool2d(2),
        "AvgPool2d_ceil": nn.AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False, padding=1),
        "MaxPool2d": nn.MaxPool2d(2), "AdaptiveAvgPool2d": nn.AdaptiveAvgPool2d(2),
        "AdaptiveAvgPool2d_uneven": nn.AdaptiveAvgPool2d(4), "AdaptiveMaxPool2d": nn.AdaptiveMaxPool2d(2),
        "Upsample_nearest": nn.Upsample(scale_factor=2), "Upsample_bilinear": nn.Upsample(scale_factor=2, mode="bilinear"),
        "Upsample_bicubic": nn.Upsample(scale_factor=2, mode="bicubic"), "GroupNorm": normalised(nn.GroupNorm(2, 4)),
        "InstanceNorm2d": nn.InstanceNorm2d(4), "BatchNorm2d": normalised(nn.BatchNorm2d(4)), "ZeroPad2d": nn.ZeroPad2d(1),
        "ReflectionPad2d": nn.ReflectionPad2d(1), "ReplicationPad2d": nn.ReplicationPad2d(1),
        "PixelShuffle": nn.PixelShuffle(2), "Dropout2d": nn.Dropout2d(), "ChannelShuffle": nn.ChannelShuffle(2)}.items():
    cases[name] = (network(module, image), image)
for name, module in {
        "Conv3d": nn.Conv3d(4, 2, 2), "ConvTranspose3d": nn.ConvTranspose3d(4, 2, 2), "AvgPool3d": nn.AvgPool3d(2),
        "MaxPool3d": nn.MaxPool3d(2), "AdaptiveAvgPool3d": nn.AdaptiveAvgPool3d(2),
        "BatchNorm3d": normalised(nn.BatchNorm3d(4))}.items():
    cases[name] = (network(module, volume), volume)
for mode, shape in {"linear": sequence, "bilinear": image, "bicubic": image, "trilinear": volume, "area": image,
                    "nearest": image}.items():
    cases["interpolate_" + mode] = (network(Interpolated(mode, 5), shape), shape)
for name, function in {
        "gelu": F.gelu, "silu": F.silu, "mish": F.mish, "hardswish": F.hardswish, "hardsigmoid": F.hardsigmoid, "elu": F.elu,
        "selu": F.selu, "celu": F.celu, "softplus": F.softplus, "softsign": F.softsign, "tanhshrink": F.tanhshrink,
        "hardshrink": F.hardshrink, "softshrink": F.softshrink, "leaky_relu": F.leaky_relu, "logsigmoid": F.logsigmoid,
        "relu6": F.relu6, "hardtanh": F.hardtanh}.items():
    cases["F_" + name] = (Function(function), vector)
vector_weight, mixed = torch.randn(6), torch.randn(6)
for name, function in {
        "mv": lambda x: x * (x @ vector_weight)[:, None], "matmul_vector": lambda x: torch.matmul(x, vector_weight)[:, None] + x,
        "weighted_sum": lambda x: (vector_weight * x).sum(-1, keepdim=True) + x,
        "lerp": lambda x: torch.lerp(x, mixed, 0.3) + torch.lerp(x, mixed.expand_as(x), mixed.sigmoid().expand_as(x)),
        "addcmul": lambda x: torch.addcmul(x, x, mixed, value=0.5), "addcdiv": lambda x: torch.addcdiv(x, x, 1 + mixed ** 2)
        }.items():
    cases["F_" + name] = (Function(function), vector)

def in_place(function):
    """On a copy, so that the layer before it keeps its output."""
    return lambda x: function(x * 1.0)


for name, function in {
        "mul_": lambda h: h.mul_(h.sigmoid()), "mul_into_part": lambda h: h.sigmoid().mul_(h),
        "hardswish_": lambda h: h.mul_(F.relu6(h + 3) / 6), "mish_": lambda h: h.mul_(torch.tanh(F.softplus(h))),
        "masked_fill": lambda h: h.masked_fill(h < 0, 0.1), "masked_fill_": lambda h: h.masked_fill_(h < 0, 0.1),
        "lerp_": lambda h: h.lerp_(mixed, 0.3), "addcmul_": lambda h: h.addcmul_(mixed, mixed, value=0.5)}.items():
    cases["F_" + name] = (Function(in_place(function)), vector)
cases["Linear3d"] = (Linear3d(), (2, 3, 4))
for name, cell in {"LSTMCell": nn.LSTMCell(5, 4), "GRUCell": nn.GRUCell(5, 4), "RNNCell": nn.RNNCell(5, 4)}.items():
    cases[name] = (Cell(cell), (2, 2, 5))

made_of = hashlib.sha256(b"".join(each.read_bytes() for each in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()
made_of += " torch " + torch.__version__
stamp = Path(folder) / "made_of.txt"
if stamp.exists() and stamp.read_text() == made_of:
    sys.exit()
stamp.unlink(missing_ok=True)


def save_input(start, x):
    with open(start + ".input.txt", "w", encoding="utf-8") as file:
        file.write(" ".join(map(str, x.shape)) + "\n" + " ".join(repr(value) for value in x.flatten().tolist()) + "\n")


for name, (model, shape) in cases.items():
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    x = torch.randn(*shape)
    start = os.path.join(folder, name)
    torch.jit.trace(model, x, check_trace=False).save(start + ".trace.pt")
    if not name.startswith("F_") and not name.endswith("Cell"):  # a function is no attribute that scripts may have
        script = torch.jit.script(model)
        script.save(start + ".script.pt")
        torch.jit.freeze(script).save(start + ".frozen.pt")
    exported = torch.export.export(model, (x,))
    torch.export.save(exported, start + ".exported.pt2")
    torch.export.save(exported.run_decompositions(), start + ".decomposed.pt2")
    save_input(start, x)

# With a batch of any size; traces have the size that they were made with.
batch = torch.export.Dim("batch", min=1, max=64)
torch.backends.mha.set_fastpath_enabled(False)
for name, model in SEQUENCES.items():
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    x = torch.randn(3, LENGTH, WIDTH)
    start = os.path.join(folder, "sequence_" + name)
    torch.jit.trace(model, x, check_trace=False).save(start + ".trace.pt")
    if name.startswith("encoder") or name == "windows":
        torch.backends.mha.set_fastpath_enabled(True)
        with torch.no_grad():
            torch.jit.trace(model, x, check_trace=False).save(start + ".fast.pt")
        torch.backends.mha.set_fastpath_enabled(False)
    exported = torch.export.export(model, (x,), dynamic_shapes=({0: batch},))
    torch.export.save(exported, start + ".exported.pt2")
    torch.export.save(exported.run_decompositions(), start + ".decomposed.pt2")
    save_input(start, x)
with open(os.path.join(folder, "sequences.txt"), "w", encoding="utf-8") as file:
    file.write("".join(f"sequence_{name}\n" for name in SEQUENCES))
with open(os.path.join(folder, "names.txt"), "w", encoding="utf-8") as file:
    file.write("\n".join(cases) + "\n")
stamp.write_text(made_of)
