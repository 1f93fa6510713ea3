"""Attributions in one call: of modules, of saved models, of what one of them becomes."""

import copy
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
from helpers import ROOT, close, network, refused
from torch import nn

import ascribe

DIGITS = ROOT / "examples/digits"


def test_a_module_a_traced_one_a_program_and_their_files_are_the_same():
    model, x = network()
    expected = ascribe.attribute(model, "epsilon_plus", x, 3)
    traced = torch.jit.trace(model, x)
    program = torch.export.export(model, (x,))
    with tempfile.TemporaryDirectory() as folder:
        traced.save(f"{folder}/model.pt")
        torch.export.save(program, f"{folder}/model.pt2")
        for each in (
            traced,
            program,
            f"{folder}/model.pt",
            Path(folder) / "model.pt2",
            ascribe.Model.load(f"{folder}/model.pt2"),
        ):
            found = ascribe.attribute(each, "epsilon_plus", x, 3)
            close(found.relevance, expected.relevance)
            close(found.output, expected.output)
            assert [(row.name, row.kind, row.rule) for row in found.report] == [
                (row.name, row.kind, row.rule) for row in expected.report
            ]


def test_targets():
    model, x = network()
    y = model(x).detach()

    def start(target):
        return ascribe.attribute(model, "epsilon_plus", x, target).start

    only = lambda column: torch.where(torch.arange(5) == column, y, torch.zeros_like(y))
    close(start(3), only(3))
    close(start([1, 3]), only(1) + only(3))
    close(start(torch.tensor(3)), only(3))
    each = torch.tensor([4, 0])
    close(start(each), torch.where(torch.arange(5) == each[:, None], y, torch.zeros_like(y)))
    close(start(None), torch.where(y == y.max(1, keepdim=True).values, y, torch.zeros_like(y)))
    close(start(ascribe.Target(3).from_one()), torch.eye(5, dtype=y.dtype)[3].expand(2, 5))
    close(start(ascribe.Target(3).against(1)), only(3) - only(1))
    close(start(ascribe.Target.named(["c"], list("abcde"))), only(2))
    close(start(torch.ones_like(y)), torch.ones_like(y))
    for wrong in ("3", 1.5, {}, True):
        with refused("A0704", "the target is of the type"):
            ascribe.attribute(model, "epsilon_plus", x, wrong)


def test_inputs_by_name_and_several_outputs():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.last = nn.Embedding(10, 4), nn.Linear(4, 3)

        def forward(self, ids=None, mask=None):
            hidden = self.embed(ids) * mask[..., None]
            return {"logits": self.last(hidden.sum(1)), "hidden": hidden}

    model = Net().eval()
    ids, mask = torch.tensor([[1, 2, 3]]), torch.ones(1, 3)
    found = ascribe.attribute(model, "epsilon", {"mask": mask, "ids": ids}, ascribe.Target(1).of_output(0), sum_embeddings=True)
    assert found.relevances[1].shape == ids.shape and found.output.shape == (1, 3)
    with refused("A0704"):
        ascribe.attribute(model, "epsilon", {"mask": mask, "ids": ids}, 1)


class Around(nn.Module):
    """A model whose forward is a function of another one."""

    def __init__(self, inner, function):
        super().__init__()
        self.inner, self.function = inner, function

    def forward(self, x):
        return self.function(self.inner, x)


@dataclass
class Answer:
    logits: torch.Tensor
    loss: object = None


def test_outputs_in_a_dataclass():
    model, x = network()
    answering = Around(model, lambda inner, x: Answer(inner(x)))
    close(ascribe.attribute(answering, "epsilon_plus", x, 3).relevance, ascribe.attribute(model, "epsilon_plus", x, 3).relevance)


def test_forwards_without_gradients_and_inputs_without_numbers_are_told():
    model, x = network()
    with refused("A0701", "the model computes layer 'inner.0' ("):
        ascribe.attribute(Around(model, torch.no_grad()(lambda inner, x: inner(x))), "epsilon_plus", x)
    with refused("A0703", "input 0 is on the device `meta`"):
        ascribe.attribute(model, "epsilon_plus", x.to("meta"))


def test_fast_paths_of_attention_are_what_the_module_is():
    torch.manual_seed(3)
    x, padding = torch.randn(2, 5, 8).double(), torch.zeros(2, 5, dtype=torch.bool)
    padding[0, 3:] = True
    attention = nn.MultiheadAttention(8, 2, batch_first=True).double()
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True, activation="gelu").double()
    for mask in (None, padding):
        ways = {
            "_native_multi_head_attention": [
                Around(attention, lambda inner, x, wanted=wanted: inner(x, x, x, key_padding_mask=mask, need_weights=wanted)[0])
                for wanted in (False, True)
            ],
            "_transformer_encoder_layer_fwd": [Around(encoder, lambda inner, x: inner(x, src_key_padding_mask=mask))],
        }
        for operator, models in ways.items():
            for model in models:
                model.eval()
                with torch.no_grad():
                    fast = torch.jit.trace(model, x)
                assert operator in str(fast.inlined_graph)
                for rules in ("epsilon_plus", "attn_lrp", "cp_lrp"):
                    target = ascribe.Target.all()
                    close(
                        ascribe.attribute(fast, rules, x, target).relevance,
                        ascribe.attribute(model, rules, x, target).relevance,
                        within=1e-10,
                    )


def test_parameters_that_an_optimizer_wrote_into_behind_autograds_back():
    model, x = network()
    before = ascribe.attribute(model, "epsilon_plus", x, 3)
    for parameter in model.parameters():
        parameter.data.mul_(torch.rand_like(parameter))  # moves no version
    found = ascribe.attribute(model, "epsilon_plus", x, 3)
    close(found.relevance, ascribe.attribute(copy.deepcopy(model), "epsilon_plus", x, 3).relevance)
    assert not torch.allclose(found.relevance, before.relevance)


def test_inner_layers_and_profiles():
    model, x = network()
    found = ascribe.attribute(model, "epsilon_plus", x, layers=["4.*"], profile=True)
    assert sorted(found.layers) == ["4.act", "4.first", "4.second"] and found.layers["4.act"][0].shape == (2, 6, 4, 4)
    assert all(layer.cost.forward_seconds > 0 for layer in found.report if layer.kind == "conv2d")
    assert ascribe.attribute(model, "epsilon_plus", x, layers=["5"], to_input=False).relevance is None
    with refused("A0611", "4.firts", "did you mean"):
        ascribe.attribute(model, "epsilon_plus", x, layers=["4.firts"])


def test_works_where_gradients_are_disabled_and_leaves_inputs_alone():
    model, x = network()
    before = x.clone()
    with torch.no_grad():
        found = ascribe.attribute(model, "epsilon_plus", x)
    assert torch.equal(x, before) and not x.requires_grad and not found.relevance.requires_grad
    close(found.relevance, ascribe.attribute(model, "epsilon_plus", x).relevance)


def test_progress_and_what_it_raises():
    model, x = network()
    seen = []
    ascribe.attribute(model, "epsilon_plus", x, progress=lambda *each: seen.append(each))
    assert seen[0][:3] == ("forward", "0", "conv2d") and seen[-1][0] == "backward" and seen[-1][4] == 11

    class Enough(BaseException):
        pass

    def stop(*each):
        raise Enough

    for exception in (Enough, ValueError):

        def stop(*each):
            raise exception("enough")

        try:
            ascribe.attribute(model, "epsilon_plus", x, progress=stop)
            raise AssertionError("it went on")
        except exception:
            pass
    close(ascribe.attribute(model, "epsilon_plus", x).relevance, ascribe.attribute(model, "epsilon_plus", x).relevance)


def test_gradients_of_an_attribution():
    model, x = network()
    leaf = x.clone().requires_grad_()
    found = ascribe.attribute(model, "epsilon", leaf, 3, create_graph=True)
    (gradient,) = torch.autograd.grad(found.relevance.pow(2).sum(), leaf)
    assert gradient.shape == x.shape and gradient.abs().sum() > 0
    with refused("A0703", "no input requires a gradient"):
        ascribe.attribute(model, "epsilon", x, 3, create_graph=True)


def test_saved_models_run():
    model = ascribe.Model.load(DIGITS / "model.pt")
    x = torch.from_numpy(numpy.load(DIGITS / "three.npy"))
    assert model(x).argmax() == 3
    assert ascribe.attribute(model, "epsilon_plus", x).relevance.shape == x.shape
    assert [layer.rule for layer in ascribe.layers(model, x)].count("gradient") == len(ascribe.layers(model, x))


def test_heatmaps():
    model, x = network()
    found = ascribe.attribute(model, "epsilon_plus", x).relevance
    picture = ascribe.heatmap(found)
    assert picture.dtype == numpy.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    assert numpy.array_equal(ascribe.heatmap(found.numpy()), picture)
    assert ascribe.heatmap(found, format="png", colour_map="coldnhot", range="symmetric")[:8] == b"\x89PNG\r\n\x1a\n"
    assert ascribe.heatmap(found, format="svg", captions=["one", "two"], title="both").startswith("<svg")
    assert ascribe.heatmap(found, original=torch.rand(2, 3, 8, 8), beside=True).shape != picture.shape
    assert "bwr" in ascribe.colour_maps()
    for options, code, part in (
        ({"colour_map": "bwrr"}, "A0705", "did you mean"),
        ({"format": "gif"}, "A0705", "png"),
        ({"range": "all"}, "A0705", "symmetric"),
        ({"clip": "much"}, "A0705", "clip"),
        ({"colour_mop": "bwr"}, "A0705", "did you mean `colour_map`"),
    ):
        with refused(code, part):
            ascribe.heatmap(found, **options)
    with refused("A0702", "no tensor"):
        ascribe.heatmap([1, 2])


def test_notebooks_show_what_was_found():
    model, x = network()
    found = ascribe.attribute(model, "epsilon_plus", x)
    shown = found._repr_html_()
    assert "data:image/png;base64," in shown and "<details>" in shown and shown.count("<tr>") == 12
    assert repr(found).startswith("<ascribe.Attribution: relevance ") and "11 layers" in repr(found)
    plain = ascribe.attribute(nn.Linear(3, 2), "epsilon", torch.randn(1, 3))
    assert "strip" not in plain._repr_html_() and "data:image" in plain._repr_html_()


def test_large_results_go_without_the_interpreters_lock():
    import threading
    import time

    model = nn.Sequential(*[nn.Linear(300, 300) for _ in range(40)])
    x, counted, over = torch.randn(200, 300), [0], threading.Event()

    def count():
        while not over.is_set():
            counted[0] += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=count)
    thread.start()
    began = time.perf_counter()
    while time.perf_counter() - began < 0.3:
        ascribe.attribute(model, "epsilon", x)
    over.set()
    thread.join()
    assert counted[0] > 20, counted


class Tripled(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.exp()

    @staticmethod
    def backward(context, above):
        return 3 * above


class Wrapped(torch.nn.Module):
    def forward(self, x):
        return Tripled.apply(x)


def test_a_function_with_a_derivative_of_its_own_is_warned_of():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), Wrapped(), torch.nn.Linear(4, 2)).eval()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        (warning,) = ascribe.attribute(model, "epsilon_plus", torch.ones(2, 3)).warnings
    assert warning.code == "A0506" and "'Tripled'" in warning.message
    assert [str(each.message) for each in told] == [f"ascribe: {warning}"] and told[0].filename == __file__
    rules = ascribe.parse('composite mine { module "1" => pass; linear => std.epsilon }').composite("mine")
    assert not ascribe.attribute(model, rules, torch.ones(2, 3)).warnings


def test_indices_are_numbers_of_anybodys_and_nothing_else():
    model, x = network()

    def start(target):
        return ascribe.attribute(model, "epsilon_plus", x, target).start

    for same in (numpy.int64(1), torch.tensor(1), ascribe.Target(numpy.int64(1)), ascribe.Target(torch.tensor(1)), [1], range(1, 2)):
        close(start(same), start(1))
    close(start(numpy.array([3, 1])), start(torch.tensor([3, 1])))
    for wrong in (True, [True, False], torch.tensor([True, False]), numpy.array([True, False]), "cat", ["cat"], 10**30, 1.5, numpy.bool_(True)):
        with refused("A0704", "the target is of the type"):
            start(wrong)
    for wrong in (lambda: ascribe.Target("cat"), lambda: ascribe.Target.largest("a"), lambda: ascribe.Target.of([1.0]), lambda: ascribe.Target(1).of_output(-1)):
        with refused("A0704"):
            wrong()
    with refused("A0705", "`layers`"):
        ascribe.attribute(model, "epsilon_plus", x, layers=[0])
    with refused("A0705", "`progress`"):
        ascribe.attribute(model, "epsilon_plus", x, progress=3)


def test_torchscript_in_training_mode_is_refused_as_modules_are():
    model, x = network(dtype=torch.float32)
    scripted = torch.jit.script(model.train())
    with refused("A0605", "training mode"):
        ascribe.attribute(scripted, "epsilon_plus", x)
    assert ascribe.attribute(scripted.eval(), "epsilon_plus", x).relevance is not None
