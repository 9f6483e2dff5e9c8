"""Choosing the device and the precision: what is asked for is given or refused, never replaced in silence."""

import contextlib
import functools
import re
import time
from dataclasses import dataclass
from typing import Literal

import torch

from artrestore.errors import DeviceError, UsageError

Precision = Literal["auto", "fp32", "bf16"]
_GAIN = 1.2  # bf16 has to be so much faster, or its rounding is not worth it
_CHANNELS, _SIDE, _RUNS = 96, 64, 5  # of the convolution that is timed, some milliseconds


@dataclass(frozen=True, kw_only=True)
class DeviceInfo:
    """A device that is there: its name for `--device`, what it is, and whether bf16 runs natively on it."""

    name: str
    description: str
    bf16: bool


def pick_device(name: str = "auto") -> torch.device:
    """The device for a name: `auto` (CUDA, else MPS, else CPU), `cpu`, `mps`, `cuda` or `cuda:N`.

    Raises:
        UsageError: no such kind of device.
        DeviceError: the device is not there.
    """
    if require_kind(name) == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("MPS is not available on this machine", hint="Use --device auto or --device cpu.")
    if kind == "cuda":
        count = torch.cuda.device_count()
        if int(index or 0) >= count:
            there = f"{count} CUDA device{'s' if count > 1 else ''}" if count else "no CUDA device"
            raise DeviceError(f"{name} was asked for, but {there} can be used here", hint="See: artrestore doctor")
    return torch.device(name)


def require_kind(name: str) -> str:
    """The same name, if it is one that devices have; such a device need not be there.

    Raises:
        UsageError: it is none.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:(0|[1-9][0-9]*))?", name, re.ASCII):
        raise UsageError(f"There is no kind of device named {name}", hint="Use auto, cpu, mps, cuda or cuda:1.")
    return name


def describe(device: torch.device) -> str:
    """The device in words, for the line that says what was taken."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    threads = torch.get_num_threads()
    return f"cpu ({threads} thread{'s' if threads > 1 else ''})" if device.type == "cpu" else str(device)


def runs_bf16(device: torch.device) -> bool:
    """Whether bf16 runs on the device's own instructions, not emulated."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.backends.mkldnn.is_available()) and _cpu_has_bf16()
    return False


def uses_bf16(precision: Precision, device: torch.device) -> bool:
    """Resolve `--precision`: `auto` means bf16 where it runs natively and, on a CPU, is found to be faster.

    Raises:
        DeviceError: bf16 was asked for on a device that has none.
    """
    if precision == "bf16" and device.type == "mps":
        raise DeviceError("bf16 is not supported on mps", hint="Use --precision fp32.")
    if precision != "auto":
        return precision == "bf16"
    return runs_bf16(device) and (device.type != "cpu" or _bf16_is_faster())


def autocast(device: torch.device, *, bf16: bool) -> contextlib.AbstractContextManager[None]:
    """A context in which convolutions run in bf16, or one that does nothing."""
    if not bf16:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def available_devices() -> list[DeviceInfo]:
    """Every device on this machine, the CPU first."""
    found = [torch.device("cpu")]
    found += [torch.device(f"cuda:{index}") for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append(torch.device("mps"))
    return [DeviceInfo(name=str(d), description=describe(d), bf16=runs_bf16(d)) for d in found]


def _cpu_has_bf16() -> bool:
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # since torch 2.9
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


@functools.cache
def _bf16_is_faster() -> bool:
    """Whether this CPU convolves faster in bf16: some that have instructions for it take twice the time."""
    fp32, bf16 = (_seconds_to_convolve(dtype) for dtype in (torch.float32, torch.bfloat16))
    return fp32 > _GAIN * bf16


def _seconds_to_convolve(dtype: torch.dtype) -> float:
    """The shortest of some runs of what networks spend most of their time on, a dense 3x3 convolution.

    On one thread, by the time that it computes: what else the machine does must not decide, or two runs of one
    command would differ.
    """
    shapes = (1, _CHANNELS, _SIDE, _SIDE), (_CHANNELS, _CHANNELS, 3, 3)
    features, kernel = (torch.zeros(s, dtype=dtype).to(memory_format=torch.channels_last) for s in shapes)
    times, threads = [], torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        for _ in range(1 + _RUNS):  # the first one sets up
            begun = time.thread_time()
            torch.conv2d(features, kernel, padding=1)
            times.append(time.thread_time() - begun)
    torch.set_num_threads(threads)
    return min(times)
