"""Attention between all tokens of a video, over time, height and width at once."""

from torch import nn
from torch.nn import functional

from framecast.networks.layout import Video


class SpaceTimeAttention(nn.Module):
    """Self-attention over all T·H·W tokens, then a small network on every token, each with a residual.

    x ← x + Attention(LayerNorm(x)), x ← x + Linear(GELU(Linear(LayerNorm(x)))), both linear maps C → C. The
    tokens ``[B, T·H·W, C]`` are a view of the video. Weights start as those of
    `torch.nn.MultiheadAttention` do.
    """

    def __init__(self, channels: int, *, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, channels), nn.GELU(), nn.Linear(channels, channels)
        )
        nn.init.xavier_uniform_(self.query_key_value.weight)
        nn.init.zeros_(self.query_key_value.bias)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Video) -> Video:
        """Apply attention between all tokens of each sample."""
        tokens = x.flatten(1, 3)
        split = self.query_key_value(self.norm(tokens)).unflatten(2, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        heard = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.project(heard.transpose(1, 2).flatten(2))
        return (tokens + self.feed_forward(tokens)).reshape(x.shape)
