"""Video UNets of other libraries with about as many parameters as the paper's network.

Each takes ``(x, time, past)`` as the networks of framecast do. None of them is made for the task alone: diffusers' is
for text to video and gets one word that says nothing, azula's is a UNet of any dimension whose strides here leave time
alone. lucidrains' video-diffusion-pytorch asks for torchvision and is left out.

    pip install diffusers
    pip install --no-deps azula einops        # nothing of its torchvision is used here
"""

import torch
from torch import Tensor, nn

from framecast.networks.embedding import sinusoids


class Diffusers(nn.Module):
    """``UNet3DConditionModel`` with four resolutions; attention over space and over time."""

    def __init__(self, *, width: int, size: int, past_channels: int, future_channels: int):
        super().__init__()
        from diffusers import UNet3DConditionModel

        self.network = UNet3DConditionModel(
            sample_size=size,
            in_channels=past_channels + future_channels,
            out_channels=future_channels,
            block_out_channels=(width, 2 * width, 2 * width, 3 * width),
            norm_num_groups=8,
            cross_attention_dim=32,
            attention_head_dim=8,
            layers_per_block=1,
        )

    def forward(self, x: Tensor, time: Tensor, past: Tensor) -> Tensor:
        return self.network(torch.cat([x, past], dim=1), time, x.new_zeros(len(x), 1, 32)).sample


class Azula(nn.Module):
    """``UNet`` with three resolutions; 3×3×3 convolutions, the time by adaptive norms."""

    def __init__(self, *, width: int, size: int, past_channels: int, future_channels: int):
        super().__init__()
        from azula.nn.unet import UNet

        self.network = UNet(
            in_channels=past_channels + future_channels,
            out_channels=future_channels,
            hid_channels=(width, 2 * width, 4 * width),
            hid_blocks=(1, 2, 2),
            stride=(1, 2, 2),
            spatial=3,
            mod_features=256,
        )

    def forward(self, x: Tensor, time: Tensor, past: Tensor) -> Tensor:
        return self.network(torch.cat([x, past], dim=1), sinusoids(time, 256))


def installed_peers(**sizes: int) -> dict[str, nn.Module]:
    """Return by name those whose library is installed, built for these sizes."""
    peers = {}
    for name, kind in (("diffusers UNet3DConditionModel", Diffusers), ("azula UNet", Azula)):
        try:
            network = kind(**sizes).eval()
        except ImportError as error:
            print(f"{name} is left out: {error}")
            continue
        millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
        peers[f"{name}, {millions:.1f} M parameters"] = network
    return peers
