"""The models that come with framecast: each is a folder here, loaded by its name.

    framecast forecast sun-171 sun.zarr forecast.zarr
    framecast.load("corona-synth")

The card in each folder says what the model is, what it was trained on, and how good it is.
"""

from pathlib import Path

CARD = "CARD.md"


def released_models() -> dict[str, Path]:
    """Return the folder of every released model by its name."""
    return {card.parent.name: card.parent for card in sorted(Path(__file__).parent.glob(f"*/{CARD}"))}
