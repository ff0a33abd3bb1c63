"""What a surveillance camera does to light: exposure, colour cast, low resolution, blur, noise and JPEG."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter1d

from isp_assets.walkers.generate.arrays import Bytes, Colour, Floats


@dataclass(frozen=True)
class Sensor:
    """A camera's electronics. `resolution` is the share of the image's pixels per axis that the sensor had."""

    exposure: float
    cast: Colour
    contrast: float
    saturation: float
    resolution: float
    blur: float  # sigma in sensor pixels
    noise: float  # sigma, of full scale


def tone(light: Floats, sensor: Sensor, gain: float) -> Floats:
    """Linear light (H, W, 3) -> display values in 0..1: gain and cast, a soft shoulder, contrast, saturation."""
    exposed = light * sensor.exposure * gain * np.array(sensor.cast)
    display = np.clip(1 - np.exp(-1.35 * exposed), 0, 1) ** (1 / 2.2)
    display = 0.5 + (display - 0.5) * sensor.contrast
    grey = display @ np.array([0.30, 0.59, 0.11])
    out: Floats = np.clip(grey[..., None] + (display - grey[..., None]) * sensor.saturation, 0, 1)
    return out


def _resize(picture: Bytes, size: tuple[int, int], method: Image.Resampling) -> Bytes:
    return np.asarray(Image.fromarray(picture).resize(size, method))


def develop(light: Floats, sensor: Sensor, rng: np.random.Generator) -> Bytes:
    """Linear light (H, W, 3) -> uint8 image (H, W, 3) as the camera would deliver it."""
    height, width = light.shape[:2]
    picture = np.asarray(tone(light, sensor, float(np.exp(rng.normal(0, 0.12)))) * 255, np.uint8)
    share = min(1.0, sensor.resolution * float(np.exp(rng.normal(0, 0.10))))
    if share < 1:
        picture = _resize(
            picture, (max(24, round(width * share)), max(48, round(height * share))), Image.Resampling.BILINEAR
        )
    values = picture / 255
    if rng.random() < 0.25:  # motion
        values = uniform_filter1d(values, int(rng.integers(2, 4)), axis=1)
    values = gaussian_filter(values, (sensor.blur, sensor.blur, 0))
    grain = rng.normal(0, 1, values.shape[:2])[..., None] * 0.8 + rng.normal(0, 1, values.shape) * 0.5
    values = values + rng.normal(0, 0.008, 3) + grain * sensor.noise
    picture = np.asarray(np.clip(values, 0, 1) * 255, np.uint8)
    return _resize(picture, (width, height), Image.Resampling.BICUBIC)


def jpeg(picture: Bytes, quality: int) -> bytes:
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()
