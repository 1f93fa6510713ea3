"""What is written about the module is true."""

import contextlib
import inspect
import io
import os
import re
import subprocess
import sys
import tempfile

import torch
from helpers import ROOT, Skipped, need_zennit

import ascribe
from ascribe import _core


def test_the_example_of_the_readme():
    text = re.search(r"```python file explain.py\n(.*?)```", (ROOT / "README.md").read_text(), re.S).group(1)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", text + "assert picture.shape[2] == 3\n"],
            cwd=folder,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(ascribe.__file__))},
        )
    assert done.returncode == 0 and done.stdout.splitlines()[1].split()[:2] == ["0", "conv2d"], done.stdout + done.stderr


def listing(name):
    return re.search(rf"```python file {name}\n(.*?)```", (ROOT / "README.md").read_text(), re.S).group(1)


def in_a_new_folder(text):
    with tempfile.TemporaryDirectory() as folder:
        before = os.getcwd()
        os.chdir(folder)
        try:
            with open("cat.jpg", "wb") as file:  # by its content
                file.write(ascribe.heatmap(torch.rand(1, 1, 8, 8), format="png", size=320))
            scope = {}
            exec(text, scope)
            return scope
        finally:
            os.chdir(before)


def test_the_readmes_picture_network():
    need_zennit()  # lets torchvision in
    import torchvision

    assert torchvision
    found = in_a_new_folder(listing("resnet.py").replace('weights="DEFAULT"', ""))["found"]
    assert found.relevance.shape == (1, 3, 224, 224) and not found.warnings
    assert abs(found.relevance.sum() / found.start.sum() - 1) < 0.2 and len(found.report) > 100


def test_the_readmes_text_network():
    try:
        import tokenizers
        import transformers
    except ImportError as missing:
        raise Skipped(f"there is no {missing.name}") from None
    torch.manual_seed(0)
    vocabulary = {word: i for i, word in enumerate("[PAD] [UNK] [CLS] [SEP] a film of great charm".split())}
    with tempfile.TemporaryDirectory() as name:
        config = transformers.BertConfig(
            vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
        )
        transformers.BertForSequenceClassification(config).save_pretrained(name)
        own = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
        own.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        transformers.PreTrainedTokenizerFast(tokenizer_object=own, unk_token="[UNK]").save_pretrained(name)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            found = in_a_new_folder(listing("bert.py").replace("textattack/bert-base-uncased-SST-2", name))["found"]
    assert found.relevance.shape == (1, 5) and not found.warnings, found.warnings
    assert [line.split()[1] for line in printed.getvalue().splitlines()] == "a film of great charm".split()


def test_everything_public_is_documented_and_named():
    for name in ascribe.__all__:
        value = getattr(ascribe, name)
        assert (value.__doc__ or "").strip(), name
        assert callable(value), name
        for member, each in vars(value).items() if inspect.isclass(value) else ():
            if not member.startswith("_") and inspect.isfunction(each):
                assert each.__doc__, f"{name}.{member}"


def test_the_stub_names_what_the_extension_has():
    stub = (ROOT / "interpreter/python/ascribe/_core.pyi").read_text()
    named = set(re.findall(r"^(?:def|class) (\w+)", stub, re.M)) | {"version", "Error"}
    assert named == {name for name in dir(_core) if not name.startswith("_")}
    for name, body in re.findall(r"^class (\w+):\n((?:    .*\n|\n)+)", stub, re.M):
        members = set(re.findall(r"^    def (\w+)|^    (__members__)", body, re.M))
        for member in (each or other for each, other in members):
            assert hasattr(getattr(_core, name), member), f"{name}.{member}"
        own = {each for each in vars(getattr(_core, name)) if not each.startswith("_")}
        assert name == "ColourRange" or own <= {each for each, _ in members}, (name, own)
