"""Networks as they are used, of the packages transformers and torchvision, with few and random weights: their relevance
is what an independent reference in PyTorch computes, in every way that they are saved (exported, exported with its
operators decomposed, traced), under the rules for transformers. Texts are token ids, as those networks have them.

The reference knows no rules: it is gradient × input, with what the rules hold held, as Reference says.

Beside torch==2.13.0 and what that needs, numpy, pillow and torchvision==0.28.0, it needs (20 MB to download; the other
dependencies of these packages are for downloading models):
  pip install --no-deps transformers==5.24.0 tokenizers==0.23.3 safetensors==0.8.0 huggingface_hub==2.4.0
    httpx2==2.16.2 httpcore2==2.16.2 h11 idna truststore regex tqdm pyyaml packaging
Where one is missing, it says so, and its exit code is 77: skipped.

usage: networks_test.py COMMAND FOLDER
"""
import math
import os
import subprocess
import sys
import warnings
from pathlib import Path
from unittest import mock

USAGE = "usage: networks_test.py COMMAND FOLDER"
SKIPPED = 77
if len(sys.argv) != 3:
    sys.exit(USAGE)

warnings.filterwarnings("ignore")
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_OFFLINE"] = "1"
try:
    import numpy as np
    import torch
    from torch import nn
    from torch.nn import functional as F
    from torch.overrides import TorchFunctionMode
    try:
        import torchvision
    except RuntimeError:  # it is for another build of PyTorch, and misses operators that no network here uses
        operators = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            operators.define(f"{operator}(Tensor boxes, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    import transformers as hf
    from transformers.activations import NewGELUActivation
except ModuleNotFoundError as missing:
    print("left out, as a package is missing:", " ".join(str(missing).split()))
    sys.exit(SKIPPED)

BOUND = 1e-8  # of the largest relevance
TARGET = 1
RULES = ("attn_lrp", "cp_lrp")
GATED = RULES + ("cp_lrp_gated",)
SMALL = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24,
         "max_position_embeddings": 8, "use_cache": False}


# --------------------------------------------------------------------------------------------------------- the networks

class Scores(nn.Module):
    """A network of transformers as one that has tensors only: named inputs, and [batch, classes] of the last token."""

    def __init__(self, network, *names):
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *inputs):
        # RMS norms and softmaxes are in single precision there, whatever the weights are in: too coarse to compare.
        with mock.patch.object(torch, "float32", torch.float64):
            scores = self.network(**dict(zip(self.names, inputs))).logits
        return scores if scores.dim() == 2 else scores[:, -1]


def token_ids(length):
    return torch.randint(SMALL["vocab_size"], (2, length))


def padded(length):
    """An attention mask: the second text is a token shorter than the first."""
    mask = torch.ones(2, length, dtype=torch.int64)
    mask[1, -1] = 0
    return mask


def bert():
    config = hf.BertConfig(**SMALL, num_labels=5)
    network = Scores(hf.BertForSequenceClassification(config), "input_ids", "attention_mask")
    return network, (token_ids(5), padded(5))


def gpt2():
    config = hf.GPT2Config(vocab_size=30, n_embd=16, n_layer=2, n_head=4, n_positions=8, use_cache=False)
    return Scores(hf.GPT2LMHeadModel(config), "input_ids"), (token_ids(5),)


def llama():
    return Scores(hf.LlamaForCausalLM(hf.LlamaConfig(**SMALL, num_key_value_heads=2)), "input_ids"), (token_ids(5),)


def qwen2():
    config = hf.Qwen2Config(**SMALL, num_key_value_heads=2)
    return Scores(hf.Qwen2ForCausalLM(config), "input_ids", "attention_mask"), (token_ids(5), padded(5))


def t5():
    config = hf.T5Config(vocab_size=30, d_model=16, d_kv=4, d_ff=24, num_layers=1, num_heads=4, use_cache=False,
                         feed_forward_proj="gated-gelu")
    network = Scores(hf.T5ForConditionalGeneration(config), "input_ids", "decoder_input_ids")
    return network, (token_ids(5), token_ids(4))


def vit():
    config = hf.ViTConfig(image_size=8, patch_size=4, hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
                          intermediate_size=24, num_labels=5)
    return Scores(hf.ViTForImageClassification(config), "pixel_values"), (torch.randn(2, 3, 8, 8),)


def vision_transformer():
    network = torchvision.models.VisionTransformer(image_size=8, patch_size=4, num_layers=2, num_heads=4, hidden_dim=16,
                                                   mlp_dim=24, num_classes=5)
    return network, (torch.randn(2, 3, 8, 8),)


def swin():
    network = torchvision.models.SwinTransformer(patch_size=[2, 2], embed_dim=8, depths=[2, 1], num_heads=[2, 4],
                                                 window_size=[2, 2], num_classes=5)
    return network, (torch.randn(2, 3, 8, 8),)


NETWORKS = {"bert": (bert, RULES), "gpt2": (gpt2, RULES), "llama": (llama, GATED), "qwen2": (qwen2, GATED),
            "t5": (t5, RULES), "vit": (vit, RULES), "vision_transformer": (vision_transformer, RULES),
            "swin": (swin, RULES)}


def made(make):
    """The network and its inputs, with weights far from those that training begins with: biases are not zero."""
    torch.manual_seed(0)
    network, inputs = make()
    with torch.no_grad():
        for parameter in network.double().eval().parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network, inputs


def attend(network, how):
    """Attention written out ("eager"), or by PyTorch's own operator ("sdpa"): the same numbers."""
    if isinstance(network, Scores):
        network.network.set_attn_implementation(how)


# -------------------------------------------------------------------------------------------------------- the reference

def depends(value):
    """Whether it depends on the network's input: in the reference, weights have no gradient."""
    return isinstance(value, torch.Tensor) and value.requires_grad


def activated(function, x, *arguments, **options):
    """An activation hands all that it gets to its input: it is a factor."""
    return x * (function(x, *arguments, **options) / x).detach()


def halved(product, a, b):
    """Of two values that both depend on the input, each gets a half."""
    if depends(a) and depends(b):
        return 0.5 * (product(a, b.detach()) + product(a.detach(), b))
    return product(a, b)


def layer_norm(function, x, shape, weight, bias, eps):
    """Linear in what it norms: the deviation is held."""
    centred = x - x.mean(-1, keepdim=True)
    deviation = (centred.square().mean(-1, keepdim=True) + eps).sqrt()
    return centred / deviation.detach() * weight + bias


def held(function, *arguments, **options):
    return function(*arguments, **options).detach()


class Reference(TorchFunctionMode):
    """While it is on, a network's operators keep their values, and have gradients with which gradient × input is the
    relevance. What token ids look up, it takes as input, and keeps."""

    def __init__(self, rule, inputs):
        super().__init__()
        self.inputs, self.looked_up = inputs, []
        self.instead = {"relu": activated, "gelu": activated, "silu": activated, "tanh": activated, "mul": halved,
                        "__mul__": halved, "__rmul__": halved, "matmul": halved, "__matmul__": halved, "bmm": halved,
                        "layer_norm": layer_norm, "rsqrt": held, "embedding": self.embedding}
        if rule != "attn_lrp":
            self.instead["softmax"] = held
        if rule == "cp_lrp_gated":
            self.instead["silu"] = held  # these networks have it nowhere but at gates

    def __torch_function__(self, function, types, arguments=(), options=None):
        instead = self.instead.get(getattr(function, "__name__", None))
        if instead:
            return instead(function, *arguments, **(options or {}))
        return function(*arguments, **(options or {}))

    def embedding(self, function, ids, *arguments, **options):
        """Positions and kinds of tokens are looked up by ids of their own, which are no input."""
        found = function(ids, *arguments, **options)
        if ids.data_ptr() not in [each.data_ptr() for each in self.inputs]:
            return found
        self.looked_up.append(found.requires_grad_())
        return found


def multi_head_attention(module, query, key, value, need_weights):
    """nn.MultiheadAttention's forward, whose own operators no mode sees."""
    width = query.shape[-1]
    parts = zip((query, key, value), module.in_proj_weight.split(width), module.in_proj_bias.split(width))
    q, k, v = (F.linear(*each).unflatten(-1, (module.num_heads, -1)).transpose(1, 2) for each in parts)
    weights = F.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), -1)
    return module.out_proj((weights @ v).transpose(1, 2).flatten(2)), None


def new_gelu(module, x):
    """transformers write it out: as one operator, it is seen to be an activation."""
    return F.gelu(x, approximate="tanh")


def reference(network, inputs, rule):
    """The relevance of each input that has some."""
    attend(network, "eager")
    network.requires_grad_(False)
    inputs = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    with (mock.patch.object(nn.MultiheadAttention, "forward", multi_head_attention),
          mock.patch.object(NewGELUActivation, "forward", new_gelu), Reference(rule, inputs) as mode):
        scores = network(*inputs)
    if not torch.allclose(scores, network(*inputs), rtol=0, atol=1e-12):
        raise RuntimeError("the reference computes another network")
    values = [x for x in inputs if depends(x)] + mode.looked_up
    gradients = torch.autograd.grad(scores[:, TARGET].sum(), values)
    relevance = [(gradient * value).detach().numpy() for gradient, value in zip(gradients, values)]
    return [each.sum(-1) if mode.looked_up else each for each in relevance]


# ------------------------------------------------------------------------------------------------------- the comparison

def saved(network, inputs, start):
    """The files of the network, by the way in which it is saved."""
    files = {"exported": f"{start}.exported.pt2", "decomposed": f"{start}.decomposed.pt2", "traced": f"{start}.pt"}
    attend(network, "sdpa")
    program = torch.export.export(network, inputs)
    torch.export.save(program, files["exported"])
    if isinstance(network, Scores) and isinstance(network.network, hf.GPT2LMHeadModel):
        attend(network, "eager")  # PyTorch cannot decompose the other: its view is of what is not contiguous
        program = torch.export.export(network, inputs)
    torch.export.save(program.run_decompositions(), files["decomposed"])
    attend(network, "eager")
    torch.jit.trace(network, inputs, check_trace=False).save(files["traced"])
    return files


def run(command, model, given, rule, outputs):
    """What the command says, in one line, where it fails; otherwise nothing."""
    call = [command, "run", "--threads", "1", "--model", model, "--rules", f"{rule}(1e-12)", "--target", str(TARGET)]
    for file in given:
        call += ["--input", file]
    for file in outputs:
        Path(file).unlink(missing_ok=True)
        call += ["--output", file]
    ended = subprocess.run(call, capture_output=True, text=True)
    if ended.returncode == 0:
        return ""
    return f"exit code {ended.returncode}: " + " ".join(ended.stderr.split())


def compared(found, expected):
    """The largest difference, in parts of the largest expected relevance; infinite where it cannot be compared."""
    if found.shape != expected.shape or np.isnan(found).any():
        return math.inf
    return np.abs(found - expected).max() / np.abs(expected).max()


def agrees(command, name, way, model, given, rule, expected):
    outputs = [f"{model}.{rule}.{i}.npy" for i in range(len(expected))]
    failure = run(command, model, given, rule, outputs)
    if failure:
        print(name, way, rule, failure, flush=True)
        return False
    difference = max(compared(np.load(file), each) for file, each in zip(outputs, expected))
    print(name, way, rule, f"{difference:.0e}" + (f", more than {BOUND:.0e}" if difference > BOUND else ""), flush=True)
    return difference <= BOUND


def check(command, folder, name):
    """For each way and rule, whether the relevance is as the reference has it."""
    make, rules = NETWORKS[name]
    network, inputs = made(make)
    start = os.path.join(folder, name)
    given = [f"{start}.input{i}.npy" for i in range(len(inputs))]
    for file, x in zip(given, inputs):
        np.save(file, x.numpy())
    files = saved(network, inputs, start)
    results = []
    for rule in rules:
        expected = reference(network, inputs, rule)
        results += [agrees(command, name, way, model, given, rule, expected) for way, model in files.items()]
    return results


def main(command, folder):
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.backends.mha.set_fastpath_enabled(False)  # an operator of its own, which other tests are for
    os.makedirs(folder, exist_ok=True)
    results = [result for name in NETWORKS for result in check(command, folder, name)]
    print(f"{sum(results)} of {len(results)} as the reference has them")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
