"""Exports the models that the tests of programs load. Usage: export_models.py FOLDER"""

import sys
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import exporting  # noqa: E402

Dim = torch.export.Dim
folder = exporting.folder


def export(*arguments, **options):
    """What a program computes is asked of the program: some of these count their calls, or write into what they get."""
    exporting.export(*arguments, eager=False, **options)


# ------------------------------------------------------------------------------------------------------------- modules


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 4)
        self.act = nn.Hardswish()

    def forward(self, x):
        return self.act(self.lin(x))


class Pair(nn.Module):
    def forward(self, x):
        return x * 2, x + 1


class Folded(nn.Module):
    """Computes with its input's size."""

    def forward(self, x):
        return x.reshape(x.shape[0] * 2, -1).relu().reshape(x.shape[0], 4)


class Counter(nn.Module):
    """Writes into a buffer of its own, if it counts, and into its input."""

    def __init__(self, counts):
        super().__init__()
        self.counts = counts
        self.register_buffer("count", torch.zeros(4))

    def forward(self, x):
        if self.counts:
            self.count.add_(1)
        return x.add_(self.count)


class Net(nn.Module):
    def __init__(self, counts):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True))
        self.gate = Gate()
        self.tied = nn.Linear(4, 4)
        self.tied.weight = self.gate.lin.weight
        self.pair = Pair()
        self.folded = Folded()
        self.counter = Counter(counts)
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        x = self.gate(self.gate(self.stem(x)))
        a, b = self.pair(x)
        x = self.folded(a + self.tied(b))
        with torch.no_grad():
            fixed = self.gate(x)
        return self.norm(self.counter(x * x.shape[0])) + fixed, x


class Seen(nn.Module):
    """What the activation writes into is read again under another name."""

    def __init__(self):
        super().__init__()
        self.act = nn.ReLU(inplace=True)
        self.lin = nn.Linear(4, 4)

    def forward(self, x):
        y = self.lin(x)
        view = y.view(-1)
        return self.act(y) + view.sum()


class Named(nn.Module):
    def forward(self, x):
        return {"x": x * 2}


class Dictionary(nn.Module):
    def __init__(self):
        super().__init__()
        self.named = Named()

    def forward(self, x):
        return self.named(x)["x"] + 1


# ----------------------------------------------------------------------------------------------------------- operators


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def bits(x, flags):
    y = x.clone()
    y &= 29
    y |= 2
    y ^= 7
    y <<= 3
    y >>= 1
    f = flags.clone()
    f &= x > 3
    f |= x > 5
    f ^= x > 7
    return (x & 3, x | 1, x ^ 2, x << 1, x >> 1, y, f), (flags & (x > 2), flags | (x > 2), flags ^ (x > 2), ~flags)


def causal(x):
    n = x.shape[1]
    mask = torch.arange(n)[None, :] <= torch.arange(n)[:, None]
    mask = mask & (x[:, :, 0] > 0)[:, None, :]
    scores = torch.where(mask, x @ x.transpose(1, 2), torch.finfo(x.dtype).min)
    upper = torch.full((n, n), float("-inf"), dtype=x.dtype).triu(1)
    return scores.softmax(-1) @ x, (x @ x.transpose(1, 2) + upper).softmax(-1)


def rotary(x):
    n, d = x.shape[-2:]
    frequencies = 1.0 / (10000 ** (torch.arange(0, d, 2, dtype=torch.int64).float() / d))
    angles = torch.outer(torch.arange(n).float(), frequencies)
    angles = torch.cat([angles, angles], -1)
    first, second = x.chunk(2, -1)
    return (x.float() * angles.cos() + torch.cat([-second, first], -1) * angles.sin()).to(x.dtype)


def rotary_complex(x):
    z = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    angles = torch.outer(torch.arange(x.shape[-2]).float(), torch.ones(x.shape[-1] // 2))
    return torch.view_as_real(z * torch.polar(torch.ones_like(angles), angles)).flatten(2).type_as(x)


def cache(x):
    kept = torch.zeros(2, 8, 4)
    kept[:, 2:7] = x
    kept[:, 0] = 1
    kept[:, :, 1][kept[:, :, 1] > 1] = 0.5
    return kept, kept.index_copy(1, torch.arange(5), x), kept.index_add(1, torch.arange(5), x)


def experts(x):
    weights, chosen = torch.topk((x @ torch.linspace(-1, 1, 12).view(4, 3)).softmax(-1), 2)
    hits = torch.nn.functional.one_hot(chosen, 3).to(x.dtype)
    return torch.einsum("nk,nke,nd->ned", weights, hits, x).sum(1)


def constants(x):
    return x + torch.tensor([1.0, 2.0, 3.0, 4.0]), x.to(torch.float64).half(), x.detach().clone()


def attention(q, k, mask):
    from torch.nn.functional import scaled_dot_product_attention as attend

    return attend(q, q, q, is_causal=True), attend(q, q, q, attn_mask=mask), attend(q, k, k, enable_gqa=True)


class Bags(nn.Module):
    def __init__(self):
        super().__init__()
        self.bags = nn.ModuleList(nn.EmbeddingBag(9, 4, mode=mode) for mode in ("sum", "mean", "max"))

    def forward(self, words):
        return tuple(bag(words) for bag in self.bags)


def replaced(x):
    """What writes into parts of tensors becomes when it is decomposed, and random numbers of probability 1 and 0."""
    y = x.clone()
    y[1:, ::2] = 3
    y[0] = y[1] * 2
    y[:, 1].add_(1)
    y.masked_fill_(y > 4, 0)
    y[x > 1] = -1
    always = torch.bernoulli(torch.ones_like(x))
    return y, torch.rrelu(x, 0.25, 0.25, training=True), x * always, torch.index_put(x, (torch.tensor([0]),), x[:1])


def main():
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(3)
    net = Net(counts=True).eval()
    nn.init.uniform_(net.norm.running_var, 0.5, 1.5)
    x = torch.randn(3, 4)
    batch = {"x": {0: Dim("batch", min=2, max=50)}}
    export("net", net, (x,), dynamic_shapes=batch)
    export("net_strict", net, (x,), dynamic_shapes=batch, strict=True)
    export("net_decomposed", net, (x,), dynamic_shapes=batch, decomposed=True)
    export("seen", Seen(), (x,))
    export("seen_decomposed", Seen(), (x,), decomposed=True)
    net.counter.counts = False
    torch.jit.script(net).save(folder / "net_scripted.pt")
    torch.jit.trace(net, (x.clone(),), check_trace=False).save(folder / "net_traced.pt")
    torch.jit.script(Seen()).save(folder / "seen.pt")
    torch.jit.script(Dictionary()).save(folder / "dictionary.pt")

    words = torch.randint(0, 9, (3, 5))
    export("bags", Bags(), (words,))
    export("bags_decomposed", Bags(), (words,), decomposed=True)
    length = {0: {1: Dim("length", min=2, max=50)}}
    picture = torch.randn(1, 2, 5, 5)
    numbers = torch.randint(0, 9, (3, 4))
    for name, function, inputs, sizes in (
        ("bits", bits, (numbers, numbers > 4), None),
        ("causal", causal, (torch.randn(2, 5, 4),), length),
        ("rotary", rotary, (torch.randn(2, 5, 4),), length),
        ("rotary_complex", rotary_complex, (torch.randn(2, 5, 4),), None),
        ("cache", cache, (torch.randn(2, 5, 4),), None),
        ("experts", experts, (torch.randn(6, 4),), None),
        ("constants", constants, (torch.randn(2, 4),), None),
        ("replaced", replaced, (torch.randn(3, 4),), None),
        ("scaled_attention", attention,
         (torch.randn(2, 4, 5, 8), torch.randn(2, 2, 5, 8), torch.ones(5, 5, dtype=torch.bool).tril()), None),
    ):  # fmt: skip
        options = {"dynamic_shapes": {"inputs": tuple(sizes.get(i, {}) for i in range(len(inputs)))}} if sizes else {}
        export(name, Function(function), inputs, **options)
        export(name + "_decomposed", Function(function), inputs, decomposed=True, **options)


main()
