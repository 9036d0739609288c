"""Networks over images in PyTorch: the same as images.js."""

import torch
from torch import nn


def noise(*shape):
    return torch.rand(*shape) * 2 - 1


class Generator(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Linear(100, 7 * 7 * 128, bias=False),
            nn.Unflatten(1, (128, 7, 7)),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.ConvTranspose2d(128, 64, 5, stride=2, padding=2, output_padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 1, 5, stride=2, padding=2, output_padding=1),
            nn.Tanh(),
        )


class Discriminator(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 64, 5, stride=2, padding=2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(7 * 7 * 128, 1),
        )


def layout(request, thing):
    return thing.to(memory_format=torch.channels_last) if request.get("layout") == "nhwc" else thing


def dcgan_train(request):
    batch = request["batch"]
    generator, discriminator = layout(request, Generator()), layout(request, Discriminator())
    first, second = (
        torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999)) for network in (generator, discriminator)
    )
    real, z = layout(request, noise(batch, 1, 28, 28)), noise(batch, 100)
    softplus = nn.functional.softplus

    def run():
        made = generator(z)
        second.zero_grad(set_to_none=True)
        discriminator_loss = softplus(-discriminator(real)).mean() + softplus(discriminator(made.detach())).mean()
        discriminator_loss.backward()
        second.step()
        first.zero_grad(set_to_none=True)
        for parameter in discriminator.parameters():
            parameter.requires_grad_(False)
        generator_loss = softplus(-discriminator(made)).mean()
        generator_loss.backward()
        first.step()
        for parameter in discriminator.parameters():
            parameter.requires_grad_(True)
        total = (discriminator_loss + generator_loss).item()
        assert total == total

    return run


class Bottleneck(nn.Module):
    """Convolutions with the normalizations folded in, as for inference."""

    def __init__(self, channels, narrow, stride, projects):
        super().__init__()
        self.shortcut = nn.Conv2d(channels, 4 * narrow, 1, stride) if projects else nn.Identity()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, narrow, 1, stride), nn.ReLU(),
            nn.Conv2d(narrow, narrow, 3, padding=1), nn.ReLU(),
            nn.Conv2d(narrow, 4 * narrow, 1),
        )

    def forward(self, x):
        return torch.relu_(self.branch(x).add_(self.shortcut(x)))


def resnet50():
    parts = [nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, depth in enumerate([3, 4, 6, 3]):
        narrow = 64 * 2**stage
        for i in range(depth):
            parts.append(Bottleneck(channels, narrow, 2 if i == 0 and stage > 0 else 1, i == 0))
            channels = 4 * narrow
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000), nn.Softmax(1))


def resnet50_infer(request):
    model = layout(request, resnet50()).eval()
    x = layout(request, noise(request.get("batch", 1), 3, 224, 224))

    def run():
        with torch.inference_mode():
            assert model(x)[0, 0].item() >= 0

    return run
