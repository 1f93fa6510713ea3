"""How a rule of Zennit's is called here: the same arguments as text of the language.

Only what Zennit has and the tests use; Zennit calls the stabilizer of most rules `stabilizer`, the rules here `epsilon`.
"""

import json

import torch
from zennit.core import Stabilizer

STABILIZERS = {  # (clip, norm_scale, dim) of Zennit's Stabilizer
    (True, False, None): "clipped",
    (False, True, None): "relative",
    (True, True, None): "relative_clipped",
    (False, True, (1,)): "relative_over_channels",
}


def clipped(epsilon):
    return Stabilizer(epsilon=epsilon, clip=True)


def relative(epsilon):
    return Stabilizer(epsilon=epsilon, norm_scale=True)


def relative_clipped(epsilon):
    return Stabilizer(epsilon=epsilon, clip=True, norm_scale=True)


def relative_over_channels(epsilon):
    return Stabilizer(epsilon=epsilon, norm_scale=True, dim=(1,))


def shown(value):
    if isinstance(value, Stabilizer):
        return f"{STABILIZERS[value.clip, value.norm_scale, value.dim]}({value.epsilon!r})"
    if isinstance(value, torch.Tensor):  # per channel, [1, channels, 1, …]
        return json.dumps(value.flatten().tolist())
    return json.dumps(value) if isinstance(value, list) else repr(value)


def call(name, arguments, renamed):
    """`epsilon(epsilon = 0.25, zero_params = ["bias"])`."""
    given = ", ".join(f"{renamed.get(key, key)} = {shown(value)}" for key, value in arguments.items())
    return f"{name}({given})" if given else name
