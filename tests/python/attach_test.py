"""Rules on modules of PyTorch's: what they give, and what they leave behind, which is nothing."""

import copy
import gc
import inspect
import pickle
import threading
import warnings
import weakref

import torch
import torch._dynamo.testing
from helpers import Block, close, network, refused, relevance
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint

import ascribe


def on_thread(run):
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def test_relevance_is_that_of_the_formula():
    model = nn.Linear(3, 2, bias=False).double()
    x = torch.tensor([[1.0, -2.0, 3.0]], dtype=torch.float64)
    found, _ = relevance(ascribe.rule("epsilon", epsilon=0.25), model, x, torch.tensor([[0.0, 1.0]], dtype=torch.float64))
    y = model(x)[0, 1].item()
    close(found, x * model.weight[1] / (y + (0.25 if y >= 0 else -0.25)))


def test_rows_have_names_kinds_rules_and_sums_that_add_up():
    model, x = network()
    _, attached = relevance("epsilon_plus", model, x)
    report = attached.report
    assert [layer.name for layer in report] == ["0", "1", "2", "3", "4.first", "4.act", "4.second", "4", "4", "5", "8"]
    assert [layer.kind for layer in report][:4] == ["conv2d", "batch_norm", "relu", "max_pool2d"]
    assert report[0].rule.startswith("zplus") and report[0].entry and report[-1].shape == (2, 5)
    for layer in report:
        if layer.above is not None and layer.below is not None:
            close(
                torch.tensor(layer.above), torch.tensor(layer.below + (layer.bias or 0) + (layer.stabilizer or 0) + layer.rest)
            )


def test_a_report_without_sums_has_none():
    model, x = network()
    _, attached = relevance("epsilon_plus", model, x, sums=False)
    assert all(layer.above is None and layer.rest is None for layer in attached.report)
    assert len(attached.report) == 11


def test_attached_or_attributed_is_the_same():
    model, x = network()
    for rules in ("epsilon_plus", "epsilon_gamma_box(low = -3, high = 3)", "epsilon_alpha2_beta1_flat"):
        start = model(x).detach()
        once, _ = relevance(rules, model, x, start)
        found = ascribe.attribute(model, rules, x, ascribe.Target.all())
        close(found.relevance, once)
        close(found.start, start)


def test_nothing_is_left_of_it():
    model, x = network()
    state, call = copy.deepcopy(model.state_dict()), nn.Module.__call__
    before = {name: set(vars(module)) for name, module in model.named_modules()}
    plain = model(x)
    for ends in ("well", "badly"):
        try:
            with ascribe.attach("epsilon_plus", model):
                assert nn.Module.__call__ is not call
                assert inspect.signature(nn.Module.__call__) == inspect.signature(call)
                assert nn.Module.__call__.__name__ == call.__name__ == model.__call__.__name__
                model(x.clone().requires_grad_())
                if ends == "badly":
                    raise KeyError("a mistake of the user's")
        except KeyError:
            assert ends == "badly"
        assert nn.Module.__call__ is call
        assert before == {name: set(vars(module)) for name, module in model.named_modules()}
        assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())
        assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
        assert torch.equal(model(x), plain) and all(each.grad is None for each in model.parameters())


def test_what_is_attached_and_dropped_is_gone():
    model, x = network()
    call = nn.Module.__call__
    ascribe.attach("epsilon_plus", model)
    gc.collect()
    assert nn.Module.__call__ is call
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf).sum(), leaf)
    found, _ = relevance("epsilon_plus", model, x)
    assert not torch.allclose(gradient, found)


def test_a_model_that_holds_what_is_attached_to_it_is_freed_with_it():
    model, x = network()
    call, gone = nn.Module.__call__, weakref.ref(model)
    model.attached = ascribe.attach("epsilon_plus", model)
    model(x)
    del model
    gc.collect()
    assert gone() is None and nn.Module.__call__ is call


def test_what_is_attached_is_neither_copied_nor_pickled():
    model, _ = network()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing is called
        with ascribe.attach("epsilon_plus", model) as attached:
            for take in (copy.copy, copy.deepcopy, pickle.dumps):
                try:
                    take(attached)
                    raise AssertionError("it was taken")
                except TypeError as error:
                    assert "neither copied nor pickled" in str(error)


def test_a_model_is_not_kept_alive():
    model, x = network()
    gone = weakref.ref(model)
    _, attached = relevance("epsilon_plus", model, x)
    del model
    gc.collect()
    assert gone() is None and len(attached.report) == 11


def test_parameters_get_no_gradient():
    model, x = network()
    leaf = x.clone().requires_grad_()
    with ascribe.attach("epsilon_plus", model):
        y = model(leaf)
    y.sum().backward()
    assert leaf.grad is not None and all(each.grad is None for each in model.parameters())


def test_several_attachments_and_any_order_of_their_ends():
    model, x = network()
    first = ascribe.attach("epsilon_plus", model)
    second = ascribe.attach("zplus", model)
    leaf = x.clone().requires_grad_()
    y = model(leaf)
    first.remove()
    first.remove()
    z = model(leaf)
    second.remove()
    close(torch.autograd.grad(y.sum(), leaf)[0], relevance("zplus", model, x)[0])
    close(torch.autograd.grad(z.sum(), leaf)[0], relevance("zplus", model, x)[0])
    assert len(first.report) == 0 and [layer.name for layer in second.report].count("4.act") == 2


def test_the_backward_pass_may_run_within():
    model, x = network()
    leaf = x.clone().requires_grad_()
    with ascribe.attach("epsilon_plus", model) as attached:
        (within,) = torch.autograd.grad(model(leaf).sum(), leaf)
        assert attached.report[-1].above is not None
    close(within, relevance("epsilon_plus", model, x)[0])


def test_gradients_of_relevance():
    model, x = network()
    leaf = x.clone().requires_grad_()
    with ascribe.attach("epsilon", model) as attached:
        y = model(leaf)
    (found,) = torch.autograd.grad(y, leaf, torch.ones_like(y), create_graph=True)
    with attached.inactive():
        (second,) = torch.autograd.grad(found.pow(2).sum(), leaf)
    step = 1e-6
    direction = torch.randn_like(x)
    ahead, _ = relevance("epsilon", model, x + step * direction)
    behind, _ = relevance("epsilon", model, x - step * direction)
    close((second * direction).sum(), (ahead.pow(2).sum() - behind.pow(2).sum()) / (2 * step), 1e-5)


def test_functions_in_a_module_have_its_name():
    model, x = network()
    rules = ascribe.parse('composite mine { add "4" => norm  relu "4*" => pass  any => epsilon }').composite("mine")
    _, attached = relevance(rules, model, x)
    assert [(layer.kind, layer.rule.split("(")[0]) for layer in attached.report if layer.name == "4"] == [
        ("add", "norm"),
        ("relu", "pass"),
    ]


def test_a_module_that_is_called_twice_has_two_rows():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.act = nn.Linear(4, 4), nn.ReLU()

        def forward(self, x):
            return self.act(self.layer(self.act(self.layer(x))))

    _, attached = relevance("epsilon", Twice(), torch.randn(1, 4))
    assert [layer.name for layer in attached.report] == ["layer", "act", "layer", "act"]


def test_threads_attach_to_one_model():
    model, x = network()
    expected = {rules: relevance(rules, model, x)[0] for rules in ("epsilon_plus", "zplus", "epsilon_alpha2_beta1")}
    leaf = x.clone().requires_grad_()
    (expected[None],) = torch.autograd.grad(model(leaf).sum(), leaf)
    failures = []

    def work(rules):
        try:
            for _ in range(20):
                if rules is None:
                    own = x.clone().requires_grad_()
                    close(torch.autograd.grad(model(own).sum(), own)[0], expected[None])
                else:
                    found, attached = relevance(rules, model, x)
                    close(found, expected[rules])
                    assert len(attached.report) == 11, attached.report
        except BaseException as failure:
            failures.append(failure)

    call = nn.Module.__call__
    threads = [threading.Thread(target=work, args=(rules,)) for rules in expected]
    [each.start() for each in threads]
    [each.join() for each in threads]
    assert not failures, failures
    assert nn.Module.__call__ is call


def test_another_thread_may_end_it():
    model, x = network()
    attached = ascribe.attach("zplus", model)
    thread = threading.Thread(target=attached.remove)
    thread.start()
    thread.join()
    leaf = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(model(leaf).sum(), leaf)
    again = x.clone().requires_grad_()
    close(found, torch.autograd.grad(model(again).sum(), again)[0])
    relevance("zplus", model, x)


def test_a_new_thread_backward():
    model, x = network()
    leaf = x.clone().requires_grad_()
    with ascribe.attach("epsilon_plus", model):
        y = model(leaf)
    found = []
    thread = threading.Thread(target=lambda: found.append(torch.autograd.grad(y.sum(), leaf)[0]))
    thread.start()
    thread.join()
    close(found[0], relevance("epsilon_plus", model, x)[0])


def test_residual_blocks_that_write_in_place():
    torch.manual_seed(3)
    model = Block(4).double().eval()
    x = torch.randn(1, 4, 5, 5, dtype=torch.float64)
    outer = nn.Sequential(nn.Conv2d(4, 4, 1).double(), model)
    found, attached = relevance("epsilon_plus", outer, x)
    close(found, ascribe.attribute(outer, "epsilon_plus", x, torch.ones_like(outer(x))).relevance)


def test_tables_for_people():
    model, x = network()
    report = relevance("epsilon_plus", model, x)[1].report
    lines = repr(report).splitlines()
    assert lines[0].split()[:4] == ["name", "kind", "shape", "rule"] and len(lines) == 12
    assert report._repr_html_().count("<tr>") == 12 and report[-1].name == "8" and len(report[2:4]) == 2
    try:
        import pandas  # noqa: F401
    except ImportError:
        try:
            report.to_pandas()
            raise AssertionError("there is no pandas, and nothing was said")
        except ImportError as missing:
            assert "pip install pandas" in str(missing)
    else:
        assert list(report.to_pandas().name) == [layer.name for layer in report]


def test_what_would_be_computed_once_more_in_the_backward_pass_has_its_rules():
    model, x = network()
    expected, _ = relevance("epsilon_plus", model, x)

    class Checkpointed(nn.Module):
        def __init__(self, reentrant):
            super().__init__()
            self.inner, self.reentrant = model, reentrant

        def forward(self, x):
            return checkpoint(self.inner, x, use_reentrant=self.reentrant)

    for reentrant in (True, False):
        outer = Checkpointed(reentrant)
        found, attached = relevance("epsilon_plus", outer, x)
        close(found, expected)
        assert attached.report[0].name == "inner.0"
        leaf = x.clone().requires_grad_()
        outer(leaf).sum().backward()  # without rules, it is as it was
        assert "Checkpoint" in type(outer(leaf).grad_fn).__name__ or not reentrant


def test_functions_that_were_compiled_have_their_rules():
    model, x = network()
    expected, _ = relevance("epsilon_plus", model, x)
    counter = torch._dynamo.testing.CompileCounter()
    compiled = torch.compile(lambda x: model(x), backend=counter)
    compiled(x)
    leaf = x.clone().requires_grad_()
    with ascribe.attach("epsilon_plus", model):
        y = compiled(leaf)
    close(torch.autograd.grad(y, leaf, torch.ones_like(y))[0], expected)
    count = counter.frame_count
    with ascribe.attach("epsilon_plus", model):
        model(x)
        on_thread(lambda: torch.compile(lambda x: x * 3, backend=counter)(x))  # which has no rules
    assert counter.frame_count == count + 1
    torch.compile(lambda x: x * 2, backend=counter)(x)
    assert counter.frame_count == count + 2  # compiles again


def test_transforms_of_functions_are_refused_by_name():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    x = torch.randn(2, 3, dtype=torch.float64).requires_grad_()
    with ascribe.attach("epsilon_plus", model):
        def forward_derivative(x):
            with forward_ad.dual_level():
                return model(forward_ad.make_dual(x, torch.ones_like(x)))

        for transformed in (
            torch.func.grad(lambda x: model(x).sum()),
            torch.func.vmap(lambda x: model(x[None])[0]),
            forward_derivative,
        ):
            with refused("A0701", "layer '0' (linear) is called by one of torch.func's transforms"):
                transformed(x)
        masks = torch.func.vmap(lambda row: row > 0)(torch.ones(2, 3))  # nothing of a layer, as in masks of transformers
        y = model(x)
        assert masks.all() and y.requires_grad
    with refused("A0701", "layer '2' (linear): relevance comes as many starts in one"):
        torch.autograd.grad(y, x, torch.ones(3, 2, 2, dtype=torch.float64), is_grads_batched=True)


def test_tensors_without_numbers_are_refused_whatever_layer_they_come_to():
    x = torch.randn(2, 4)
    for layer in (nn.BatchNorm1d(4), nn.Linear(4, 4), nn.ReLU(), nn.Softmax(-1)):
        model = nn.Sequential(layer).eval()
        with ascribe.attach("epsilon_plus", model):
            with refused("A0701", "a tensor without numbers"):
                torch.export.export(model, (x,))
            with FakeTensorMode(allow_non_fake_inputs=True), refused("A0701", "layer '0' (", "a tensor without numbers"):
                model(torch.randn(2, 4, requires_grad=True))
            assert model(x.clone().requires_grad_()).requires_grad


def test_a_with_in_which_nothing_was_called_is_warned_of():
    model, x = network()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with ascribe.attach("zplus", model):
            model(x)
        assert not told
        with ascribe.attach("zplus", model):
            pass
    assert len(told) == 1 and "nothing of the model was called" in str(told[0].message) and told[0].filename == __file__


class Tripled(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.exp()

    @staticmethod
    def backward(context, above):
        return 3 * above


class WithFunction(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.last(Tripled.apply(self.first(x)))


def test_the_end_of_the_with_tells_what_is_hardly_meant():
    def told_of(rules, model, x):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            with ascribe.attach(ascribe.parse(f"composite mine {{ {rules} }}").composite("mine"), model) as attached:
                model(x.clone().requires_grad_())
            assert [str(each.message) for each in told] == [f"ascribe: {each}" for each in attached.warnings]
            assert all(each.filename == __file__ for each in told)
        return [each.code for each in attached.warnings]

    model, x = network()
    assert told_of("any => std.epsilon", model, x) == []
    assert told_of('linear "nowhere" => std.zplus; any => std.epsilon', model, x) == ["A0505"]
    assert told_of('module "nowhere" => std.pass; any => std.epsilon', model, x) == ["A0505"]
    assert told_of("softmax => std.pass", model, x) == ["A0610"]
    own = WithFunction().eval()
    assert told_of("linear => std.epsilon", own, torch.ones(2, 3)) == ["A0506"]
    with own.first.register_full_backward_hook(lambda *_: None):
        assert "'Tripled' (" in str(ascribe.attribute(own, "epsilon", torch.ones(2, 3)).warnings[0])


def test_a_warning_that_is_made_an_error_ends_the_attachment():
    model, x = network()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            with ascribe.attach("zplus", model):
                pass
            raise AssertionError("nothing was raised")
        except UserWarning:
            pass
    x = x.clone().requires_grad_()
    assert model(x).grad_fn.name() == "AddmmBackward0"


def test_what_is_not_finite_is_told_once_relevance_has_passed():
    model = nn.Linear(3, 2, bias=False)
    x = torch.zeros(1, 3, requires_grad=True)
    with ascribe.attach("epsilon(0)", model) as attached:
        y = model(x)
    assert attached.warnings == []
    torch.autograd.grad(y.sum(), x)
    assert [each.code for each in attached.warnings] == ["A0503"]


def test_no_gradients_no_rules():
    model, x = network()
    for guard in (torch.no_grad, torch.inference_mode):
        with guard(), refused("A0606", "gradients are disabled"):
            ascribe.attach("zplus", model)
    assert nn.Module.__call__.__module__ == "torch.nn.modules.module"
