"""Quality flags of the observatory: the bits of AIA's QUALITY word.

The meanings follow table 2 of section 7.7.6 of the Guide to SDO Data Analysis (DeRosa and Slater).
"""

from collections.abc import Collection

MEANINGS: dict[int, str] = {
    0: "no flat field",
    1: "no orbit data",
    2: "no ancillary science data (roll and pointing of the spacecraft)",
    3: "no master pointing",
    4: "no limb fit",
    8: "some pixels are missing",
    9: "over 1 % of the pixels are missing",
    10: "over 5 % of the pixels are missing",
    11: "over 25 % of the pixels are missing",
    12: "the spacecraft was not in science pointing",
    13: "the spacecraft was in eclipse",
    14: "the spacecraft did not see the Sun",
    15: "the spacecraft was in safe mode",
    16: "dark image",
    17: "the image stabilisation was off",
    18: "calibration image",
    20: "out of focus",
    21: "the camera's register flag was set",
    24: "some pixels are saturated",
    30: "quick-look calibration",
    31: "no image",
}

SATURATED = 24
"""Set by framecast, not by the observatory, in a bit that AIA does not use."""
QUICK_LOOK = 30
NO_IMAGE = 31

HARMLESS: frozenset[int] = frozenset({QUICK_LOOK, SATURATED})
"""Bits that do not affect pixels with a value: near-real-time frames are calibrated like all others,
only earlier, and saturated pixels are masked."""


def doubts(word: int, *, accepted: Collection[int] = HARMLESS) -> int:
    """Return ``word`` without the ``accepted`` bits: 0 for a frame that can be used."""
    for bit in accepted:
        word &= ~(1 << bit)
    return word


def explain(word: int) -> list[str]:
    """Return the meaning of every bit set in ``word``, lowest first."""
    return [MEANINGS.get(bit, f"undocumented bit {bit}") for bit in range(word.bit_length()) if word >> bit & 1]
