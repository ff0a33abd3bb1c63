"""Names of the array types used throughout the generator."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Colour = tuple[float, float, float]  # sRGB, each in 0..1
