"""Losses of small networks in PyTorch, from weights and batches that losses.test.ts computes by the same formula.

    /usr/bin/python3 test/pytorch/losses.py > test/pytorch/losses.json

The weight number i of tensor number t is scale * hash(t, i), with hash in -1..1 and scale 1 / sqrt(rows); batches likewise.
Everything is float32, as it is trained with on both sides.
"""

import json
import math
import sys

import numpy as np
import torch
from torch import nn

torch.set_num_threads(1)
STEPS = 50
# Batches come again, so that there is something to learn.
BATCHES = 4
RATE = 3e-3


def noise(seed, *shape):
    """A 32-bit mixing of (seed, i), uniform in -1..1: exact in both languages."""
    count = int(np.prod(shape))
    x = (np.arange(count, dtype=np.uint64) + np.uint64(seed * 1_000_003)) & np.uint64(0xFFFFFFFF)
    for factor in (0x7FEB352D, 0x846CA68B):
        x ^= x >> np.uint64(16)
        x = (x * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    return (x.astype(np.float64) / 2**31 - 1).astype(np.float32).reshape(shape)


def below(seed, n, *shape):
    """Integers in 0..n-1."""
    return np.minimum(n - 1, ((noise(seed, *shape).astype(np.float64) + 1) / 2 * n).astype(np.int64))


def weight(seed, *shape):
    """A kernel [..., inputs, outputs] as Keras has it."""
    fan_in = int(np.prod(shape[:-1]))
    return noise(seed, *shape) * np.float32(1 / math.sqrt(fan_in))


def put(parameter, values):
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(values)))


def put_dense(layer, seed, inputs, outputs):
    put(layer.weight, weight(seed, inputs, outputs).T)
    nn.init.zeros_(layer.bias)


def put_conv(layer, seed, size, inputs, outputs):
    put(layer.weight, weight(seed, size, size, inputs, outputs).transpose(3, 2, 0, 1))
    nn.init.zeros_(layer.bias)


def train(forward, parameters, batch_of, optimizer=None):
    optimizer = optimizer or torch.optim.Adam(parameters, lr=RATE, eps=1e-7)
    losses = []
    for step in range(STEPS):
        x, y = batch_of(step % BATCHES)
        optimizer.zero_grad(set_to_none=True)
        logits = forward(torch.from_numpy(x))
        loss = nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), torch.from_numpy(y).reshape(-1))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def cnn():
    convolutions = nn.ModuleList([nn.Conv2d(1, 8, 3), nn.Conv2d(8, 16, 3)])
    dense = nn.ModuleList([nn.Linear(400, 32), nn.Linear(32, 10)])
    put_conv(convolutions[0], 1, 3, 1, 8)
    put_conv(convolutions[1], 2, 3, 8, 16)
    put_dense(dense[0], 3, 400, 32)
    put_dense(dense[1], 4, 32, 10)

    def forward(images):
        x = images.permute(0, 3, 1, 2)
        for layer in convolutions:
            x = nn.functional.max_pool2d(torch.relu(layer(x)), 2)
        x = x.permute(0, 2, 3, 1).flatten(1)
        return dense[1](torch.relu(dense[0](x)))

    parameters = [*convolutions.parameters(), *dense.parameters()]
    return train(forward, parameters, lambda number: (noise(100 + number, 16, 28, 28, 1), below(300 + number, 10, 16)))


def recurrent(kind):
    batch, steps, inputs, units, classes = 8, 12, 10, 24, 7
    gates = {"lstm": 4, "gru": 3}[kind]
    layer = {"lstm": nn.LSTM, "gru": nn.GRU}[kind](inputs, units, batch_first=True)
    dense = nn.Linear(units, classes)
    # Keras has LSTM's gates in PyTorch's order i f g o; GRU's are z r n there and r z n here.
    order = {"lstm": [0, 1, 2, 3], "gru": [1, 0, 2]}[kind]

    def rows(kernel):
        parts = np.split(kernel, gates, axis=1)
        return np.concatenate([parts[i] for i in order], axis=1).T

    put(layer.weight_ih_l0, rows(weight(1, inputs, gates * units)))
    put(layer.weight_hh_l0, rows(weight(2, units, gates * units)))
    for bias in (layer.bias_ih_l0, layer.bias_hh_l0):
        nn.init.zeros_(bias)
    if kind == "lstm":
        # There is one bias in Keras where there are two here: one is kept still.
        layer.bias_hh_l0.requires_grad_(False)
    put_dense(dense, 3, units, classes)
    parameters = [p for p in [*layer.parameters(), *dense.parameters()] if p.requires_grad]

    def batch_of(number):
        return noise(100 + number, batch, steps, inputs), below(300 + number, classes, batch, steps)

    return train(lambda x: dense(layer(x)[0]), parameters, batch_of)


def gpt():
    batch, block, width, heads, depth, vocabulary = 4, 16, 32, 4, 2, 20
    parameters = {}

    def parameter(name, values):
        parameters[name] = nn.Parameter(torch.from_numpy(np.ascontiguousarray(values)))
        return parameters[name]

    def dense(name, seed, inputs, outputs):
        w = parameter(f"{name}/kernel", weight(seed, inputs, outputs))
        b = parameter(f"{name}/bias", np.zeros(outputs, np.float32))
        return lambda x: x @ w + b

    def norm(name):
        g = parameter(f"{name}/gain", np.ones(width, np.float32))
        b = parameter(f"{name}/shift", np.zeros(width, np.float32))
        return lambda x: nn.functional.layer_norm(x, (width,), g, b, 1e-5)

    tokens = parameter("tokens", noise(1, vocabulary, width) * np.float32(0.1))
    places = parameter("places", noise(2, block, width) * np.float32(0.1))
    layers = []
    for i in range(depth):
        seed = 10 * (i + 1)
        layers.append((
            norm(f"{i}/before"), dense(f"{i}/qkv", seed, width, 3 * width), dense(f"{i}/out", seed + 1, width, width),
            norm(f"{i}/between"), dense(f"{i}/up", seed + 2, width, 4 * width), dense(f"{i}/down", seed + 3, 4 * width, width),
        ))
    last = norm("last")
    head = parameter("head", weight(3, width, vocabulary))
    unseen = torch.triu(torch.ones(block, block, dtype=torch.bool), 1)

    def forward(ids):
        x = tokens[ids] + places
        for before, qkv, out, between, up, down in layers:
            q, k, v = qkv(before(x)).view(batch, block, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            scores = (q @ k.transpose(-2, -1) / math.sqrt(width // heads)).masked_fill(unseen, float("-inf"))
            x = x + out((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, block, width))
            x = x + down(nn.functional.gelu(up(between(x))))
        return last(x) @ head

    def batch_of(number):
        ids = below(100 + number, vocabulary, batch, block + 1)
        return ids[:, :-1].copy(), ids[:, 1:].copy()

    optimizer = torch.optim.AdamW(parameters.values(), lr=RATE, eps=1e-7, weight_decay=0.01)
    return train(forward, None, batch_of, optimizer)


if __name__ == "__main__":
    networks = {"cnn": cnn, "lstm": lambda: recurrent("lstm"), "gru": lambda: recurrent("gru"), "gpt": gpt}
    losses = {name: [float(f"{loss:.7g}") for loss in run()] for name, run in networks.items()}
    json.dump({"torch": torch.__version__, "losses": losses}, sys.stdout)
    sys.stdout.write("\n")
