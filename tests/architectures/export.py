"""Saves every network of networks.py in every format that PyTorch has, for the tests.

    python export.py FOLDER

    NAME.traced.pt, NAME.scripted.pt, NAME.frozen.pt    TorchScript, float64
    NAME.pt2                                            torch.export, with a batch of any size
    NAME.input.pt, NAME.output.pt                       tensors: an input, and what PyTorch makes of it
    NAME.unbiased.…                                     the same of the network without biases

Does nothing where the folder holds what these sources and this PyTorch make. Needs PyTorch only.
"""

import hashlib
import os
import subprocess
import sys
import warnings
from pathlib import Path

# The networks are divided among processes of one thread each; one thread also adds up in the same order everywhere.
PROCESSES = 2


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: export.py FOLDER")
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    if names:
        return export(folder, names)
    import importlib.metadata
    sources = sorted(Path(__file__).parent.glob("*.py"))
    made_of = hashlib.sha256(b"".join(each.read_bytes() for each in sources)).hexdigest()
    made_of += " torch " + importlib.metadata.version("torch")
    stamp = folder / "made_of.txt"
    if stamp.exists() and stamp.read_text() == made_of:
        return
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)

    from networks import NETWORKS
    # The one that takes longest comes first, and alone.
    names = sorted(NETWORKS, key=lambda name: name != "densenet121")
    parts = [names[:1], names[1:]]
    assert len(parts) == PROCESSES
    running = [subprocess.Popen([sys.executable, __file__, str(folder), *part]) for part in parts]
    if any([process.wait() for process in running]):
        sys.exit("export.py: not all networks could be saved")
    stamp.write_text(made_of)


def export(folder, names):
    import torch
    from networks import build, take_biases_away

    warnings.filterwarnings("ignore", category=DeprecationWarning)  # TorchScript, which is what is tested
    torch.set_num_threads(1)
    for name in names:
        network, x = build(name)
        # They share the network's parameters.
        traced = torch.jit.trace(network, x, check_trace=False)
        scripted = torch.jit.script(network)
        program = torch.export.export(network, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        for variant in (name, f"{name}.unbiased"):
            if variant != name:
                take_biases_away(network)
            traced.save(folder / f"{variant}.traced.pt")
            scripted.save(folder / f"{variant}.scripted.pt")
            torch.jit.freeze(scripted).save(folder / f"{variant}.frozen.pt")
            torch.export.save(program, folder / f"{variant}.pt2")
            torch.save(x, folder / f"{variant}.input.pt")
            with torch.no_grad():
                torch.save(network(x), folder / f"{variant}.output.pt")


if __name__ == "__main__":
    main()
