"""The networks of tests/parity: against Zennit in the same process, and against what the command makes of their files."""

import tempfile
import warnings

import torch
from helpers import close, need_zennit, relevance

import ascribe


def zennits():
    need_zennit()
    from networks import networks

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return networks()
    finally:
        torch.set_num_threads(before)


def test_composites_equal_zennits_and_those_on_saved_models():
    models, found = zennits()
    count = 0
    for name, (model, x) in models.items():
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.save(torch.jit.trace(model, x, check_trace=False), f"{folder}/model.pt")
            saved = ascribe.Model.load(f"{folder}/model.pt")
        for under in found[name]["under"]:
            start = found[name]["R"]
            ours, _ = relevance(under["call"], model, x, start)
            close(ours, under["relevance"], 1e-10)
            close(ours, ascribe.attribute(saved, under["call"], x, start).relevance, 1e-12)
            count += 1
    assert count > 200, count
