"""Networks over sequences in PyTorch: the same as sequences.js."""

import math

import torch
from torch import nn

BATCH, STEPS, INPUTS, UNITS, CLASSES = 64, 100, 64, 256, 64
GPT_BATCH, BLOCK, WIDTH, HEADS, LAYERS, VOCABULARY = 12, 64, 128, 4, 4, 65


def classes_of(count, below):
    return torch.tensor([(i * 7919 + (i >> 3)) % below for i in range(count)])


def training(model, optimizer, x, y, size):
    def run():
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(model(x).reshape(-1, size), y)
        loss.backward()
        optimizer.step()
        assert loss.item() == loss.item()

    return run


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layer = {"lstm": nn.LSTM, "gru": nn.GRU}[kind](INPUTS, UNITS, batch_first=True)
        self.dense = nn.Linear(UNITS, CLASSES)

    def forward(self, x):
        return self.dense(self.layer(x)[0])


def rnn_train(request):
    model = Recurrent(request["kind"])
    x, y = torch.randn(BATCH, STEPS, INPUTS), classes_of(BATCH * STEPS, CLASSES)
    return training(model, torch.optim.Adam(model.parameters()), x, y, CLASSES)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.register_buffer("seen", torch.tril(torch.ones(BLOCK, BLOCK)))

    def forward(self, x):
        parts = self.qkv(self.before(x)).view(GPT_BATCH, BLOCK, 3, HEADS, WIDTH // HEADS)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) / math.sqrt(WIDTH // HEADS)
        mixed = scores.masked_fill(self.seen == 0, float("-inf")).softmax(-1) @ v
        x = x + self.out(mixed.transpose(1, 2).reshape(GPT_BATCH, BLOCK, WIDTH))
        return x + self.down(nn.functional.gelu(self.up(self.between(x))))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.places = nn.Parameter(torch.randn(BLOCK, WIDTH) * 0.02)
        self.layers = nn.Sequential(*[Layer() for _ in range(LAYERS)])
        self.last, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, ids):
        return self.head(self.last(self.layers(self.tokens(ids) + self.places)))


def gpt_train(_request):
    model = Gpt()
    ids = classes_of(GPT_BATCH * BLOCK, VOCABULARY).view(GPT_BATCH, BLOCK)
    targets = classes_of(GPT_BATCH * BLOCK + 1, VOCABULARY)[1:]
    return training(model, torch.optim.AdamW(model.parameters()), ids, targets, VOCABULARY)
