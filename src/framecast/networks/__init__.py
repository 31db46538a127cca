"""The networks: from a noisy future, a diffusion time and a past to a prediction. They are independent of diffusion.

``VideoUNet(width=32)`` says how a network is built; training builds it for the channels of its data. A custom network
is any ``nn.Module`` that can be called like `Network`.
"""

from typing import Annotated

from framecast.core.configuration import OneOf
from framecast.networks.base import Network, NetworkOptions, OwnNetwork, check_size, live_values, padding
from framecast.networks.palette import PaletteModelVideo, PaletteModelVideoDeep, PaletteVideo, PaletteVideoDeep
from framecast.networks.video_unet import VideoUNet, VideoUNetModule

AnyNetwork = Annotated[NetworkOptions, OneOf(PaletteVideo, PaletteVideoDeep, VideoUNet, own=OwnNetwork)]
"""Configuration of any network, identified by its ``kind``."""

__all__ = [
    "AnyNetwork",
    "Network",
    "NetworkOptions",
    "OwnNetwork",
    "PaletteModelVideo",
    "PaletteModelVideoDeep",
    "PaletteVideo",
    "PaletteVideoDeep",
    "VideoUNet",
    "VideoUNetModule",
    "check_size",
    "live_values",
    "padding",
]
