"""Under the names of other libraries: beside these."""

import importlib
import re
import sys

import numpy
import torch
from torch import nn

import ascribe
from ascribe.compat import zennit as ours
from helpers import ROOT, Skipped, close, need_zennit, network, refused


def without_batch_norm():
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(8, 8, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(8, 6, 3),
        nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, 20), nn.ReLU(), nn.Linear(20, 5)).double().eval()
    return model, torch.randn(2, 3, 12, 12, dtype=torch.float64)


def test_zennits_composites_give_what_zennit_gives():
    zennit = need_zennit()
    from zennit.attribution import Gradient

    model, x = without_batch_norm()
    start = torch.eye(5, dtype=torch.float64)[[3, 1]]
    low, high = x.amin((0, 2, 3), keepdim=True) - 1, x.amax((0, 2, 3), keepdim=True) + 1
    for name, arguments in [
        ("EpsilonPlus", {}), ("EpsilonPlus", {"epsilon": 0.5, "zero_params": ["bias"]}), ("EpsilonPlusFlat", {"stabilizer": 1e-3}),
        ("EpsilonAlpha2Beta1", {}), ("EpsilonAlpha2Beta1Flat", {"zero_params": "bias"}), ("EpsilonGammaBox", {"low": low, "high": high}),
        ("EpsilonGammaBox", {"low": -3.0, "high": 3.0, "gamma": 0.1}), ("ExcitationBackprop", {}), ("DeconvNet", {}), ("GuidedBackprop", {}),
        ("BetaSmooth", {"beta_smooth": 3.0}),
    ]:
        with Gradient(model, getattr(zennit.composites, name)(**arguments)) as attributor:
            expected_output, expected = attributor(x, start)
        with ours.Gradient(model, getattr(ours, name)(**arguments)) as attributor:
            output, relevance = attributor(x, start)
        close(relevance, expected, 1e-10)
        close(output, expected_output)


def maps(rules, types, composites):
    layers = [(types.Convolution, rules.Gamma(0.3)), (nn.Linear, rules.AlphaBeta(3, 2)), (types.Activation, rules.Pass()), (types.AvgPool, rules.Norm())]
    yield composites.LayerMapComposite(layers)
    yield composites.LayerMapComposite([((nn.Conv2d, nn.Linear), rules.ZPlus()), (types.ConvolutionTranspose, rules.Epsilon(0.1)), (nn.ReLU, rules.ReLUGuidedBackprop())])
    yield composites.SpecialFirstLayerMapComposite(layers, [(types.Linear, rules.WSquare())])
    yield composites.NameMapComposite([(["0", "2"], rules.ZPlus()), (["9"], rules.Epsilon(0.1, ["bias"]))])
    yield composites.NameLayerMapComposite([(["0"], rules.Flat())], layers)
    yield composites.MixedComposite([composites.NameMapComposite([(["0"], rules.ZBox(-4.0, 4.0))]), composites.LayerMapComposite(layers)])
    yield composites.EpsilonPlus(layer_map=[(nn.Tanh, rules.Norm())])


def test_zennits_maps_give_what_zennit_gives():
    zennit = need_zennit()
    model, x = without_batch_norm()

    def relevance(composite):
        leaf = x.clone().requires_grad_()
        with composite.context(model) as attached:
            found, = torch.autograd.grad(attached(leaf)[:, 2].sum(), leaf)
        return found

    for theirs, own in zip(maps(zennit.rules, zennit.types, zennit.composites), maps(ours, ours, ours)):
        close(relevance(own), relevance(theirs), 1e-10)
    # Zennit's own types are known, too.
    types_of_theirs = ours.LayerMapComposite([(zennit.types.Convolution, ours.Gamma(0.3))])
    close(relevance(types_of_theirs), relevance(ours.LayerMapComposite([(ours.Convolution, ours.Gamma(0.3))])))


def test_batch_norm_is_merged_whether_canonizers_are_given_or_not():
    model, x = network()
    found = []
    for canonizers in (None, [object()]):
        with ours.Gradient(model, ours.EpsilonPlusFlat(canonizers=canonizers)) as attributor:
            found.append(attributor(x)[1])
    close(found[0], found[1])
    close(found[0], ascribe.attribute(model, "epsilon_plus_flat", x, ascribe.Target.all()).relevance)


def test_a_composite_is_registered_and_removed_and_leaves_the_model_as_it_was():
    model, x = without_batch_norm()
    leaf = x.clone().requires_grad_()
    plain, = torch.autograd.grad(model(leaf).sum(), leaf)
    composite = ours.EpsilonPlus()
    composite.register(model)
    with refused("A0303", "is registered"):
        composite.register(model)
    with_rules, = torch.autograd.grad(model(leaf).sum(), leaf)
    composite.remove()
    again, = torch.autograd.grad(model(leaf).sum(), leaf)
    assert torch.equal(again, plain) and not torch.allclose(with_rules, plain)


def test_what_zennits_names_cannot_say_is_told():
    with refused("A0303", "stands for no kind"):
        ours.LayerMapComposite([(nn.Module, ours.Pass())])
    with refused("A0303", "a rule is of the type"):
        ours.LayerMapComposite([(nn.Linear, nn.ReLU())])
    with refused("A0303", "`epsilon`"):
        ours.EpsilonPlus(epsilon=lambda x: x).rule_text
    assert "epsilon = relative(0.1)" in ours.EpsilonPlus(epsilon="relative(0.1)").rule_text
    ours.EpsilonPlus(epsilon="relative(0.1)").rules


def test_the_page_from_zennit_has_every_listing_twice_with_the_same_relevance():
    need_zennit()
    sections = (ROOT / "examples/zennit/README.md").read_text().split("\n## ")
    common, compared = {}, 0
    exec(re.search(r"```python\n(.*?)```", sections[0], re.S)[1], common)
    for section in sections[1:]:
        found = []
        for listing in re.findall(r"```python\n(.*?)```", section, re.S):
            scope = dict(common)
            exec(listing.replace("print(", "str("), scope)
            found.append(scope["relevance"])
        assert len(found) in (0, 2), section[:40]
        if found:
            close(found[1], found[0], 1e-10)
            compared += 1
    assert compared == 6


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.relu, self.linear = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Linear(144, 5)

    def forward(self, x):
        return self.linear(self.relu(self.conv(x)).flatten(1))


def need(name):
    try:
        need_zennit()  # Quantus imports it
        return importlib.import_module(name)
    except ImportError as missing:
        raise Skipped(f"there is no {name}: {missing}") from None


def test_captums_form_gives_what_captum_gives():
    from ascribe.compat.captum import LRP

    model, x = Small().eval(), torch.randn(4, 1, 8, 8)
    own = LRP(model, "epsilon(1e-9)")
    relevance, delta = own.attribute(x, target=[1, 2, 0, 4], return_convergence_delta=True)
    starts = model(x)[range(4), [1, 2, 0, 4]]
    close(starts - relevance.sum((1, 2, 3)), delta, 1e-5)
    assert isinstance(own.attribute((x,), target=1), tuple)
    with refused("A0704", "3 targets for 4 samples"):
        own.attribute(x, target=[1, 2, 0])
    captum = need("captum.attr")
    for target in (3, [1, 2, 0, 4], torch.tensor([1, 2, 0, 4])):
        close(own.attribute(x, target=target), captum.LRP(model).attribute(x.clone().requires_grad_(), target=target), 1e-5)


def test_captums_pictures_and_metrics_take_relevance():
    captum, metrics = need("captum.attr"), need("captum.metrics")
    matplotlib = need("matplotlib")
    matplotlib.use("Agg")
    from ascribe.compat.captum import LRP

    model, x = Small().eval(), torch.randn(4, 1, 8, 8)
    relevance = LRP(model).attribute(x, target=3)
    figure, _ = captum.visualization.visualize_image_attr(
        relevance[0].permute(1, 2, 0).numpy(), x[0].permute(1, 2, 0).numpy(), method="blended_heat_map", sign="all", use_pyplot=False)
    assert figure.axes

    def perturb(inputs):
        noise = torch.randn_like(inputs) * 0.1
        return noise, inputs - noise

    assert metrics.infidelity(model, perturb, x, relevance, target=3).shape == (4,)


def test_quantus_metrics_take_relevance():
    quantus = need("quantus")
    from ascribe.compat.quantus import explain

    model, x, y = Small().eval(), torch.randn(4, 1, 8, 8).numpy(), numpy.array([1, 2, 0, 4])
    given = dict(model=model, x_batch=x, y_batch=y, explain_func=explain, explain_func_kwargs={"rules": "epsilon_plus"})
    assert numpy.array(quantus.PixelFlipping(features_in_step=8, disable_warnings=True)(**given)).shape == (4, 8)
    assert len(quantus.MaxSensitivity(nr_samples=2, disable_warnings=True)(**given)) == 4
