"""The PyTorch peer: see protocol.js for the protocol.

Runs where `import torch` works (Debian: python3-torch with libopenblas0-pthread). The network, optimizer and batch are
those of the main job; layouts and calls are the ones PyTorch is fastest with on a CPU.
"""
import json
import os
import sys
import time

# A processor type forced on OpenBLAS from outside would not be a fair peer.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

threads = int(os.environ.get("BENCH_THREADS", "2"))


def answer(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


try:
    import torch
    from torch import nn
except Exception as error:  # any failure to load is the reason why the peer is missing
    answer({"error": f"{sys.executable}: {error}"})
    sys.exit(0)

from images import dcgan_train, resnet50_infer
from ops_torch import op
from sequences import gpt_train, rnn_train

torch.set_num_threads(threads)
torch.manual_seed(1)


def noise(*shape):
    return torch.rand(*shape) * 2 - 1


def network():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10),
    )


def layout(request, tensor_or_module):
    if request.get("layout") == "nhwc":
        return tensor_or_module.to(memory_format=torch.channels_last)
    return tensor_or_module


def gemm(request):
    n = request["n"]
    a, b = noise(n, n), noise(n, n)
    out = torch.empty(n, n)

    def run():
        torch.matmul(a, b, out=out)

    return run


def cnn_train(request):
    batch, steps = request.get("batch", 64), request.get("steps", 1)
    model = layout(request, network()).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_function = nn.CrossEntropyLoss()
    x, y = layout(request, noise(batch, 1, 28, 28)), torch.arange(batch) * 7 % 10

    def run():
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            logits = model(x)
            loss = loss_function(logits, y)
            loss.backward()
            optimizer.step()
            # fit() reports accuracy, so the peers compute it too.
            (logits.argmax(1) == y).float().mean().item()
        assert loss.item() == loss.item()

    return run


def cnn_infer(request):
    batch = request.get("batch", 64)
    model = layout(request, network()).eval()
    x = layout(request, noise(batch, 1, 28, 28))

    def run():
        with torch.inference_mode():
            torch.softmax(model(x), 1)[0, 0].item()

    return run


def chain(request):
    x = noise(request["n"])

    def run():
        with torch.inference_mode():
            torch.relu_(torch.add(one, x, alpha=2))

    one = torch.ones(())
    return run


tasks = {"gemm": gemm, "cnn-train": cnn_train, "cnn-infer": cnn_infer, "chain": chain, "op": op, "rnn-train": rnn_train, "gpt-train": gpt_train, "dcgan-train": dcgan_train, "resnet50-infer": resnet50_infer}
answer({"ready": {"versions": f"PyTorch {torch.__version__}", "tasks": list(tasks)}})

prepared = {}
for line in sys.stdin:
    request = json.loads(line)
    reps, warmup = request.pop("reps", 1), request.pop("warmup", 1)
    try:
        key = json.dumps(request, sort_keys=True)
        is_new = key not in prepared
        if is_new:
            prepared[key] = tasks[request["task"]](request)
        run = prepared[key]
        for _ in range(warmup if is_new else min(1, warmup)):
            run()
        seconds = []
        for _ in range(reps):
            started = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - started)
        answer({"seconds": seconds})
    except Exception as error:  # reported, and the peer lives on
        answer({"error": f"{type(error).__name__}: {error}"})
