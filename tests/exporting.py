"""Saves models with what they compute, for tests in C++: of each model NAME there is NAME.pt2, and NAME.values.pt with the
buffers input_0 …, output_0 … of a TorchScript module, which C++ can read."""

import sys
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.utils import _pytree

warnings.filterwarnings("ignore")
torch.set_num_threads(1)  # as the tests do: sums of parts depend on how many there are
folder = Path(sys.argv[1])


class Values(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        for kind, tensors in (("input", inputs), ("output", outputs)):
            for i, each in enumerate(tensors):
                self.register_buffer(f"{kind}_{i}", each)

    def forward(self, x):
        return x


def tensors_of(tree):
    return [each.detach().clone() for each in _pytree.tree_leaves(tree) if isinstance(each, torch.Tensor)]


def copied(tree):
    return _pytree.tree_map(lambda each: each.clone() if isinstance(each, torch.Tensor) else each, tree)


def export(name, model, inputs, *, decomposed=False, scripted=False, traced=False, eager=True, keywords=None, **options):
    """Also NAME.pt, the same network as TorchScript, if it is wanted. Not `eager`: its outputs are the program's."""
    torch.manual_seed(7)
    program = torch.export.export(model, inputs, keywords, **options)
    if decomposed:
        program = program.run_decompositions()
    torch.export.save(program, folder / f"{name}.pt2")
    given = tensors_of((inputs, keywords or {}))
    outputs = tensors_of((model if eager else program.module())(*copied(inputs), **(keywords or {})))
    torch.jit.script(Values(given, outputs)).save(folder / f"{name}.values.pt")
    if scripted:
        torch.jit.script(model).save(folder / f"{name}.pt")
    if traced:
        torch.jit.trace(model, inputs).save(folder / f"{name}.pt")
