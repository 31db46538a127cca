"""The networks: from a noisy future, a diffusion time and a past to a prediction. They know nothing of diffusion."""

from framecast.networks.palette import PaletteModelVideo, PaletteModelVideoDeep, PaletteVideo, PaletteVideoDeep
from framecast.networks.video_unet import VideoUNet, VideoUNetConfig

AnyNetwork = PaletteVideo | PaletteVideoDeep | VideoUNetConfig
"""Configuration of any network, told apart by its ``kind``."""

__all__ = [
    "AnyNetwork",
    "PaletteModelVideo",
    "PaletteModelVideoDeep",
    "PaletteVideo",
    "PaletteVideoDeep",
    "VideoUNet",
    "VideoUNetConfig",
]
