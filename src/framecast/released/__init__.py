"""The models that come with framecast. Each is a folder here, is loaded by its name, and has a card that says what it is.

    framecast forecast sun-171 sun.zarr forecast.zarr
    framecast.load("corona-synth")
"""

from pathlib import Path

CARD = "CARD.md"


def released_models() -> dict[str, Path]:
    """Return the folder of every released model by its name."""
    return {card.parent.name: card.parent for card in sorted(Path(__file__).parent.glob(f"*/{CARD}"))}
