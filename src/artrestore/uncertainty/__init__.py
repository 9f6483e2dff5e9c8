"""How sure a restoration is: intervals that hold as often as they say, and measures of uncertainty.

A network gives each value of a picture a mean and the scale b of a Laplace distribution around it. Its interval is
mean ± factor * b, and `Calibration` has the factor. Arrays in, arrays and numbers out; what is promised, and for
which pictures, is told for users in `docs/explanation/uncertainty.md`.
"""

from artrestore.uncertainty.calibration import Calibration

__all__ = ["Calibration"]
