"""Projection of a point of the Sun's surface to the sky of an observer.

Plain spherical geometry with perspective (Thompson 2006, A&A 449, 791), vectorised over points and observers. Angles
are in degrees, positions in the sky (helioprojective) in arcsec: ``x`` to solar west, ``y`` to solar north.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SOLAR_RADIUS = 695_700_000.0
"""Radius of the Sun in metres: the nominal value of IAU resolution 2015 B3."""

ARCSEC = np.degrees(1.0) * 3600.0
"""Arcseconds in one radian."""


@dataclass(frozen=True, kw_only=True)
class Observer:
    """The position of an observer, or those of several as arrays.

    Attributes:
        longitude: Carrington longitude of the point below the observer, in degrees (FITS: CRLN_OBS).
        latitude: its heliographic latitude, in degrees (CRLT_OBS, HGLT_OBS, B0).
        distance: from the Sun's centre, in metres (DSUN_OBS).
    """

    longitude: Any
    latitude: Any
    distance: Any

    @classmethod
    def of(cls, observers: "Sequence[Observer]") -> "Observer":
        """Return the positions of ``observers`` as arrays."""
        places = np.array([(each.longitude, each.latitude, each.distance) for each in observers], np.float64)
        return cls(**dict(zip(("longitude", "latitude", "distance"), places.reshape(-1, 3).T, strict=True)))

    @property
    def limb(self) -> float:
        """Angular radius of the Sun's disk, in arcsec."""
        return float(np.arcsin(SOLAR_RADIUS / self.distance) * ARCSEC)


def project(longitude: npt.ArrayLike, latitude: npt.ArrayLike, observer: Observer) -> tuple[Array, Array, Array]:
    """Return the apparent positions of points of the surface (x and y in arcsec), and μ.

    μ is the cosine of the heliocentric angle, 1 at disk centre and negative behind the limb. Angles are in degrees,
    longitudes Carrington's; points and observers are broadcast together.

    With the longitude Φ counted from the observer's, latitude Θ, observer's latitude B (Thompson 2006, eq. 11):
    x = R cosΘ sinΦ, y = R (sinΘ cosB − cosΘ cosΦ sinB), z = R (sinΘ sinB + cosΘ cosΦ cosB), and then with perspective
    (eq. 15) tan θx = x/(D − z), sin θy = y/d where d² = x² + y² + (D − z)².
    """
    phi = np.radians(np.asarray(longitude, np.float64) - np.asarray(observer.longitude, np.float64))
    theta, b = np.radians(np.asarray(latitude, np.float64)), np.radians(np.asarray(observer.latitude, np.float64))
    mu = np.sin(theta) * np.sin(b) + np.cos(theta) * np.cos(phi) * np.cos(b)
    x = SOLAR_RADIUS * np.cos(theta) * np.sin(phi)
    y = SOLAR_RADIUS * (np.sin(theta) * np.cos(b) - np.cos(theta) * np.cos(phi) * np.sin(b))
    depth = np.asarray(observer.distance, np.float64) - SOLAR_RADIUS * mu
    away = np.sqrt(x**2 + y**2 + depth**2)
    return np.arctan2(x, depth) * ARCSEC, np.arcsin(y / away) * ARCSEC, mu


def unproject(x: npt.ArrayLike, y: npt.ArrayLike, observer: Observer) -> tuple[Array, Array]:
    """Return Carrington longitude and heliographic latitude (degrees) seen in the directions ``x``, ``y`` (arcsec).

    NaN for directions beyond the limb. The line of sight from the observer at distance D meets the sphere where its
    length is D cosψ − √(R² − D² sin²ψ), with cosψ = cosθy cosθx.
    """
    x, y = np.asarray(x, np.float64) / ARCSEC, np.asarray(y, np.float64) / ARCSEC
    along = observer.distance * np.cos(y) * np.cos(x)
    inside = SOLAR_RADIUS**2 - observer.distance**2 + along**2
    length = along - np.sqrt(np.where(inside >= 0, inside, np.nan))
    west, north = length * np.cos(y) * np.sin(x), length * np.sin(y)
    near = observer.distance - length * np.cos(y) * np.cos(x)
    b = np.radians(observer.latitude)
    latitude = np.degrees(np.arcsin((north * np.cos(b) + near * np.sin(b)) / SOLAR_RADIUS))
    longitude = np.degrees(np.arctan2(west, near * np.cos(b) - north * np.sin(b)))
    return (observer.longitude + longitude) % 360, latitude


def from_centre(x: npt.ArrayLike, y: npt.ArrayLike) -> Array:
    """Return the angle in arcsec between the directions ``x``, ``y`` (arcsec) and the centre of the Sun."""
    cosine = np.cos(np.asarray(y, np.float64) / ARCSEC) * np.cos(np.asarray(x, np.float64) / ARCSEC)
    return np.asarray(np.arccos(np.clip(cosine, -1.0, 1.0)) * ARCSEC)
