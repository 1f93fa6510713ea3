"""What is wrong is told: by one exception, with a code, a place and a help, and everything goes on after it."""

import copy
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import torch
from helpers import Skipped, close, need_zennit, network, refused, relevance
from torch import nn

import ascribe
import ascribe.compat.quantus
import ascribe.compat.zennit


def test_an_error_has_code_place_help_and_travels():
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "mine.rule")
        file.write_text("rule mine = epsilom(1)\n\nrule other = gama(2)\n")
        try:
            ascribe.load(file)
        except ascribe.Error as error:
            assert error.code == "A0202" and error.place == (str(file), 1, 13) and str(error.place).endswith(":1:13")
            assert error.help == "did you mean `epsilon`?" and len(error.diagnostics) == 2
            assert "^" in str(error) and error.message in str(error)
            for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
                assert str(other) == str(error) and other.diagnostics == error.diagnostics


def test_names_and_arguments_of_rules():
    with refused("A0202", "epsilon_plus"):
        ascribe.composite("epsilon_pluss")
    with refused("A0202"):
        ascribe.attach("epsilom_plus", nn.Linear(1, 1))
    with refused("A0302", "stabilizr"):
        ascribe.composite("epsilon_plus", stabilizr=1)
    with refused("A0208"):
        ascribe.rule("gamma", gamma="bias")
    with refused("A0208", "dict"):
        ascribe.rule("gamma", gamma={})
    with refused("A0208", "the rules are of the type"):
        ascribe.attach(nn.ReLU(), nn.ReLU())
    with refused("A0705"):
        ascribe.load()
    assert "2" in ascribe.rule("zbox", low=[-1.0, -2.0], high=torch.tensor(3)).description
    assert ascribe.rule("gamma", zero_params=["bias"], epsilon="relative(0.1)")


def test_arguments_of_any_type_are_answered_in_words():
    """By an Error, or taken: never by what binds C++ to Python, nor by what Python does with them further in."""
    model, x = nn.Linear(3, 2).eval(), torch.ones(2, 3)
    strange = [None, 3, 1.5, b"x", object(), [], {}, "a\0b", lambda: 1, torch.ones(2), float("nan"), ["a", 1], {"a": 1}]
    calls = {
        "rules": lambda given: ascribe.attribute(model, given, x),
        "model": lambda given: ascribe.attribute(given, "epsilon", x),
        "inputs": lambda given: ascribe.attribute(model, "epsilon", given),
        "target": lambda given: ascribe.attribute(model, "epsilon", x, given),
        "layers": lambda given: ascribe.attribute(model, "epsilon", x, layers=given),
        "sums": lambda given: ascribe.attach("epsilon", model, sums=given).remove(),
        "create_graph": lambda given: ascribe.attribute(model, "epsilon", x, create_graph=given),
        "progress": lambda given: given if callable(given) else ascribe.attribute(model, "epsilon", x, progress=given),
        "parse": ascribe.parse,
        "load": ascribe.load,
        "test": ascribe.test,
        "saved": ascribe.Model.load,
        "rule": ascribe.rule,
        "composite": ascribe.composite,
        "argument": lambda given: ascribe.composite("epsilon_plus", epsilon=given),
        "picture": ascribe.read_picture,
        "grey": lambda given: ascribe.read_picture("none.png", grey=given),
        "heatmap": ascribe.heatmap,
        "size": lambda given: ascribe.heatmap(torch.ones(1, 1, 2, 2), size=given),
        "layer_map": lambda given: ascribe.compat.zennit.EpsilonPlus(layer_map=given).rules,
        "canonizers": lambda given: ascribe.compat.zennit.EpsilonPlus(canonizers=given).rules,
        "composites": lambda given: ascribe.compat.zennit.MixedComposite(given).rules,
        "explained": lambda given: ascribe.compat.quantus.explain(model, given, [0]),
        "explained for": lambda given: ascribe.compat.quantus.explain(model, x, given),
    }
    for name, call in calls.items():
        for given in strange:
            try:
                call(given)
            except ascribe.Error:
                pass
            except BaseException as other:
                raise AssertionError(f"{name} = {given!r}: {type(other).__name__}: {other}") from other


def test_help_is_in_pythons_words():
    model, x = nn.Linear(3, 2).eval(), torch.ones(2, 3)
    with refused("A0704", "write `ascribe.Target.largest(2)`"):
        ascribe.attribute(model, "epsilon", x, ascribe.Target.largest(3))
    with refused("A0611", "`ascribe.layers(model, inputs)`"):
        ascribe.attribute(model, "epsilon", x, layers=["nowhere"])
    with torch.no_grad(), refused("A0606", "torch.no_grad()"):
        ascribe.attach("epsilon", model)
    with refused("A0208", "ascribe.load('mine.rule')"):
        ascribe.attribute(model, "mine.rule", x)


def test_what_has_ended_is_not_entered_again():
    model, x = network()
    attached = ascribe.attach("zplus", model)
    with attached:
        model(x)
    with refused("A0705", "attach them once more"):
        with attached:
            model(x)


def test_outputs_that_are_no_real_numbers():
    class Gives(nn.Module):
        def __init__(self, what):
            super().__init__()
            self.layer, self.what = nn.Linear(3, 2), what

        def forward(self, x):
            return self.what(self.layer(x))

    for what, kind in ((lambda y: y.argmax(1), "int64"), (lambda y: y > 0, "bool"), (lambda y: y + 1j, "complex64")):
        with refused("A0701", f"the model's output is of {kind}"):
            ascribe.attribute(Gives(what).eval(), "epsilon", torch.ones(2, 3))


def test_models_that_cannot_be_explained():
    model, x = network()
    with refused("A0701", "dict"):
        ascribe.attach("zplus", {})
    with refused("A0701", "attribute takes paths"):
        ascribe.attach("zplus", "model.pt")
    with refused("A0701", "TorchScript", "ascribe.attribute"):
        ascribe.attach("zplus", torch.jit.trace(model, x))
    with torch.device("meta"):
        empty = nn.Linear(3, 2)
    with refused("A0701", "'weight' is on the device `meta`"):
        ascribe.attach("zplus", empty)
    compiled = torch.compile(model, backend="eager")
    inner = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    inner[1].compile(backend="eager")
    for each in (compiled, nn.Sequential(compiled), inner):
        with refused("A0701", "compiled"):
            ascribe.attach("zplus", each)
        with refused("A0701", "compiled"):
            ascribe.attribute(each, "zplus", x)

    class Decorated(nn.Module):
        @torch.compile(backend="eager")
        def forward(self, x):
            return x

    with refused("A0701", "compiled"):
        ascribe.attach("zplus", Decorated())


def test_hooks_of_zennits():
    model, x = network()
    with need_zennit().composites.EpsilonPlus().context(model) as registered:
        with refused("A0701", "has hooks of Zennit's", "composite.remove()"):
            ascribe.attach("zplus", registered)
    relevance("zplus", model, x)


def test_training_mode():
    model, x = network()
    model.train()
    for explain in (lambda: relevance("epsilon_plus", model, x), lambda: ascribe.attribute(model, "epsilon_plus", x)):
        with refused("A0605", "training mode", "eval()"):
            explain()


def test_inputs():
    model, x = network()
    with refused("A0609", "layer '0' (conv2d) cannot run"):
        relevance("epsilon_plus", model, torch.randn(2, 4, 8, 8, dtype=torch.float64))
    with refused("A0609", "layer '0' (conv2d) cannot run"):
        relevance("epsilon_plus", model, x.float())
    with refused("A0604", "without a batch"):
        relevance("epsilon_plus", model, x[0])
    with refused("A0703", "4 channels"):
        ascribe.attribute(model, "epsilon_plus", torch.randn(2, 4, 8, 8))
    with refused("A0703", "torch.from_numpy"):
        ascribe.attribute(model, "epsilon_plus", x.numpy())
    with refused("A0703", "input 1 is of the type int"):
        ascribe.attribute(model, "epsilon_plus", [x, 3])
    with refused("A0703", "dense"):
        ascribe.attribute(model, "epsilon_plus", x.to_sparse())
    with ascribe.attach("epsilon_plus", model):
        y = model(x)  # requires nothing
    with refused("A0603", "requires_grad_"):
        y.sum().backward()


def test_errors_of_the_backward_pass():
    model, x = network()
    leaf = x.clone().requires_grad_()
    with ascribe.attach("epsilon_plus", model):
        y = model(leaf)
    y.sum().backward()
    with refused("A0607", "retain_graph"):
        y.sum().backward()
    with ascribe.attach("alpha_beta", model):
        y = model(leaf)
    with torch.no_grad():
        model[8].weight.mul_(2)
    with refused("A0608", "was changed"):
        y.sum().backward()
    relevance("epsilon_plus", model, x)


def test_refusals_come_from_the_forward_pass():
    model, x = network()
    rules = ascribe.parse("composite mine { max_pool2d => refuse  any => epsilon }").composite("mine")
    with refused("A0602", "max_pool2d"):
        relevance(rules, model, x)
    with refused("A0602", "max_pool2d"):
        ascribe.attribute(model, rules, x)
    with refused("A0610", "no layer of the model"):
        ascribe.attribute(model, ascribe.parse("composite mine { softmax => norm }").composite("mine"), x)


def test_an_error_that_the_model_catches_is_no_error():
    class Careful(nn.Module):
        def __init__(self):
            super().__init__()
            self.wrong, self.right = nn.Linear(4, 2), nn.Linear(3, 2)

        def forward(self, x):
            try:
                return self.wrong(x)
            except (ascribe.Error, RuntimeError):
                return self.right(x)

    found = ascribe.attribute(Careful(), "epsilon", torch.randn(1, 3))
    assert [row.name for row in found.report][-1] == "right"


def test_an_interruption_ends_the_work():
    model = nn.Sequential(*[nn.Linear(900, 900) for _ in range(60)])
    x = torch.randn(900, 900, requires_grad=True)
    saved = ascribe.Model.load(saved_in_a_file(model, x.detach()))
    with ascribe.attach("zplus", model):
        y = model(x)
    works = {
        "attached": lambda: torch.autograd.grad(y.sum(), x, retain_graph=True),
        "attributed": lambda: ascribe.attribute(model, "zplus", x),
        "saved": lambda: ascribe.attribute(saved, "zplus", x),
    }
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for name, work in works.items():
            timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
            timer.start()
            try:
                for _ in range(100):
                    work()
                raise AssertionError(f"{name} went on")
            except KeyboardInterrupt:
                pass
            timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    close(relevance("epsilon", model[:2], x[:1])[0], relevance("epsilon", model[:2], x[:1])[0])


def saved_in_a_file(model, x):
    file = Path(tempfile.mkdtemp(), "model.pt")
    torch.jit.trace(model, x[:1]).save(file)
    return file


def test_another_pytorch_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "torch").mkdir()
        Path(folder, "torch/__init__.py").write_text("__version__ = '2.9.1+cpu'\n")
        place = str(Path(ascribe.__file__).resolve().parents[1])
        package = Path(folder, "ascribe")
        package.mkdir()
        for file in Path(ascribe.__file__).parent.iterdir():
            if file.suffix == ".py":
                (package / file.name).write_bytes(file.read_bytes())
        for torch_version, part in (("2.9.1+cpu", "was built for PyTorch 2.1"), (None, "needs PyTorch")):
            if torch_version is None:
                Path(folder, "torch/__init__.py").write_text("raise ImportError('there is none')\n")
            done = subprocess.run(
                [sys.executable, "-c", "import ascribe"],
                cwd=folder,
                capture_output=True,
                text=True,
                env=os.environ | {"PYTHONPATH": folder},
            )
            assert done.returncode == 1 and part in done.stderr and "pip install 'torch==2.1" in done.stderr, done.stderr
        assert place


def test_the_end_of_the_process_is_quiet():
    text = (
        "import torch, ascribe\nm = torch.nn.Linear(3, 2)\nx = torch.ones(1, 3, requires_grad=True)\n"
        "a = ascribe.attach('epsilon', m)\ny = m(x)\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_modules_that_are_scripted_or_quantised():
    scripted = nn.Sequential(nn.Linear(3, 3), torch.jit.script(nn.Sequential(nn.Linear(3, 3), nn.ReLU())))
    with refused("A0701", "module '1'", "TorchScript"):
        ascribe.attach("zplus", scripted)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quantised = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 3)), {nn.Linear})
            quantised(torch.randn(1, 3))
    except (AttributeError, ImportError, RuntimeError, NotImplementedError) as missing:
        raise Skipped(f"this PyTorch does not quantise: {missing}")
    with refused("A0701", "no derivative", "before it was quantised"):
        relevance("epsilon", quantised, torch.randn(1, 3))
    with refused("A0701", "no derivative", "before it was quantised"):
        ascribe.attribute(quantised, "epsilon", torch.randn(1, 3))


def test_rules_are_copied_as_they_are_and_not_pickled():
    rules = ascribe.rule("epsilon")
    assert copy.copy(rules) is rules and copy.deepcopy({"rules": rules})["rules"] is rules
    with refused("A0705", "cannot be pickled"):
        pickle.dumps(rules)


def test_pictures_are_read_from_files_and_from_bytes_alike():
    content = ascribe.heatmap(torch.rand(1, 1, 8, 8), format="png", size=300)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.png")
        path.write_bytes(content)
        for options in ({}, {"imagenet": True}, {"resize": 64, "crop": [32, 48], "grey": True, "mean": 0.5, "deviation": [0.2]}):
            assert torch.equal(ascribe.read_picture(path, **options), ascribe.read_picture(content, **options))
        assert ascribe.read_picture(path, imagenet=True).shape == (1, 3, 224, 224)
        with refused("A0001", "none.png"):
            ascribe.read_picture(Path(folder, "none.png"))
    with refused("A0702", "row 3"):
        ascribe.read_picture(b"no picture", name="row 3")
    for wrong in ({"resize": "64"}, {"crop": 1.5}, {"mean": ["a"]}):
        with refused("A0705", f"`{next(iter(wrong))}`"):
            ascribe.read_picture(content, **wrong)
