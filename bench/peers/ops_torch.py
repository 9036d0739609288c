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
    "cholesky": lambda x, p: torch.linalg.cholesky(x[0] @ x[0].T + len(x[0]) * torch.eye(len(x[0]))),
    "qr": lambda x, p: torch.linalg.qr(x[0]),
    "svd": lambda x, p: torch.linalg.svd(x[0], full_matrices=False),
    "eigh": lambda x, p: torch.linalg.eigh((x[0] + x[0].T) / 2),
    "solve": lambda x, p: torch.linalg.solve(x[0], x[1]),
    "embeddingGradient": segment_sum,
    "segmentSum": segment_sum,
    "takeAlongAxis": lambda x, p: torch.gather(x[0], p["axis"], x[1]),
}


# Images come with the channels last; PyTorch gets its own layout, made before the clock runs.
def channels_first(x):
    return x.permute(0, x.dim() - 1, *range(1, x.dim() - 1)).contiguous()


def filters_first(w):
    return w.permute(w.dim() - 1, w.dim() - 2, *range(w.dim() - 2)).contiguous()


def windows(x, p):
    """Padding 'same', which PyTorch has for stride 1 only; for the rest what its own models use."""
    return {"stride": p["strides"], "padding": [(n - 1) // 2 * p.get("dilations", 1) for n in x[1].shape[2:]]}


def conv(x, p):
    run = [torch.nn.functional.conv1d, torch.nn.functional.conv2d, torch.nn.functional.conv3d][x[0].dim() - 3]
    return run(x[0], x[1], dilation=p.get("dilations", 1), groups=x[0].shape[1] // x[1].shape[1], **windows(x, p))


def conv_transpose(x, p):
    return torch.nn.functional.conv_transpose2d(x[0], x[1], output_padding=1, **windows(x, p))


def pool(run):
    return lambda x, p: run(x[0], p["size"], p["strides"], (p["size"] - 1) // 2)


def batch_norm(x, _p):
    return torch.nn.functional.batch_norm(x[0], None, None, x[1], x[2], True)


def gradients(f):
    def run(x, p):
        with torch.inference_mode(False), torch.enable_grad():
            return torch.autograd.grad(f(x, p).square().sum(), x)

    return run


def image(x):
    return [channels_first(x[0]), *x[1:]]


def convolution(x):
    return [channels_first(x[0]), filters_first(x[1])]


max_pool = pool(torch.nn.functional.max_pool2d)

# name -> (prepares the inputs, op)
prepared = {
    "conv": (convolution, conv),
    "depthwise": (lambda x: [channels_first(x[0]), x[1].permute(2, 3, 0, 1).contiguous()], conv),
    "depthwiseGradient": (lambda x: [channels_first(x[0]), x[1].permute(2, 3, 0, 1).contiguous()], gradients(conv)),
    "convTranspose": (convolution, conv_transpose),
    "maxPool": (image, max_pool),
    "avgPool": (image, pool(torch.nn.functional.avg_pool2d)),
    "maxPoolGradient": (image, gradients(max_pool)),
    "batchNorm": (image, batch_norm),
    "batchNormGradient": (image, gradients(batch_norm)),
    "layerNorm": (lambda x: x, lambda x, p: torch.nn.functional.layer_norm(x[0], x[1].shape, x[1], x[2])),
    "groupNorm": (image, lambda x, p: torch.nn.functional.group_norm(x[0], p["groups"], x[1], x[2])),
    "resize": (image, lambda x, p: torch.nn.functional.interpolate(x[0], p["size"], mode="bilinear")),
}


def operand(spec):
    # torch.gather and its like take 64-bit indices only.
    if "below" in spec:
        return torch.randint(spec["below"], spec["shape"])
    return torch.rand(spec["shape"]) * 2 - 1


def op(request):
    name = request["op"]
    if name not in ops and name not in prepared:
        raise ValueError(f"it has no op '{name}'")
    prepare, run = prepared[name] if name in prepared else (lambda x: x, ops[name])
    inputs = [x.requires_grad_() if name.endswith("Gradient") and name in prepared else x
              for x in prepare([operand(spec) for spec in request["inputs"]])]
    params = request["params"]

    def once():
        with torch.inference_mode():
            run(inputs, params)

    return once
