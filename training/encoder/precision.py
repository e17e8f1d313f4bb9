"""Where to compute, and in which number format."""

import time
from functools import cache

import torch
from accelerate import PartialState


def this_process() -> PartialState:
    """Return which device is this process's, and which of several processes it is (`accelerate launch`)."""
    return PartialState(cpu=not torch.cuda.is_available())


def best_device() -> torch.device:
    return this_process().device


def cuda_devices() -> list[torch.device]:
    """Return the GPUs of this process, whose random states are not ours to change: one or none."""
    device = best_device()
    return [device] if device.type == "cuda" else []


def resolve_precision(wish: str, device: torch.device) -> str:
    """Return "bf16" or "fp32" for a wish of "auto", "bf16" or "fp32"."""
    if wish != "auto":
        return wish
    return _faster_precision(device.type)


def batch_tokens_for(device: torch.device) -> int:
    """Return how many tokens to compute at once without gradients.

    On a CPU as many as fit a core's L2 cache; on a GPU enough that its work outlasts starting it.
    """
    return 65_536 if device.type == "cuda" else 2048


@cache
def _faster_precision(device_type: str) -> str:
    """Return bf16 where it is at least a fifth faster.

    A GPU says so itself. A CPU is timed, because a processor without bf16 instructions (AMX, AVX512-BF16)
    computes it correctly and many times slower, and torch has no public question to ask it; 50 ms a process.
    """
    if device_type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if _multiply_seconds(torch.float32) > 1.2 * _multiply_seconds(torch.bfloat16) else "fp32"


def _multiply_seconds(dtype: torch.dtype) -> float:
    """Return the shortest of five times for a layer's matrix product; the shortest has the least noise."""
    tokens, weights = torch.ones(512, 768, dtype=dtype), torch.ones(768, 768, dtype=dtype)
    seconds = []
    for _ in range(6):
        started = time.perf_counter()
        tokens @ weights
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])  # the first sets up the kernel
