"""Trains the small sentiment classifier of this folder and writes model.pt2, vocabulary.txt and two sentences beside
this script: praise.npy and complaint.npy (their words' numbers), praise.txt and complaint.txt (the words, a line for each).

    python3 examples/text/train.py [FOLDER]

FOLDER holds vaderSentiment-0.5.zip; without one, pip downloads it. Needs: pip install torch==2.13.0 numpy. Takes a minute or
two on one core and gives the same bytes every time.
"""

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))

try:
    import numpy as np
    import torch
    from torch import nn

    from saving import save_array, without_source_paths, write
except ModuleNotFoundError as missing:
    sys.exit(f"train.py: no Python package {missing.name}; run: pip install torch==2.13.0 numpy")

PACKAGE = "vaderSentiment==0.5"
SDIST = "vaderSentiment-0.5.zip"
DIGEST = "5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a"
DATA = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
FILES = ["movieReviewSnippets", "amazonReviewSnippets"]  # tweets and editorials are left out

CLEAR = 1  # ratings go from -4 to 4; what lies between -CLEAR and CLEAR is neither praise nor complaint
HELD_OUT = 2000
WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[.,!?]")
PAD, UNKNOWN = 0, 1
VOCABULARY = 2000
LONGEST = 64
WIDTH, HEADS, INNER = 32, 4, 64
DROPOUT = 0.3
DROPPED_WORDS = 0.2
EPOCHS = 8
BATCH = 32
LEARNING_RATE = 0.003
REQUIRED_ACCURACY = 0.77
CONFIDENT = 0.95

NEGATIVE, POSITIVE = 0, 1
SENTENCES = {
    "praise": (POSITIVE, "the story is thin , but the actors are wonderful and i loved every minute ."),
    "complaint": (NEGATIVE, "a good idea , but the plot is boring , the jokes are bad and the end is a mess ."),
}


def main() -> None:
    if len(sys.argv) > 2:
        print("usage: train.py [FOLDER]", file=sys.stderr)
        sys.exit(2)
    torch.manual_seed(0)
    torch.set_num_threads(1)  # sums are then always taken in the same order
    torch.use_deterministic_algorithms(True)

    try:
        texts = rated_texts(sdist(sys.argv[1:]))
    except (OSError, RuntimeError) as error:
        sys.exit(f"train.py: {error}")
    texts = [texts[i] for i in torch.randperm(len(texts)).tolist()]
    held_out, texts = texts[:HELD_OUT], texts[HELD_OUT:]
    frequency = Counter(word for words, _ in texts for word in words)
    vocabulary = ["[PAD]", "[UNK]"] + sorted(frequency, key=lambda word: (-frequency[word], word))[:VOCABULARY - 2]
    numbers = {word: number for number, word in enumerate(vocabulary)}

    model = SentimentNet()
    train(model, [(numbered(words, numbers), label) for words, label in texts])

    model.eval()
    right = 0
    with torch.no_grad():
        for words, label in held_out:
            right += int(model(padded([numbered(words, numbers)])).argmax(1).item() == label)
    print(f"{right} of {HELD_OUT} held-out sentences are right: {right / HELD_OUT:.2%}")
    if right / HELD_OUT <= REQUIRED_ACCURACY:
        sys.exit(f"train.py: nothing is written: not over {REQUIRED_ACCURACY:.0%}")

    arrays = {}
    for name, (label, sentence) in SENTENCES.items():
        unknown = [word for word in sentence.split() if word not in numbers]
        arrays[name] = np.array([numbered(sentence.split(), numbers)])
        with torch.no_grad():
            probability = model(torch.from_numpy(arrays[name])).softmax(1)[0, label].item()
        print(f"{name}: {probability:.2%}")
        if unknown or probability <= CONFIDENT:
            sys.exit(f"train.py: nothing is written: {name} is not over {CONFIDENT:.0%}, or has unknown words: {unknown}")

    program = exported(model)
    write(HERE / "model.pt2", program)
    write(HERE / "vocabulary.txt", lines(vocabulary))
    for name, (_, sentence) in SENTENCES.items():
        save_array(arrays[name], HERE / f"{name}.npy")
        write(HERE / f"{name}.txt", lines(sentence.split()))


def sdist(folder: list[str]) -> bytes:
    """The package's source distribution: only read, never installed."""
    if folder:
        data = (Path(folder[0]) / SDIST).read_bytes()
    else:
        with tempfile.TemporaryDirectory() as downloads:
            # pip runs the setup.py of what it downloads, to learn its name: the digest is compared before that.
            wanted = Path(downloads) / "requirements.txt"
            wanted.write_text(f"{PACKAGE} --hash=sha256:{DIGEST}\n")
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "vaderSentiment",
                   "--require-hashes", "--requirement", str(wanted), "--dest", downloads]
            if subprocess.run(pip).returncode != 0:
                raise RuntimeError(f"pip did not download {SDIST}; get it from https://pypi.org/project/vaderSentiment/0.5/, "
                                   "and run train.py with the folder in which it is")
            data = (Path(downloads) / SDIST).read_bytes()
    if hashlib.sha256(data).hexdigest() != DIGEST:
        raise RuntimeError(f"{SDIST} is not the file that PyPI has: its SHA-256 is not {DIGEST}")
    return data


def rated_texts(package: bytes) -> list[tuple[list[str], int]]:
    """Words and label of each text that people clearly found positive or negative, each text once."""
    archive = io.BytesIO(zipfile.ZipFile(io.BytesIO(package)).read(DATA))
    texts = {}
    with tarfile.open(fileobj=archive) as tar:
        for name in FILES:
            rows = tar.extractfile(f"hutto_ICWSM_2014/{name}_GroundTruth.txt").read().decode().splitlines()
            for row in rows:
                _, rating, text = row.split("\t")
                words = tuple(WORD.findall(text.lower())[:LONGEST])
                if words and abs(float(rating)) > CLEAR:
                    texts[words] = POSITIVE if float(rating) > 0 else NEGATIVE
    return [(list(words), label) for words, label in texts.items()]


def numbered(words: list[str], numbers: dict[str, int]) -> list[int]:
    return [numbers.get(word, UNKNOWN) for word in words]


def padded(texts: list[list[int]]) -> torch.Tensor:
    longest = max(len(text) for text in texts)
    return torch.tensor([text + [PAD] * (longest - len(text)) for text in texts])


class SentimentNet(nn.Module):
    """Words' numbers [batch, length] to two logits [batch, 2]: negative, positive."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(LONGEST, WIDTH)
        nn.init.normal_(self.words.weight, std=0.1)
        nn.init.normal_(self.positions.weight, std=0.02)
        self.encoder = nn.TransformerEncoderLayer(WIDTH, HEADS, INNER, DROPOUT, activation="gelu", batch_first=True,
                                                  norm_first=True)
        self.norm = nn.LayerNorm(WIDTH)
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(WIDTH, 2)

    def forward(self, tokens):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.dropout(self.words(tokens) + self.positions(places))
        x = self.norm(self.encoder(x, src_key_padding_mask=tokens == PAD))
        is_word = (tokens != PAD).to(x.dtype).unsqueeze(2)
        mean = (x * is_word).sum(1) / is_word.sum(1)
        return self.classifier(self.dropout(mean))


def train(model: nn.Module, texts: list[tuple[list[int], int]]) -> None:
    weights = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    others = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": weights, "weight_decay": 0.05}, {"params": others, "weight_decay": 0}])
    steps = EPOCHS * -(-len(texts) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(texts)).split(BATCH):
            tokens = padded([texts[i][0] for i in batch.tolist()])
            labels = torch.tensor([texts[i][1] for i in batch.tolist()])
            forgotten = (torch.rand(tokens.shape) < DROPPED_WORDS) & (tokens != PAD)
            loss = nn.functional.cross_entropy(model(tokens.masked_fill(forgotten, UNKNOWN)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def exported(model: nn.Module) -> bytes:
    """The program that torch.export makes of the model, for any number of sentences of any length up to LONGEST."""
    sizes = {"tokens": {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", max=LONGEST)}}
    program = torch.export.export(model, (torch.full((2, 8), UNKNOWN),), dynamic_shapes=sizes)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # the paths of this machine
    saved = io.BytesIO()
    torch.export.save(program, saved)
    return without_source_paths(saved)


def lines(words: list[str]) -> bytes:
    return "".join(word + "\n" for word in words).encode()


if __name__ == "__main__":
    main()
