"""Filters of single fields: blur, soft thresholds, raking light."""

import cv2
import numpy as np
import numpy.typing as npt

from artrestore.damage.base import Array


def blur(field: Array, sigma: float) -> Array:
    """Gaussian blur of (H, W) or (C, H, W); edges are reflected. Below 0.1 px nothing happens."""
    if sigma < 0.1 or field.size == 0:
        return field
    if field.ndim == 3:
        return np.stack([blur(channel, sigma) for channel in field])
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float32)


def broad_blur(field: Array, sigma: float) -> Array:
    """Gaussian blur (H, W) of any width in about the same time: wide ones are made on a smaller copy."""
    factor = int(min(sigma / 4, *field.shape))
    if factor < 2:
        return blur(field, sigma)
    height, width = field.shape
    small = cv2.resize(field, (-(-width // factor), -(-height // factor)), interpolation=cv2.INTER_AREA)
    blurred = blur(np.asarray(small, np.float32), sigma / factor)
    enlarged = cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR)
    return blur(np.asarray(enlarged, np.float32), 0.8 * factor)  # or its slope would show the small copy's pixels


def step_at(field: npt.ArrayLike, threshold: float, softness: float) -> Array:
    """0 below the threshold, 1 above, smoothly over `softness` on each side (a cubic smoothstep)."""
    ramp = np.clip((np.asarray(field, np.float32) - threshold) / (2 * softness) + 0.5, 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)


def relief(height: Array, angle: float) -> Array:
    """Light and shade on a surface: its slope towards a raking light.

    Args:
        height: (H, W), in pixels.
        angle: where the light comes from, radians, counter-clockwise from the right.

    Returns:
        (H, W), positive on slopes that face the light; 0 where the surface is flat.
    """
    if min(height.shape) < 2:
        return np.zeros_like(height)
    down, right = np.gradient(height)
    return np.asarray(np.sin(angle) * down - np.cos(angle) * right, np.float32)


def shifted(field: Array, down: float, right: float) -> Array:
    """A field (H, W) moved by a part of a pixel or many; its border's values fill what becomes free."""
    move = np.array([[1, 0, right], [0, 1, down]], np.float32)
    size = (field.shape[1], field.shape[0])
    return np.asarray(cv2.warpAffine(field, move, size, borderMode=cv2.BORDER_REPLICATE), np.float32)
