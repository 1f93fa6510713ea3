"""What things look like in a notebook."""

import re

import torch
from helpers import network, refused

import ascribe

RULES = '''
rule half(k = 0.5) { map = k * R / stabilize(y) }  # & <b>
composite mine { linear, convolution => half(0.25); any => std.epsilon_plus }
'''


def plain(html):
    return re.sub("<[^>]*>", "", html).replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")


def test_rules_show_the_definitions_that_they_come_from_in_colours():
    shown = ascribe.parse(RULES).composite("mine")._repr_html_()
    assert "rule half(k = 0.5) { map = k * R / stabilize(y) }" in plain(shown)
    assert "composite mine {" in plain(shown) and "composite epsilon_plus(" in plain(shown) and "rule zplus(" in plain(shown)
    assert '<span style="color:' in shown and "<b>" not in shown
    assert "rule gamma(" in plain(ascribe.rule("gamma", gamma=0.5)._repr_html_())


def test_an_attribution_shows_a_heatmap_and_its_layers():
    model, x = network()
    shown = ascribe.attribute(model, "epsilon_plus_flat", x)._repr_html_()
    assert 'src="data:image/png;base64,iVBOR' in shown and "<table>" in shown and "conv2d" in shown
    shown = ascribe.attribute(torch.nn.Linear(3, 2).eval(), "epsilon_plus", torch.ones(1, 3))._repr_html_()
    assert "<table>" in shown


def test_a_mistake_shows_its_message_with_the_caret_and_nothing_else():
    try:
        ascribe.parse("rule half { map = R / z }")
    except ascribe.Error as error:
        lines = error._render_traceback_()
    assert lines[0].startswith("error[A0201]") and any(line.rstrip().endswith("^") for line in lines)
    assert not any("Traceback" in line for line in lines)
    with refused("A0202"):
        ascribe.composite("epsilon_pluss")
