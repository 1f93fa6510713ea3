"""Runs Zennit, and writes what it gives: what the tests of this folder compare with.

    python zennit_reference.py FOLDER

    grid.pt          its rules on single layers      networks.pt, NAME.pt, NAME.pt2    its composites on networks
    differences.pt   where it is wrong               made_of.txt                       what all of this was made of

    pip install torch==2.13.0 numpy pillow && pip install --no-deps zennit==0.5.1 torchvision==0.28.0

The arrays in stored/ are for where there is no Zennit; `python zennit_reference.py stored` writes them anew. All numbers
are float64. Where Zennit is not installed, it only says so, and takes away what it wrote before. It does nothing where
the folder holds what these sources and these packages make.

Zennit (LGPL) is run, and nothing of it is copied.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.append(str(ROOT / "examples"))  # saving.py

PACKAGES = ("zennit", "torchvision", "numpy", "PIL")
RELEASE = "0.5.1"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: zennit_reference.py FOLDER")
    if os.environ.get("PYTHONHASHSEED") != "0":  # TorchScript lists constants in the order of a Python set
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"PYTHONHASHSEED": "0"})
    folder = Path(sys.argv[1])
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        print(f"Zennit cannot run here, there is no Python package {', '.join(missing)}: "
              "the tests of parity compare with the arrays in tests/parity/stored")
        if folder.resolve() != HERE / "stored":
            shutil.rmtree(folder, ignore_errors=True)
        return
    release = importlib.metadata.version("zennit")
    if release != RELEASE:
        sys.exit(f"zennit_reference.py: this is Zennit {release}; the tests know {RELEASE}")
    torch_release = importlib.metadata.version("torch").split("+")[0]
    sources = hashlib.sha256(b"".join(each.read_bytes() for each in sorted(HERE.glob("*.py")))).hexdigest()
    made_of = f"Zennit {release}, PyTorch {torch_release}\nsources {sources}\n"
    stamp = folder / "made_of.txt"
    if stamp.exists() and stamp.read_text() == made_of:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for file in [stamp, *folder.glob("*.pt"), *folder.glob("*.pt2")]:
        file.unlink(missing_ok=True)
    write_all(folder)
    stamp.write_text(made_of)


def write_all(folder):
    import torch

    warnings.filterwarnings("ignore", category=DeprecationWarning)  # TorchScript
    torch.set_num_threads(1)  # sums of parts depend on how many there are
    let_torchvision_in(torch)
    from differences import differences
    from grid import activations, grid
    from networks import EXPORTED, networks
    from saving import save_model

    torch.save({"grid": grid(), "activations": activations()}, folder / "grid.pt")
    models, found = networks()
    torch.save(found, folder / "networks.pt")
    wrong, found = differences()
    torch.save(found, folder / "differences.pt")
    for name, (model, x) in (models | wrong).items():
        save_model(torch.jit.trace(model, x, check_trace=False), folder / f"{name}.pt")
    for name in EXPORTED:
        save_program(*models[name], folder / f"{name}.pt2")
    for file in folder.iterdir():
        if str(ROOT).encode() in file.read_bytes():
            raise RuntimeError(f"{file} names {ROOT}")


def let_torchvision_in(torch):
    """Zennit imports it for the names of two classes, and it wants operators that only its own library has."""
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor boxes, Tensor scores, float iou_threshold) -> Tensor")
    let_torchvision_in.kept = operators  # or they go with it


def save_program(model, x, file):
    import torch

    program = torch.export.export(model, (x,))
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)  # the paths of this machine
    torch.export.save(program, file)


if __name__ == "__main__":
    main()
