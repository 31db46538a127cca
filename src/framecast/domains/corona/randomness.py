"""Independent streams of random numbers for each region and each oracle member, whatever is drawn beside them."""

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Streams:
    """Generators of one region, one for each purpose, so that drawing more of one changes none of the others."""

    geometry: np.random.Generator
    beginning: np.random.Generator
    evolution: np.random.Generator
    photons: np.random.Generator


def region_streams(seed: int, region: int) -> Streams:
    """Return the generators of region number ``region``."""
    return Streams(*map(np.random.default_rng, np.random.SeedSequence(seed, spawn_key=(region,)).spawn(4)))


def member_streams(seed: int, window: str, member: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Return evolution and photons of one oracle member; they depend on these three values alone."""
    digest = hashlib.sha256(window.encode()).digest()
    words = np.frombuffer(digest, dtype="<u4").astype(int).tolist()
    sequence = np.random.SeedSequence([seed, *words], spawn_key=(member,))
    evolution, photons = sequence.spawn(2)
    return np.random.default_rng(evolution), np.random.default_rng(photons)
