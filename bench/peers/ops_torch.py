"""The ops of bench/ops.js in PyTorch: name -> function of (inputs, params)."""
import torch


def pad(inputs, params):
    flat = [amount for pair in reversed(params["paddings"]) for amount in pair]
    return torch.nn.functional.pad(inputs[0], flat)


def part(inputs, params):
    view = inputs[0]
    for axis, (begin, size) in enumerate(zip(params["begin"], params["size"])):
        view = view.narrow(axis, begin, size)
    return view.contiguous()


def segment_sum(inputs, params):
    ids, x = inputs
    return torch.zeros(params["rows"], x.shape[1]).index_add_(0, ids, x)


ops = {
    "sum": lambda x, p: torch.sum(x[0], p["axes"]),
    "max": lambda x, p: torch.amax(x[0], p["axes"]),
    "argMax": lambda x, p: torch.argmax(x[0], p["axis"]),
    "softmax": lambda x, p: torch.softmax(x[0], p["axis"]),
    "transpose": lambda x, p: x[0].permute(p["perm"]).contiguous(),
    "concat": lambda x, p: torch.cat(x, p["axis"]),
    "slice": part,
    "pad": pad,
    "tile": lambda x, p: x[0].repeat(p["reps"]),
    "reverse": lambda x, p: torch.flip(x[0], [p["axis"]]),
    "gather": lambda x, p: torch.index_select(x[0], p["axis"], x[1]),
    "sort": lambda x, p: torch.sort(x[0], stable=True),
    "topk": lambda x, p: torch.topk(x[0], p["k"]),
    "searchSorted": lambda x, p: torch.searchsorted(torch.sort(x[0])[0], x[1]),
    "bincount": lambda x, p: torch.bincount(x[0], minlength=p["size"]),
    "cumsum": lambda x, p: torch.cumsum(x[0], p["axis"]),
    "cumprod": lambda x, p: torch.cumprod(x[0], p["axis"]),
    "embeddingGradient": segment_sum,
    "segmentSum": segment_sum,
    "takeAlongAxis": lambda x, p: torch.gather(x[0], p["axis"], x[1]),
}


def operand(spec):
    # torch.gather and its like take 64-bit indices only.
    if "below" in spec:
        return torch.randint(spec["below"], spec["shape"])
    return torch.rand(spec["shape"]) * 2 - 1


def op(request):
    if request["op"] not in ops:
        raise ValueError(f"it has no op '{request['op']}'")
    run = ops[request["op"]]
    inputs = [operand(spec) for spec in request["inputs"]]
    params = request["params"]

    def once():
        with torch.inference_mode():
            run(inputs, params)

    return once
