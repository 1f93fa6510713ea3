"""What relevance costs from Python, beside Zennit in the same process: one table, in Markdown.

    python_bench.py FOLDER [ROUNDS]     the module `ascribe` is on the path

Ratios to PyTorch's gradient in Python, the rounds' median and in brackets their quartiles; `command` is that of `ascribe
bench` on the saved model, in the same rounds and threads. Before the table: what an attachment itself takes.
"""

import json
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import torch
from bench import (
    EVERYWHERE,
    NETWORKS,
    as_zennit_needs_it,
    drawn_input,
    made,
    processor,
    spread,
    zennit_or_none,
    zennits_composite,
)

import ascribe

SHOWN = {"ResNet50": ("ε", "epsilon_plus"), "MLP 20 × 128": ("ε", "αβ")}


def explained(network, x):
    """As `ascribe bench` does it: each sample's largest output, from its value."""
    leaf = x.clone().requires_grad_()
    y = network(leaf)
    best = y.detach().argmax(1, keepdim=True)
    start = torch.zeros_like(y).scatter_(1, best, y.detach().gather(1, best))
    return leaf, y, start


def seconds(run, *arguments):
    began = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - began


def gradient(model, x):
    leaf, y, start = explained(model, x)
    torch.autograd.grad(y, leaf, start)


def relevance(rules, model, x):
    with ascribe.attach(rules, model, sums=False):
        leaf, y, start = explained(model, x)
    torch.autograd.grad(y, leaf, start)


def attributed(rules, model, x):
    ascribe.attribute(model, rules, x, sums=False)


def quartiles(ratios):
    return dict(zip(("lower_quartile", "median", "upper_quartile"), statistics.quantiles(ratios, n=4, method="inclusive")))


def processor_seconds(run, *arguments):
    began = time.thread_time()
    run(*arguments)
    return time.thread_time() - began


def overhead():
    """Microseconds of this thread, more than plain PyTorch: per call of a module that has no operator, of an activation, of
    a linear layer; of the attachment itself, and per layer whose name it reads."""

    warnings.filterwarnings("ignore", "ascribe: warning A0610")  # activations alone have no entry here

    def per_call(module, count=400):
        model = torch.nn.Sequential(*[module() for _ in range(count)])
        x = torch.randn(1, 4, requires_grad=True)

        def run(attached):
            if not attached:
                return processor_seconds(model, x)
            with ascribe.attach("epsilon", model, sums=False):
                return processor_seconds(model, x)

        return statistics.median(run(True) - run(False) for _ in range(101)) / count

    def attach(layers):
        own = torch.nn.Sequential(*[torch.nn.Linear(1, 1) for _ in range(layers)])
        rules = ascribe.rule("epsilon")
        return statistics.median(processor_seconds(lambda: ascribe.attach(rules, own).remove()) for _ in range(101))

    once, many = attach(1), attach(101)
    calls = [per_call(each) for each in (torch.nn.Identity, torch.nn.ReLU, lambda: torch.nn.Linear(4, 4))]
    return [1e6 * each for each in (*calls, once, (many - once) / 100)]


def main():
    folder, rounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 7
    folder.mkdir(parents=True, exist_ok=True)
    zennit = zennit_or_none()
    print(
        "µs: {:.2f} for each call of a module, {:.1f} with an activation, {:.1f} with a linear layer; {:.0f} for attaching "
        "and its end, {:.1f} more for each layer\n".format(*overhead())
    )
    print("| network | composite | samples | attach | attribute | command | Zennit |\n|---|---|---|---|---|---|---|")
    for name, composites in SHOWN.items():
        network = NETWORKS[name]
        model, file = made(name, network, folder)
        for composite in composites:
            x, input_file = drawn_input(network, network.batches[0], folder)
            call = network.composites[composite]
            command = [
                sys.executable,
                "-m",
                "ascribe",
                "bench",
                "--model",
                file,
                "--input",
                input_file,
                "--rules",
                call,
                "--load",
                EVERYWHERE,
                "--rounds",
                rounds,
                "--report",
                "json",
            ]
            done = json.loads(subprocess.run([str(each) for each in command], stdout=subprocess.PIPE, check=True).stdout)
            torch.set_num_threads(done["threads"])
            rules = ascribe.load(EVERYWHERE).call(call)
            ours = []
            for way in (relevance, attributed):
                way(rules, model, x), gradient(model, x)
                ours.append(quartiles([seconds(way, rules, model, x) / seconds(gradient, model, x) for _ in range(rounds)]))
            theirs = None
            if zennit is not None:
                with zennits_composite(zennit, composite, x).context(as_zennit_needs_it(zennit, model)) as registered:
                    gradient(registered, x)
                    theirs = quartiles([seconds(gradient, registered, x) / seconds(gradient, model, x) for _ in range(rounds)])
            of_command = {each["name"]: each for each in done["measured"]}["relevance"]["ratio"]
            print(
                f"| {name} | {composite} | {len(x)} | {spread(ours[0])} | {spread(ours[1])} | {spread(of_command)} | {spread(theirs)} |",
                flush=True,
            )
    print(f"\n{processor()}, PyTorch {torch.__version__}")


if __name__ == "__main__":
    main()
