"""Trains the small digit classifier of this folder and writes model.pt, zero.npy … nine.npy beside this script.

Needs: pip install torch==2.13.0 numpy scikit-learn. Takes about ten seconds and gives the same weights every time;
under PYTHONHASHSEED=0 the same bytes too (TorchScript lists a layer's constants in the order of a Python set).
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))

try:
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from torch import nn

    from saving import save_array, save_model
except ModuleNotFoundError as missing:
    sys.exit(f"train.py: no Python package {missing.name}; run: pip install torch==2.13.0 numpy scikit-learn")

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
HELD_OUT = 450
EPOCHS = 60
BATCH = 32
LEARNING_RATE = 0.01
REQUIRED_ACCURACY = 0.97
CONFIDENT = 0.99


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # sums are then always taken in the same order
    torch.use_deterministic_algorithms(True)

    digits = load_digits()
    images = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
    labels = torch.tensor(digits.target)
    images, held_out_images, labels, held_out_labels = train_test_split(
        images, labels, test_size=HELD_OUT, random_state=0, stratify=labels)

    model = DigitNet()
    train(model, images, labels)

    model.eval()
    with torch.no_grad():
        probabilities = model(held_out_images).softmax(1)
    right = probabilities.argmax(1) == held_out_labels
    accuracy = right.float().mean().item()
    print(f"{int(right.sum())} of {HELD_OUT} held-out digits are right: {accuracy:.2%}")
    if accuracy <= REQUIRED_ACCURACY:
        sys.exit(f"train.py: nothing is written: not over {REQUIRED_ACCURACY:.0%}")

    # Scripted, not traced: module names, attributes and the batch size stay as free as in the source.
    save_model(torch.jit.script(model), HERE / "model.pt")
    confident = probabilities.amax(1) > CONFIDENT
    for digit, name in enumerate(NAMES):
        first = (right & confident & (held_out_labels == digit)).nonzero()[0].item()
        save_array(held_out_images[first:first + 1].numpy(), HERE / f"{name}.npy")


class DigitNet(nn.Module):
    """Digits [N, 1, 8, 8] in [0, 1] to ten logits [N, 10]."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(),
            nn.AvgPool2d(2),
        )
        self.classifier = nn.Linear(32 * 2 * 2, 10)

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


def train(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    steps = EPOCHS * -(-len(images) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            loss = nn.functional.cross_entropy(model(shifted(images[batch])), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def shifted(images: torch.Tensor) -> torch.Tensor:
    """The batch moved by at most one pixel in a random direction: 1347 digits alone are few."""
    top, left = torch.randint(0, 3, (2,)).tolist()
    return nn.functional.pad(images, (1, 1, 1, 1))[:, :, top:top + 8, left:left + 8]


if __name__ == "__main__":
    main()
