"""Exports the models that the tests of saved models load. Usage: export_models.py FOLDER"""

import sys
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from exporting import export, folder  # noqa: E402

Dim = torch.export.Dim


class Network(nn.Module):
    """What image classifiers are made of: convolutions with batch norm, residual connections, pooling."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.inner = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.silu = nn.SiLU()
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(16, 5)
        for norm in (self.stem[1], self.norm):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.bias, 0.2, 1.0)  # most ReLUs let something through
            nn.init.normal_(norm.running_mean, std=0.2)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)

    def forward(self, x):
        x = self.stem(x)
        for _ in range(2):
            out = self.norm(self.inner(x))
            out += x
            x = self.relu(out)
        x = self.silu(x + 0.5)
        return self.classifier(self.dropout(torch.flatten(self.pool(x), 1)))


class Weights(nn.Module):
    """Weights of every type, views of one storage, tied ones, buffers that are kept in files and others."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        whole = torch.randn(10, 4)
        self.rows = nn.Parameter(whole[2:6])
        self.more_rows = nn.Parameter(whole[4:8])
        self.turned = nn.Parameter(torch.randn(4, 3).t())
        self.register_buffer("spread", torch.randn(1, 4).expand(3, 4))
        self.register_buffer("single", torch.tensor(3.0, dtype=torch.float64))
        self.register_buffer("hidden", torch.randn(4), persistent=False)
        self.register_buffer("small", torch.randn(4).half())
        self.register_buffer("brain", torch.randn(4).bfloat16())
        self.register_buffer("counts", torch.arange(4, dtype=torch.int32))
        self.register_buffer("octets", torch.arange(4, dtype=torch.uint8))
        self.register_buffer("mask", torch.tensor([True, False, True, True]))
        self.register_buffer("none", torch.zeros(0, 4))
        self.constant = torch.randn(4)

    def forward(self, x):
        x = self.second(self.first(x)) + self.rows.sum(0) - self.more_rows.mean(0)
        x = x @ self.turned.t() @ self.turned + self.spread * self.single.float() + self.hidden
        x = x * self.small.float() + self.brain.to(torch.float32) + self.counts + self.octets
        return torch.where(self.mask, x, self.constant) + torch.cat([self.none, x]).sum(), self.counts * 2


class Parts(nn.Module):
    """Operators with several results, lists of results, sizes that are worked out, parts without gradients."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        self.rnn = nn.LSTM(4, 5, batch_first=True)
        self.scale = torch.ones(4) * 0.5

    def forward(self, x):
        h = self.features(x).flatten(2).transpose(1, 2)
        a, b = h.chunk(2, dim=1)
        c, d = torch.split(h, [6, 10], dim=1)
        h = torch.cat([b, a], 1)[:, :, [0, 2, 1, 3]] + torch.cat((d, c), 1)
        y, (state, _) = self.rnn(h)
        first, *_, last = h.unbind(1)
        with torch.no_grad():
            fixed = h.mean(1, keepdim=True) * 2
        values, places = h.max(dim=1)
        ramp = torch.arange(h.shape[0] * 2, device=x.device, dtype=torch.float32)
        full = torch.full((h.shape[0], 3), 7)
        return {
            "y": y,
            "pair": (fixed * self.scale, (first - last).to(torch.float16)),
            "list": [values, places, state],
            "ramp": ramp.view(h.shape[0], -1),
            "full": full,
            "size": x.shape[0] + 1,
            "none": None,
        }


class Arithmetic(nn.Module):
    def forward(self, x):
        y = ((1 - x) * 2 + 0.5) / 3 - 2**x + x.clamp(min=0).pow(2)
        y = y.to(memory_format=torch.channels_last).contiguous()
        y = torch.nn.functional.pad(y, (1, 1), value=float("-inf")).clamp(-1e3, float("inf"))
        z = torch.zeros_like(x, dtype=torch.float64) + torch.ones(x.shape[1:], dtype=torch.int64)
        w = torch.linspace(0, 1, 4, dtype=x.dtype, device=x.device) * x.masked_fill(x > 0, 0.25)
        einsum = torch.einsum("nchw,nchv->nwv", x, x)
        up = torch.nn.functional.interpolate(x, scale_factor=1.5, mode="bilinear", align_corners=False)
        return y, z, w, einsum, up, torch.stack([x, x]).logsumexp(0), x.softmax(-1).argmax(1), x % 3 // 2


class Sizes(nn.Module):
    def forward(self, a, b):
        n = a.shape[0]
        folded = a.reshape(n // 2, 2, -1).sum(1)
        return folded * max(n, 4), b[: n * 3 % 7 + 1, :, : b.shape[2] - 1].mean(), torch.ones(n, b.shape[3]) / n


class Writes(nn.Module):
    """Writes into its buffers and its input."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(4))
        self.register_buffer("table", torch.zeros(3, 4))

    def forward(self, x):
        self.count.add_(1)
        with torch.no_grad():
            self.table.view(-1)[2:6].copy_(x[0])
        y = x * 2
        y[:, 1] = 0
        return y + self.count + self.table.sum(0)


class Condition(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda x: self.linear(x).sin(), lambda x: x.cos(), (x,))


class Several(nn.Module):
    """Several inputs of several types, in containers, numbers and nothings between them."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.other = nn.Linear(2, 3)

    def forward(self, x, more, n=3, *, flag=True, nothing=None):
        y = self.linear(x) + self.other(more["z"]).masked_fill(more["mask"], 0.0)
        return y * n, [self.linear(x).relu() + more["shift"].to(x.dtype)], 3, None


class Item(nn.Module):
    def forward(self, x):
        k = x.argmax().item()
        torch._check(k >= 0)
        torch._check(k < x.shape[0])
        return x[k] * 2


class Lookup(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 4)
        self.linear = nn.Linear(4, 3)

    def forward(self, words):
        return self.linear(self.table(words).mean(1))


class Loop(nn.Module):
    def forward(self, x):
        return torch.while_loop(lambda x: x.sum() < 10, lambda x: (x + 1,), (x,))


class Autocast(nn.Module):
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return x @ x


@torch.library.custom_op("strangers::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
    return x * 2


@twice.register_fake
def _(x):
    return torch.empty_like(x)


class Stranger(nn.Module):
    def forward(self, x):
        return torch.ops.strangers.twice(x)


class Marked(torch.Tensor):
    pass


class Subclass(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return self.linear(x)


class Blocks(nn.Module):
    """Modules in lists and dictionaries, methods, control flow, nested containers."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.heads = nn.ModuleDict({"one": nn.Linear(4, 3), "two": nn.Sequential(nn.ReLU(), nn.Linear(4, 2))})

    def middle(self, x):
        for block in self.blocks:
            x = torch.relu(block(x))
        return x

    def forward(self, x, flip: bool = False):
        x = self.middle(x)
        if flip:
            x = -x
        else:
            x = torch.tanh(x)
        return {"one": self.heads["one"](x), "two": self.heads["two"](x)}, (x, [x.exp()])


def main():
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    network = Network().eval()
    picture = torch.randn(2, 2, 6, 6, dtype=torch.float64)
    batch = {"x": {0: Dim("batch", min=1, max=16)}}
    export("network", network.double(), (picture,), scripted=True, dynamic_shapes=batch)
    export("network_strict", network, (picture,), strict=True)
    # Decomposed batch norm is another kernel, which rounds otherwise.
    export("network_decomposed", network, (picture,), decomposed=True, eager=False)
    export("network_float", Network().eval(), (picture.float(),), traced=True)
    export("network_half", Network().eval().bfloat16(), (picture.bfloat16(),))
    training = Network().train()
    training.dropout.p = 0.0
    export("network_training", training, (picture.float(),))
    export("weights", Weights().eval(), (torch.randn(3, 4),))
    parts = {"x": {0: Dim("batch", min=2, max=64)}}
    export("parts", Parts().eval(), (torch.randn(4, 3, 6, 6),), dynamic_shapes=parts)
    export("arithmetic", Arithmetic(), (torch.randn(2, 3, 5, 4),))
    half = Dim("half", max=20)
    sizes = {"a": {0: 2 * half}, "b": {2: Dim("height", min=5, max=30), 3: Dim.AUTO}}
    export("sizes", Sizes(), (torch.randn(4, 4), torch.randn(7, 3, 8, 9)), dynamic_shapes=sizes)
    export("writes", Writes(), (torch.randn(2, 4),))
    export("writes_decomposed", Writes(), (torch.randn(2, 4),), decomposed=True)
    export("condition", Condition(), (torch.ones(2, 4),))
    more = {"z": torch.randn(2, 2), "mask": torch.tensor([[True], [False]]), "shift": torch.tensor([1, 2, 3])}
    export("several", Several(), (torch.randn(2, 4), more))
    export("item", Item(), (torch.randn(4),))
    export("lookup", Lookup(), (torch.randint(0, 10, (2, 5)),), scripted=True)
    attention = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    # PyTorch itself has a kernel for all of this layer, which no export uses.
    export("attention", attention, (torch.randn(2, 3, 8),), eager=False)
    export("attention_decomposed", attention, (torch.randn(2, 3, 8),), decomposed=True, eager=False)
    export("loop", Loop(), (torch.ones(2),))
    export("autocast", Autocast(), (torch.randn(4, 4),))
    export("stranger", Stranger(), (torch.randn(4),))
    torch.jit.script(Blocks().double().eval()).save(folder / "blocks.pt")

    program = torch.export.export(nn.Linear(2, 2), (torch.randn(1, 2),))
    torch.export.pt2_archive._package.package_pt2(
        folder / "two.pt2", exported_programs={"one": program, "other": program}
    )
    torch.save({"weight": torch.ones(2)}, folder / "dictionary.pt")


main()
