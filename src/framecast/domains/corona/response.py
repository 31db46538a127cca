"""The response of a passband to plasma at a temperature, and its photon noise.

Each of SDO/AIA's passbands is a sum of Gaussians in log10 temperature about its principal lines (peaks after
Lemen et al. 2012, Solar Physics 275, 17, table 1; widths and heights are round numbers). The unit of emission
measure is the one that gives 1000 DN/s in 193 at its peak.

Photon noise: a photon of energy E frees E/3.65 eV electrons and 18 electrons make one DN (Boerner et al. 2012,
Solar Physics 275, 41, section 2), so that one photon of wavelength λ is worth about 189/λ DN.
"""

import numpy as np

from framecast.core.errors import ConfigError

# Passband: (peak log10 T, width, DN/s per unit emission measure) of its principal lines.
_LINES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "94": ((6.85, 0.13, 60.0), (6.05, 0.15, 4.0)),
    "131": ((7.05, 0.15, 120.0), (5.75, 0.15, 60.0)),
    "171": ((5.90, 0.16, 1300.0),),
    "193": ((6.19, 0.15, 1000.0), (7.25, 0.15, 40.0)),
    "211": ((6.30, 0.14, 600.0), (5.70, 0.25, 40.0)),
    "335": ((6.43, 0.15, 60.0), (5.40, 0.30, 6.0)),
}


def check_channels(channels: tuple[str, ...]) -> None:
    """Raise `ConfigError` unless the channels are known passbands, each once."""
    unknown = [name for name in channels if name not in _LINES]
    if unknown or not channels or len(set(channels)) != len(channels):
        raise ConfigError(f"channels are {list(channels)}; name at least one of {', '.join(_LINES)}, each once")


def response(channel: str, temperature: np.ndarray) -> np.ndarray:
    """Return DN/s per unit emission measure at ``temperature`` (log10 kelvin), the same shape."""
    return sum(  # type: ignore[return-value]
        height * np.exp(-0.5 * np.square((temperature - peak) / width)) for peak, width, height in _LINES[channel]
    )


def dn_per_photon(channel: str) -> float:
    """Return the DN per photon of the passband."""
    electronvolt_ångström, electronvolt_per_electron, electrons_per_dn = 12398.4, 3.65, 18.0
    return electronvolt_ångström / (electronvolt_per_electron * electrons_per_dn * float(channel))


def expose(
    intensity: np.ndarray, channels: tuple[str, ...], exposure: float, generator: np.random.Generator
) -> np.ndarray:
    """Return what a camera reads of the expected DN/s ``[..., channel, y, x]`` in ``exposure`` s, the same shape.

    It counts Poisson photons; the expectation of its DN/s, float32, is ``intensity``.
    """
    worth = np.array([dn_per_photon(name) for name in channels])[:, None, None] / exposure
    return (generator.poisson(intensity / worth) * worth).astype(np.float32)
