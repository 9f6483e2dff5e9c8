"""ICC profiles made by hand: small matrix and grey profiles of version 2."""

import struct

from artrestore.io.libvips import built_in_profile

_D50 = (0.9642, 1.0, 0.8249)
# Red, green and blue of Adobe RGB (1998) and of ProPhoto, adapted to D50.
_ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
_PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03135, 0.00009, 0.82491))


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def _profile(space: bytes, name: bytes, tags: dict[bytes, bytes]) -> bytes:
    described = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + b"\0" * 79
    tags = {b"desc": described, b"cprt": b"text\0\0\0\0none\0", b"wtpt": _xyz(_D50)} | tags
    table, values = b"", b""
    start = 132 + 12 * len(tags)
    for tag, value in tags.items():
        table += struct.pack(">4sII", tag, start + len(values), len(value))
        values += value + b"\0" * (-len(value) % 4)
    body = struct.pack(">I", len(tags)) + table + values
    head = struct.pack(">I4xI4s4s4s12x4s28x", 128 + len(body), 0x02100000, b"mntr", space, b"XYZ ", b"acsp")
    return (head + b"".join(map(_fixed, _D50))).ljust(128, b"\0") + body


def _rgb(name: bytes, primaries: tuple[tuple[float, ...], ...], gamma: float) -> bytes:
    tags = {b"rXYZ": _xyz(primaries[0]), b"gXYZ": _xyz(primaries[1]), b"bXYZ": _xyz(primaries[2])}
    return _profile(b"RGB ", name, tags | {tag: _curve(gamma) for tag in (b"rTRC", b"gTRC", b"bTRC")})


ADOBE_RGB = _rgb(b"Adobe RGB", _ADOBE, 2.19921875)
PROPHOTO = _rgb(b"ProPhoto", _PROPHOTO, 1.8)
GREY_GAMMA = _profile(b"GRAY", b"Grey 1.8", {b"kTRC": _curve(1.8)})
DISPLAY_P3 = built_in_profile("p3")
CMYK = built_in_profile("cmyk")
SRGB = built_in_profile("srgb")
