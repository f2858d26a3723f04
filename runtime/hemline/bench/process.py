"""What a whole process of `hemline classify` takes: time to its first label, and memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import perf_counter

from hemline.errors import UserError
from hemline.preprocess import Frame

_MEMORY_FRAMES = 50
_PATIENCE_S = 120.0
_COMMAND = (sys.executable, "-m", "hemline", "classify", "--json")


def seconds_to_first_label(picture: Path, options: list[str]) -> float:
    """From the start of a process to the first line of its answer.

    Args:
        picture: A picture file.
        options: The model and how to run it, as `hemline classify` takes them.

    Raises:
        UserError: The process gave no answer.
    """
    start = perf_counter()
    with _started([str(picture), *options], subprocess.DEVNULL) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        took = perf_counter() - start
        process.stdout.read()
        _check(process, line)
    return took


def peak_memory_bytes(frame_bgr: Frame, options: list[str]) -> int | None:
    """The most memory that a process held in RAM while it classified frames from a pipe.

    Read from `VmHWM` in `/proc/PID/status`, proc(5), while the process waits for the next frame. The
    figure that `wait4` gives will not do: it begins with what the parent held at the fork.

    Args:
        frame_bgr: uint8, (H, W, 3), BGR; it is sent some times.
        options: The model and how to run it, as `hemline classify` takes them.

    Returns:
        Bytes, or None where the system does not tell.
    """
    height, width = frame_bgr.shape[:2]
    form = ["-", "--stdin", "bgr24", "--size", f"{width}x{height}"]
    with _started([*form, *options], subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        content, line = frame_bgr.tobytes(), b""
        for _ in range(_MEMORY_FRAMES):
            try:
                process.stdin.write(content)
                process.stdin.flush()
            except BrokenPipeError:
                break
            line = process.stdout.readline()
        peak = _peak_of(process.pid)
        process.stdin.close()
        process.stdout.read()
        _check(process, line)
    return peak


def _started(arguments: list[str], stdin: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*_COMMAND, *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def _check(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stderr is not None
    told = process.stderr.read().decode("utf-8", "replace").strip()
    status = process.wait(_PATIENCE_S)
    if status != 0 or not line:
        raise UserError(
            f"hemline classify ended with {status} and {'no answer' if not line else 'an answer'}: "
            f"{told.splitlines()[-1] if told else 'nothing was said'}",
            "run it by itself to see what is wrong",
        )


def _peak_of(pid: int) -> int | None:
    try:
        with Path(f"/proc/{pid}/status").open(encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
