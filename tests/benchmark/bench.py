"""What relevance costs, beside the plain gradient, for networks from a small perceptron to VGG16: one table, in Markdown.

    bench.py ASCRIBE FOLDER [quick]

Ours is measured by `ASCRIBE bench`, Zennit, where it is installed, in this process beside PyTorch's own gradient. Models
have random weights; they are made once, in FOLDER. Columns, all of them ratios to the gradient,
the rounds' median and in brackets their quartiles:

    relevance       in the same layout                          sums    the same with a report's sums
    channels_last   the input's, to the gradient in NCHW        memory  its peak, to the gradient's
    Zennit          to the gradient of PyTorch in Python, with rules registered once
"""

import copy
import json
import statistics
import subprocess
import sys
import time
import types
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CAT = ROOT / "build/demo/cat/efficientnet_lite0.pt"  # ./dev demo cat prepares it

# ------------------------------------------------------------------------------------------------------------ networks


def convolution(*arguments, **named):
    out = nn.Conv2d(*arguments, **named)
    nn.init.kaiming_normal_(out.weight, mode="fan_out", nonlinearity="relu")
    return out


def vgg16():
    layers, channels = [], 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            layers += [convolution(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(7), nn.Flatten(), nn.Linear(512 * 49, 4096), nn.ReLU(inplace=True),
                         nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(4096, 1000))


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.branch = nn.Sequential(
            convolution(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            convolution(width, width, 3, stride, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            convolution(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width))
        self.shortcut = nn.Identity() if channels == 4 * width else nn.Sequential(
            convolution(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))
        self.sum = None  # Zennit's, which is a module of its own
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        branch, shortcut = self.branch(x), self.shortcut(x)
        if self.sum is None:
            branch += shortcut
            return self.relu(branch)
        return self.relu(self.sum(torch.stack([branch, shortcut], -1)))


def resnet50():
    layers, channels = [convolution(3, 64, 7, 2, padding=3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
                        nn.MaxPool2d(3, 2, padding=1)], 64
    for width, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(count):
            layers.append(Bottleneck(channels, width, stride if i == 0 else 1))
            channels = 4 * width
    out = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))
    for module in out.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics as they are, after one pass
    with torch.no_grad():
        out.train()(torch.randn(4, 3, 96, 96))
    return out


def perceptron():
    return nn.Sequential(*[layer for _ in range(19) for layer in (nn.Linear(128, 128), nn.ReLU(inplace=True))],
                         nn.Linear(128, 128))


class Block(nn.Module):
    """Of a transformer, written out."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        def split(y):
            return y.view(y.size(0), y.size(1), self.heads, -1).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        weights = torch.softmax(torch.matmul(q, k.transpose(-2, -1)) / q.size(-1) ** 0.5, -1)
        attended = torch.matmul(weights, v).transpose(1, 2).reshape(x.shape)
        x = self.first(x + self.out(attended))
        return self.second(x + self.down(F.gelu(self.up(x))))


class Encoder(nn.Module):
    def __init__(self, layers=6, width=384, heads=6):
        super().__init__()
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(layers)])
        self.classes = nn.Linear(width, 10)

    def forward(self, x):
        return self.classes(self.blocks(x)[:, 0])


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.classes = nn.LSTM(128, 128, num_layers=2, batch_first=True), nn.Linear(128, 10)

    def forward(self, x):
        return self.classes(self.lstm(x)[0][:, -1])


# ------------------------------------------------------------------------------------------------------- what is measured

EVERYWHERE = str(HERE / "everywhere.rule")
PICTURES = {"ε": "epsilon_everywhere", "epsilon_plus": "epsilon_plus",
            "epsilon_gamma_box": "epsilon_gamma_box(low = -3, high = 3)",
            "epsilon_alpha2_beta1_flat": "epsilon_alpha2_beta1_flat"}


@dataclass
class Network:
    make: object  # none: the file is there, made by something else
    shape: tuple
    composites: dict
    batches: tuple = (1, 8)
    rounds: dict = field(default_factory=dict)  # by batch
    of_zennit: bool = True


NETWORKS = {
    "VGG16": Network(vgg16, (3, 224, 224), PICTURES, rounds={8: 3}),
    "ResNet50": Network(resnet50, (3, 224, 224), PICTURES, rounds={8: 3}),
    "EfficientNet-Lite0": Network(None, (3, 224, 224), PICTURES, of_zennit=False),
    "MLP 20 × 128": Network(perceptron, (128,), {"ε": "epsilon_everywhere", "αβ": "alpha2_beta1_everywhere"}, (16,),
                            {16: 100}),
    "encoder 6 × 384": Network(Encoder, (128, 384), {"attn_lrp": "attn_lrp", "cp_lrp": "cp_lrp"}, of_zennit=False),
    "LSTM 2 × 128": Network(Lstm, (64, 128), {"ε (LSTM: gradient)": "epsilon_everywhere", "arras": "arras"},
                            rounds={1: 20, 8: 20}, of_zennit=False),
}
ROUNDS = 5


def made(name, network, folder):
    """The network, if it is one of Python, and its file."""
    if network.make is None:
        return None, CAT
    torch.manual_seed(0)
    model = network.make().eval()
    file = folder / (name.split()[0].lower() + ".pt")
    if not file.exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is what is wanted
            traced = torch.jit.trace(model, torch.randn(2, *network.shape), check_trace=False)
        part = file.with_suffix(".part")
        traced.save(str(part))
        part.rename(file)
    return model, file


def drawn_input(network, batch, folder):
    torch.manual_seed(1)
    x = torch.randn(batch, *network.shape).clamp(-3, 3)
    file = folder / ("input_" + "_".join(map(str, x.shape)) + ".pt")
    torch.save(x, file)
    return x, file


def measured(ascribe, model, x, rules, rounds, *more):
    command = [ascribe, "bench", "--model", model, "--input", x, "--rules", rules, "--load", EVERYWHERE, "--rounds", rounds,
               "--report", "json", *more]
    done = subprocess.run([str(each) for each in command], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


# ------------------------------------------------------------------------------------------------------------------ Zennit


def zennit_or_none():
    try:
        import zennit.composites
    except ModuleNotFoundError:
        return None
    except RuntimeError:
        # Of torchvision it only wants to know two classes; the torchvision that is installed is for another PyTorch.
        for name in [each for each in sys.modules if each.split(".")[0] in ("torchvision", "zennit")]:
            del sys.modules[name]
        for name in ("torchvision", "torchvision.models", "torchvision.models.resnet"):
            sys.modules[name] = types.ModuleType(name)
        for name in ("Bottleneck", "BasicBlock"):
            setattr(sys.modules["torchvision.models.resnet"], name, type(name, (), {}))
        import zennit.composites
    import zennit.canonizers
    import zennit.layer
    import zennit.rules
    import zennit.types
    return zennit


def zennits_composite(zennit, name, x):
    merge = [zennit.canonizers.SequentialMergeBatchNorm()]
    everywhere = {"ε": zennit.rules.Epsilon(), "αβ": zennit.rules.AlphaBeta(2, 1)}.get(name)
    if everywhere is not None:
        kinds = (zennit.types.Linear, zennit.types.Convolution)
        return zennit.composites.LayerMapComposite(
            zennit.composites.layer_map_base() + [(kind, everywhere) for kind in kinds], canonizers=merge)
    arguments = {"low": torch.full_like(x[:1], -3), "high": torch.full_like(x[:1], 3)} if "box" in name else {}
    return zennit.composites.COMPOSITES[name](**arguments, canonizers=merge)


def as_zennit_needs_it(zennit, model):
    model = copy.deepcopy(model)
    for module in list(model.modules()):
        if isinstance(module, nn.ReLU):
            module.inplace = False  # its hooks keep what that would overwrite
        if isinstance(module, Bottleneck):
            module.sum = zennit.layer.Sum()
    return model


def zennits_ratio(zennit, model, composite, x, rounds):
    def explain(network):
        began = time.perf_counter()
        leaf = x.clone().requires_grad_()
        y = network(leaf)
        best = y.detach().argmax(1, keepdim=True)
        start = torch.zeros_like(y).scatter_(1, best, y.detach().gather(1, best))
        torch.autograd.grad(y, leaf, start)
        return time.perf_counter() - began

    with composite.context(as_zennit_needs_it(zennit, model)) as registered:
        explain(registered), explain(model)
        lower, median, upper = statistics.quantiles((explain(registered) / explain(model) for _ in range(rounds)), n=4,
                                                    method="inclusive")
        return {"lower_quartile": lower, "median": median, "upper_quartile": upper}


# --------------------------------------------------------------------------------------------------------------- the table

COLUMNS = (("network", 18), ("composite", 25), ("batch", 5), ("relevance", 16), ("channels_last", 16),
           ("sums", 16), ("memory", 6), ("Zennit", 16))


def show_row(cells):
    print("| " + " | ".join(str(cell).ljust(width) for cell, (_, width) in zip(cells, COLUMNS)) + " |", flush=True)


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "an unknown processor"


def factor(value):
    return "–" if value is None else f"{value:.2f}"


def spread(of):
    return "–" if of is None else "{median:.2f} ({lower_quartile:.2f}–{upper_quartile:.2f})".format(**of)


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[3:] not in ([], ["quick"]):
        sys.exit(__doc__)
    ascribe, folder, quick = Path(sys.argv[1]), Path(sys.argv[2]), len(sys.argv) == 4
    folder.mkdir(parents=True, exist_ok=True)
    zennit = zennit_or_none()
    if zennit is None:
        print("Zennit is not installed: its column stays empty", file=sys.stderr)

    tasks = []
    for name, network in NETWORKS.items():
        if quick and name not in ("VGG16", "ResNet50", "MLP 20 × 128"):
            continue
        if network.make is None and not CAT.exists():
            print(f"{name} is left out: ./dev demo cat prepares it", file=sys.stderr)
            continue
        for batch in network.batches[:1] if quick else network.batches:
            tasks += [(name, network, batch, composite) for composite in network.composites]

    show_row([title for title, _ in COLUMNS])
    show_row(["-" * width for _, width in COLUMNS])
    model = of_model = threads = None
    failed = False
    for i, (name, network, batch, composite) in enumerate(tasks, 1):
        def tell(what):
            print(f"{i} of {len(tasks)}: {name}, batch {batch}, {composite}: {what}", file=sys.stderr, flush=True)

        if of_model != name:
            tell("the model")
            model, of_model = None, name  # one at a time is in memory
            model, file = made(name, network, folder)
        x, input_file = drawn_input(network, batch, folder)
        rules = network.composites[composite]
        rounds = 3 if quick and network.batches != (16,) else network.rounds.get(batch, ROUNDS)
        try:
            tell("ours")
            same = measured(ascribe, file, input_file, rules, rounds)
            last = None
            if x.dim() == 4:
                tell("ours, channels_last")
                last = measured(ascribe, file, input_file, rules, rounds, "--channels-last")
        except subprocess.CalledProcessError as wrong:  # it has said why
            if wrong.returncode == 130:
                raise KeyboardInterrupt from None
            failed = True
            show_row([name, composite, batch, *"–" * 5])
            continue
        threads = same["threads"]
        ratio = None
        if zennit is not None and network.of_zennit:
            tell("Zennit")
            torch.set_num_threads(threads)
            ratio = zennits_ratio(zennit, model, zennits_composite(zennit, composite, x), x, rounds)
        ours = {each["name"]: each for each in same["measured"]}
        in_last = {each["name"]: each for each in last["measured"]} if last else {}
        show_row([name, composite, batch, spread(ours["relevance"]["ratio"]),
                  spread(in_last["relevance"]["ratio"] if last else None), spread(ours["relevance with sums"]["ratio"]),
                  factor(ours["relevance"]["memory_ratio"]), spread(ratio)])
    print(f"\n{processor()}, {threads} thread{'' if threads == 1 else 's'}, PyTorch {torch.__version__}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
