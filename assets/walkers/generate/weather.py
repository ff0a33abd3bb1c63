"""The light and the electronics of every camera on its two days: what makes one person look like two."""

from dataclasses import dataclass

from isp_assets.walkers.generate.arrays import Colour
from isp_assets.walkers.generate.sensor import Sensor
from isp_assets.walkers.generate.shading import Light

_SUNNY: Colour = (1.45, 1.30, 1.05)
_LOW_SUN: Colour = (1.40, 1.05, 0.70)
_OVERCAST: Colour = (0.22, 0.22, 0.23)


@dataclass(frozen=True)
class Session:
    """A camera on one day."""

    light: Light
    sensor: Sensor


def _day(
    sun_from: tuple[float, float, float],
    sun: Colour,
    sky: Colour,
    exposure: float,
    cast: Colour,
    tone: tuple[float, float],
    optics: tuple[float, float, float],
) -> Session:
    """`tone` is contrast and saturation; `optics` resolution, blur and noise. The ground throws back a part of all."""
    shares = ((0.42, 0.10), (0.40, 0.09), (0.36, 0.07))  # of sky and sun, per colour: ground is warm
    red, green, blue = (a * above + b * ray for (a, b), above, ray in zip(shares, sky, sun, strict=True))
    return Session(Light(sun_from, sun, sky, (red, green, blue)), Sensor(exposure, cast, *tone, *optics))


# fmt: off
SHOPS = (
    _day((-0.55, 0.75, -0.5), _SUNNY, (0.40, 0.45, 0.53),
         0.96, (1.00, 1.00, 1.00), (1.02, 0.95), (1.00, 0.30, 0.009)),
    _day((0.3, 0.9, -0.4), _OVERCAST, (0.80, 0.85, 0.92),
         0.98, (0.97, 1.00, 1.05), (0.95, 0.80), (1.00, 0.34, 0.013)),
)
CROSSING = (
    _day((0.75, 0.55, -0.25), _LOW_SUN, (0.36, 0.40, 0.47),
         0.98, (1.07, 1.00, 0.88), (1.05, 0.95), (0.82, 0.42, 0.013)),
    _day((-0.5, 0.8, 0.1), (1.2, 1.15, 1.05), (0.45, 0.50, 0.57),
         0.74, (1.00, 1.00, 0.97), (1.00, 0.85), (0.82, 0.46, 0.015)),
)
ARCADE = (
    _day((0.15, 0.55, -0.8), (0.30, 0.31, 0.33), (0.70, 0.75, 0.84),
         1.02, (0.93, 1.00, 1.08), (1.00, 0.82), (0.98, 0.38, 0.013)),
    _day((0.55, 0.45, -0.7), (1.15, 1.00, 0.78), (0.42, 0.43, 0.46),
         0.94, (1.03, 1.00, 0.95), (1.05, 0.90), (0.98, 0.38, 0.013)),
)
PARK = (
    _day((-0.7, 0.75, 0.2), _SUNNY, (0.38, 0.44, 0.50),
         0.96, (1.00, 1.02, 0.95), (1.00, 1.00), (0.88, 0.38, 0.012)),
    _day((0.5, 0.9, -0.3), _OVERCAST, (0.72, 0.80, 0.86),
         0.96, (0.95, 1.03, 0.98), (0.92, 0.80), (0.88, 0.42, 0.016)),
)
SQUARE = (
    _day((0.2, 0.85, 0.45), (1.25, 1.22, 1.12), (0.45, 0.50, 0.57),
         0.84, (0.96, 1.03, 0.96), (0.95, 0.85), (0.68, 0.46, 0.016)),
    _day((-0.8, 0.38, -0.2), _LOW_SUN, (0.34, 0.37, 0.44),
         1.08, (1.02, 0.98, 1.00), (1.00, 0.90), (0.68, 0.46, 0.018)),
)
STATION = (
    _day((-0.25, 0.9, -0.3), (0.55, 0.48, 0.36), (0.52, 0.47, 0.38),
         1.14, (1.08, 1.00, 0.84), (1.00, 0.90), (0.93, 0.42, 0.020)),
    _day((0.35, 0.9, -0.2), (0.45, 0.46, 0.45), (0.50, 0.53, 0.52),
         0.96, (0.98, 1.04, 0.94), (0.98, 0.75), (0.93, 0.42, 0.023)),
)
# fmt: on
