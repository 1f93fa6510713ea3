"""Entries for modules and classes, on modules of PyTorch's: the hooks that they are in Python."""

import torch
from helpers import close, network, refused, relevance
from torch import nn

import ascribe


class Cube(nn.Module):
    """An activation that nobody knows."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([scale], dtype=torch.float64))

    def forward(self, x):
        return x * x * x * self.scale


def rules(text):
    return ascribe.parse("composite mine {" + text + "  any => epsilon }").composite("mine")


def cubes():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 3), Cube(), nn.Linear(3, 2)).double(), torch.randn(2, 4, dtype=torch.float64)


def passed(model, x):
    """By hand: the linear layers by ε, and what is between them passes."""
    hidden = model[0](x)
    cubed = model[1](hidden)
    y = model[2](cubed)
    of_cubed = (torch.ones_like(y) / (y + 1e-6 * torch.where(y >= 0, 1.0, -1.0))) @ model[2].weight * cubed
    return (of_cubed / (hidden + 1e-6 * torch.where(hidden >= 0, 1.0, -1.0))) @ model[0].weight * x


def test_a_module_by_its_name_and_by_its_class():
    model, x = cubes()
    for entry in ('module "1" => pass', 'class "Cube" => pass', 'class "C*" => pass'):
        found, attached = relevance(rules(entry), model, x)
        close(found, passed(model, x), 1e-9)
        assert [(layer.name, layer.kind) for layer in attached.report] == [("0", "linear"), ("1", "module"), ("2", "linear")]
        close(ascribe.attribute(model, rules(entry), x, torch.ones(2, 2)).relevance, found)


def test_param_reaches_the_parameters_of_a_module():
    model, x = cubes()
    pack = ascribe.parse('rule twice { param "scale" = 2 * w }\ncomposite mine { class "Cube" => twice  any => epsilon }')
    plain = ascribe.parse('rule once { }\ncomposite mine { class "Cube" => once  any => epsilon }')
    found, _ = relevance(pack.composite("mine"), model, x)
    with torch.no_grad():
        program = torch.export.export(model, (x,))
    close(found, ascribe.attribute(program, pack.composite("mine"), x, torch.ones(2, 2)).relevance)
    assert not torch.allclose(found, relevance(plain.composite("mine"), model, x)[0])


def test_equals_the_exported_model():
    model, x = cubes()
    program = torch.export.export(model, (x,))
    start = ascribe.Target.of(torch.ones(2, 2))
    for entry in ('class "Cube" => pass', 'module "1" => norm', ""):
        of_program = ascribe.attribute(program, rules(entry), x, start)
        of_module = ascribe.attribute(model, rules(entry), x, start)
        close(of_module.relevance, of_program.relevance)
        assert [layer.name for layer in of_module.report] == [layer.name for layer in of_program.report]


def test_modules_that_write_into_their_input():
    model, x = network()
    plain = model(x)
    leaf = x.clone().requires_grad_()
    with ascribe.attach(rules('class "Hardswish" => pass  module "2" => pass'), model) as attached:
        y = model(leaf)
    close(y, plain)
    (found,) = torch.autograd.grad(y, leaf, torch.ones_like(y))
    other = rules('hardswish => pass  relu "2" => pass')
    close(found, relevance(other, model, x)[0])
    assert [layer.kind for layer in attached.report if layer.name == "4.act"] == ["module"]


class Writes(nn.Module):
    def forward(self, x):
        x += 1
        return x * 2


def test_a_module_that_spoils_its_input_is_refused():
    model = nn.Sequential(nn.Linear(3, 3), Writes())
    with refused("A0601", "module '1' (Writes) writes into its input"):
        relevance(rules('class "Writes" => pass'), model, torch.randn(1, 3))


class Pair(nn.Module):
    def forward(self, x, *, scale=1.0):
        return {"first": x * scale, "second": (x + 1, "a word")}


class Uses(nn.Module):
    def __init__(self):
        super().__init__()
        self.pair, self.last = Pair(), nn.Linear(3, 2)

    def forward(self, x):
        pair = self.pair(x, scale=2.0)
        assert pair["second"][1] == "a word"
        return self.last(pair["first"] + pair["second"][0])


def test_a_module_of_several_results():
    model = Uses().double()
    x = torch.randn(1, 3, dtype=torch.float64)
    assert relevance("epsilon", model, x)[0].shape == x.shape
    with refused("A0601", "gives 2 tensors"):
        relevance(rules('class "Pair" => pass'), model, x)


def test_what_a_module_raises_comes_out_as_it_is():
    class Own(Exception):
        pass

    class Fails(nn.Module):
        def forward(self, x):
            raise Own("by design")

    model = nn.Sequential(nn.Linear(3, 3), Fails())
    for rule in ("epsilon", rules('class "Fails" => pass')):
        try:
            relevance(rule, model, torch.randn(1, 3))
            raise AssertionError("nothing was raised")
        except Own:
            pass
    try:
        ascribe.attribute(model, "epsilon", torch.randn(1, 3))
    except ascribe.Error as error:
        assert error.code == "A0609" and "Own: by design" in str(error) and isinstance(error.__cause__, Own), error
        assert "call the model by itself" in error.help


def test_activations_of_several_operators_are_known_by_class():
    for act in (nn.Softsign(), nn.Tanhshrink(), nn.Mish(), nn.Hardsigmoid(), nn.LogSigmoid(), nn.PReLU()):
        torch.manual_seed(2)
        model = nn.Sequential(nn.Linear(4, 3), act, nn.Linear(3, 2)).double().eval()
        x = torch.randn(2, 4, dtype=torch.float64)
        ours = ascribe.attribute(model, "epsilon_plus", x)
        program = ascribe.attribute(torch.export.export(model, (x,)), "epsilon_plus", x)
        close(ours.relevance, program.relevance)
        assert [(row.name, row.kind) for row in ours.report] == [(row.name, row.kind) for row in program.report], act


def test_entries_that_took_nothing_are_told():
    model, x = cubes()
    found = ascribe.attribute(model, rules('class "Cubes" => pass'), x)
    assert any("Cubes" in each.message for each in found.warnings), found.warnings


def test_a_wrapper_that_somebody_leaves_over_module_calls_does_not_turn_into_a_circle():
    model, x = network()
    expected, _ = relevance("epsilon_plus", model, x)
    before = nn.Module.__call__
    try:
        with ascribe.attach("epsilon_plus", model):
            ours = nn.Module.__call__
            nn.Module.__call__ = lambda *args, **kwargs: ours(*args, **kwargs)
        for _ in range(3):
            found, attached = relevance("epsilon_plus", model, x)
            close(found, expected)
            assert attached.report[0].name == "0"
    finally:
        nn.Module.__call__ = before


def test_a_compiled_model_that_is_called_where_rules_are_attached_is_told():
    model, x = network()
    compiled = torch.compile(model, backend="eager")
    with ascribe.attach("epsilon_plus", model), refused("A0701", "compiled"):
        compiled(x)


class Box:
    def __init__(self, x):
        self.x = x


class Boxed(nn.Module):
    def forward(self, box):
        return box.x * 2


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.boxed = nn.Linear(3, 3), Boxed()

    def forward(self, x):
        return self.boxed(Box(self.first(x)))


def test_a_module_whose_tensors_cannot_be_seen_is_no_layer_in_silence():
    with refused("A0601", "gets no tensor that can be seen"):
        ascribe.attribute(Outer().eval(), rules('module "boxed" => norm;'), torch.ones(1, 3))
