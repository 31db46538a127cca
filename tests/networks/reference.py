"""The paper's two networks written plainly: `Conv3d`, `nn.MultiheadAttention`, everything contiguous NCDHW.

Written from the description of the networks, not from the fast ones; only the names of the parts are theirs, so that
weights carry over by name and a change of shape.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv_pair(i, o):
    return [
        nn.Conv3d(i, o, (1, 3, 3), padding=(0, 1, 1), bias=False),
        nn.Conv3d(o, o, (3, 1, 1), padding=(1, 0, 0), bias=False),
    ]


def conv_spatial(i, o):
    return [nn.Conv3d(i, o, (1, 3, 3), padding=(0, 1, 1), bias=False)]


def conv_full(i, o):
    return [nn.Conv3d(i, o, 3, padding=1, bias=False)]


class ReferenceBlock(nn.Module):
    def __init__(self, i, o, m=None, convs=conv_pair, residual=False):
        super().__init__()
        m = m or o
        self.residual = residual
        self.layers = nn.Sequential(*convs(i, m), nn.GroupNorm(1, m), nn.GELU(), *convs(m, o), nn.GroupNorm(1, o))

    def forward(self, x):
        return functional.gelu(x + self.layers(x)) if self.residual else self.layers(x)


class ReferenceAttention(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.norm = nn.LayerNorm(c)
        self.attention = nn.MultiheadAttention(c, heads, batch_first=True)
        self.feed_forward = nn.Sequential(nn.LayerNorm(c), nn.Linear(c, c), nn.GELU(), nn.Linear(c, c))

    def forward(self, x):
        batch, channels, *size = x.shape
        tokens = x.reshape(batch, channels, -1).transpose(1, 2)
        normed = self.norm(tokens)
        tokens = tokens + self.attention(normed, normed, normed)[0]
        tokens = tokens + self.feed_forward(tokens)
        return tokens.transpose(1, 2).reshape(batch, channels, *size)


class ReferenceDown(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.keep, self.change = ReferenceBlock(i, i, residual=True), ReferenceBlock(i, o)
        self.shift = nn.Sequential(nn.SiLU(), nn.Linear(256, o))

    def forward(self, x, embedding):
        x = self.change(self.keep(functional.max_pool3d(x, (1, 2, 2))))
        return x + self.shift(embedding)[:, :, None, None, None]


class ReferenceUp(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.keep, self.change = ReferenceBlock(i, i, residual=True), ReferenceBlock(i, o, i // 2)
        self.shift = nn.Sequential(nn.SiLU(), nn.Linear(256, o))

    def forward(self, x, skip, embedding):
        x = functional.interpolate(x, scale_factor=(1, 2, 2), mode="trilinear", align_corners=True)
        x = self.change(self.keep(torch.cat([skip, x], dim=1)))
        return x + self.shift(embedding)[:, :, None, None, None]


class Reference(nn.Module):
    """``deep`` chooses between the two networks."""

    def __init__(
        self, *, width, past_channels, future_channels, deep=False, classes=0, encoder_attention=1, full=False, heads=4
    ):
        super().__init__()
        w = width
        encoder = [w, 2 * w, 2 * w, 4 * w, 4 * w] if deep else [w, 2 * w, 2 * w, 4 * w]
        middle = [4 * w, 8 * w, 8 * w, 4 * w if deep else 2 * w]
        ups = (
            [(8 * w, 2 * w), (4 * w, 2 * w), (4 * w, w), (2 * w, w)]
            if deep
            else [(4 * w, 2 * w), (4 * w, w), (2 * w, w)]
        )
        self.classes = classes
        if classes:
            self.label = nn.Embedding(classes + 1, 256)
        self.first = ReferenceBlock(past_channels + future_channels, w, convs=conv_spatial)
        self.down = nn.ModuleList(ReferenceDown(encoder[k], encoder[k + 1]) for k in range(len(encoder) - 1))
        levels = len(self.down)
        self.down_attention = nn.ModuleDict(
            {
                str(k): ReferenceAttention(encoder[k + 1], heads)
                for k in range(levels)
                if k >= levels - encoder_attention
            }
        )
        bottleneck = []
        for k in range(3):
            convs = conv_full if full else conv_pair
            bottleneck += [
                ReferenceBlock(middle[k], middle[k + 1], convs=convs),
                ReferenceAttention(middle[k + 1], heads),
            ]
        self.middle = nn.Sequential(*bottleneck)
        self.up = nn.ModuleList(ReferenceUp(i, o) for i, o in ups)
        self.last = nn.Conv3d(w, future_channels, 1)

    def forward(self, x: Tensor, time: Tensor, past: Tensor, label: Tensor | None = None) -> Tensor:
        frequencies = (1.0 / 10000.0 ** (torch.arange(0, 256, 2, dtype=torch.float64) / 256)).to(x)
        angles = time[:, None] * frequencies
        embedding = torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)
        if self.classes:
            nulls = torch.full((len(x),), self.classes)
            embedding = embedding + self.label(nulls if label is None else label)

        frames = max(x.shape[2], past.shape[2])
        future = x.new_zeros(*x.shape[:2], frames, *x.shape[3:])
        future[:, :, : x.shape[2]] = x
        oldest_first = [past[:, :, 0]] * (frames - past.shape[2]) + list(past.unbind(2))
        h = self.first(torch.cat([torch.stack(oldest_first, dim=2), future], dim=1))

        skips = []
        for k, down in enumerate(self.down):
            skips.append(h)
            h = down(h, embedding)
            if str(k) in self.down_attention:
                h = self.down_attention[str(k)](h)
        h = self.middle(h)
        for up in self.up:
            h = up(h, skips.pop(), embedding)
        return self.last(h)[:, :, : x.shape[2]]


def plain_name(name: str) -> str:
    """Name in the plain network of a parameter of the fast one."""
    for fast, plain in (
        ("embedding.label.", "label."),
        ("query_key_value.", "attention.in_proj_"),
        ("shift.project.", "shift.1."),
        ("project.", "attention.out_proj."),
    ):
        if fast in name:
            return name.replace(fast, plain)
    return name


def carry_over(fast: dict[str, Tensor], plain: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the fast network (weights or gradients) under the names and in the shapes of the plain one."""
    carried = {}
    for fast_name, value in fast.items():
        name = plain_name(fast_name)
        shape = plain[name].shape
        if value.ndim == 4 and value.shape[1] == 3 * shape[1]:  # 3×3×3, time in front of the input channels
            carried[name] = value.unflatten(1, (3, -1)).transpose(1, 2)
        else:
            carried[name] = value.reshape(shape)
    assert carried.keys() == plain.keys()
    return carried
