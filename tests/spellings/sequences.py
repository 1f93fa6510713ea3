"""Networks over sequences, [batch, 5, 8] to [batch, 3], for export.py: attention, gates and recurrence, with the batch at all
places where PyTorch's modules have it."""
import torch
from torch import nn
from torch.nn import functional as F

LENGTH, WIDTH = 5, 8


class Encoder(nn.Module):
    """A layer of a transformer, in PyTorch's own module."""

    def __init__(self, batch_first, **options):
        super().__init__()
        self.batch_first = batch_first
        self.layer = nn.TransformerEncoderLayer(WIDTH, 2, 12, batch_first=batch_first, **options)
        self.last = nn.Linear(WIDTH, 3)

    def forward(self, x):
        if self.batch_first:
            return self.last(self.layer(x).mean(1))
        return self.last(self.layer(x.transpose(0, 1)).mean(0))


class Token(nn.Module):
    """A learnt token in front, learnt positions, and what the token becomes."""

    def __init__(self):
        super().__init__()
        self.token, self.positions = nn.Parameter(torch.randn(1, 1, WIDTH)), nn.Parameter(torch.randn(1, LENGTH + 1, WIDTH))
        self.layer, self.last = nn.TransformerEncoderLayer(WIDTH, 2, 12, batch_first=True), nn.Linear(WIDTH, 3)

    def forward(self, x):
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.last(self.layer(x)[:, 0])


class Decoder(nn.Module):
    """Llama's block: norms without a mean, rotated queries and keys, several queries for each key, a gate."""

    def __init__(self):
        super().__init__()
        self.norm, self.behind = nn.RMSNorm(WIDTH), nn.RMSNorm(WIDTH)
        self.q, self.kv, self.o = nn.Linear(WIDTH, 8, bias=False), nn.Linear(WIDTH, 8, bias=False), nn.Linear(8, WIDTH)
        self.gate, self.up, self.down = nn.Linear(WIDTH, 12), nn.Linear(WIDTH, 12), nn.Linear(12, WIDTH)
        self.last = nn.Linear(WIDTH, 3)
        angles = torch.arange(LENGTH)[:, None] * torch.tensor([1.0, 1.0])
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def rotated(self, x):
        return x * self.cos + torch.cat([-x[..., 1:], x[..., :1]], -1) * self.sin

    def forward(self, x):
        batch = x.shape[0]
        h = self.norm(x)
        q = self.rotated(self.q(h).view(batch, LENGTH, 4, 2).transpose(1, 2))
        k, v = self.kv(h).view(batch, LENGTH, 2, 2, 2).permute(2, 0, 3, 1, 4).unbind(0)
        h = F.scaled_dot_product_attention(q, self.rotated(k), v, is_causal=True, enable_gqa=True)
        x = x + self.o(h.transpose(1, 2).reshape(batch, LENGTH, 8))
        h = self.behind(x)
        x = x + self.down(F.silu(self.gate(h)) * self.up(h))
        return self.last(x[:, -1])


class Windows(nn.Module):
    """Attention within parts that lie in the batch's dimension."""

    def __init__(self):
        super().__init__()
        self.first, self.attention = nn.Linear(WIDTH, WIDTH), nn.MultiheadAttention(4, 2, batch_first=True)
        self.last = nn.Linear(LENGTH * WIDTH, 3)

    def forward(self, x):
        batch = x.shape[0]
        parts = self.first(x).reshape(batch, LENGTH, 2, 4).permute(0, 2, 1, 3).reshape(batch * 2, LENGTH, 4)
        parts = self.attention(parts, parts, parts, need_weights=False)[0]
        return self.last(parts.reshape(batch, 2, LENGTH, 4).permute(0, 2, 1, 3).reshape(batch, -1))


class Masked(nn.Module):
    """Attention in which one place sees nothing at all."""

    def __init__(self):
        super().__init__()
        self.qkv, self.last = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, 3)
        mask = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
        mask[2] = False
        self.register_buffer("mask", mask)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.last((x + F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask)).mean(1))


class Recurrent(nn.Module):
    def __init__(self, kind, batch_first=False, **options):
        super().__init__()
        self.batch_first, self.layer = batch_first, kind(WIDTH, 6, batch_first=batch_first, **options)
        self.last = nn.Linear(options.get("proj_size", 6) * (2 if options.get("bidirectional") else 1), 3)

    def forward(self, x):
        if self.batch_first:
            return self.last(self.layer(x)[0][:, -1])
        return self.last(self.layer(x.transpose(0, 1))[0][-1])


class Steps(nn.Module):
    """A cell, called step by step."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.last = cell, nn.Linear(6, 3)

    def forward(self, x):
        state = None
        for t in range(LENGTH):
            state = self.cell(x[:, t], state)
        return self.last(state[0] if isinstance(state, tuple) else state)


class Gated(nn.Module):
    """Gates, a product of batches with what is added to it, and features before samples."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(WIDTH, 12), nn.Linear(6, 3)
        self.added = nn.Parameter(torch.randn(1, LENGTH, LENGTH))

    def forward(self, x):
        h = F.glu(self.first(x), -1)
        scores = torch.baddbmm(self.added.expand(x.shape[0], -1, -1), h, h.transpose(1, 2), beta=0.5, alpha=0.3)
        h = torch.baddbmm(h, scores.softmax(-1), h)
        return torch.einsum("kc,bc->kb", self.last.weight, h.mean(1)).t()


SEQUENCES = {
    "encoder": Encoder(True), "encoder_length_first": Encoder(False), "encoder_norm_first": Encoder(True, norm_first=True),
    "token": Token(), "decoder": Decoder(), "windows": Windows(), "masked": Masked(), "gated": Gated(),
    "lstm": Recurrent(nn.LSTM, num_layers=2, bidirectional=True), "lstm_batch_first": Recurrent(nn.LSTM, True),
    "lstm_projected": Recurrent(nn.LSTM, True, proj_size=3), "gru": Recurrent(nn.GRU, num_layers=2),
    "rnn": Recurrent(nn.RNN), "rnn_relu": Recurrent(nn.RNN, True, nonlinearity="relu", bidirectional=True),
    "lstm_cell": Steps(nn.LSTMCell(WIDTH, 6)), "gru_cell": Steps(nn.GRUCell(WIDTH, 6)), "rnn_cell": Steps(nn.RNNCell(WIDTH, 6))}
