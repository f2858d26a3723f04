"""The counts in the text format of Prometheus (prometheus.io/docs/instrumenting/exposition_formats)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hemline import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hemline.web.state import Counts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[str, dict[str, str], float]


def exposition(
    counts: Counts,
    *,
    fps: float,
    uptime_s: float,
    viewers: int,
    model: str,
    sent: Mapping[int, int],
) -> str:
    """All metrics as text.

    Args:
        counts: Sums since the start.
        fps: Frames per second now.
        uptime_s: Seconds since the start.
        viewers: Who watches the picture now.
        model: Name of the model.
        sent: Pictures that clients sent, by the status of the reply.
    """
    stages = (
        ("preprocess", counts.preprocess_ms),
        ("inference", counts.inference_ms),
        ("total", counts.total_ms),
    )
    latencies: list[Sample] = []
    for stage, total_ms in stages:
        latencies.append(("_sum", {"stage": stage}, total_ms / 1e3))
        latencies.append(("_count", {"stage": stage}, counts.answers))
    families = (
        _family("info", "gauge", "Version and model.", [("", _info(model), 1)]),
        _family("uptime_seconds", "gauge", "Time since the start.", [("", {}, uptime_s)]),
        _family(
            "frames_total",
            "counter",
            "Pictures and frames of the source that were answered, by label.",
            [("", {"label": label}, count) for label, count in sorted(counts.labels.items())],
        ),
        _family(
            "sent_pictures_total",
            "counter",
            "Requests to classify a picture, by status of the reply.",
            [("", {"status": str(status)}, count) for status, count in sorted(sent.items())],
        ),
        _family(
            "errors_total", "counter", "Inputs that could not be read.", [("", {}, counts.errors)]
        ),
        _family(
            "dropped_frames",
            "gauge",
            "Frames of the present source for which a newer one was there in time.",
            [("", {}, counts.dropped)],
        ),
        _family("frames_per_second", "gauge", "Rate of the latest frames.", [("", {}, fps)]),
        _family("latency_seconds", "summary", "Time of one frame, by stage.", latencies),
        _family("viewers", "gauge", "Clients that watch the stream.", [("", {}, viewers)]),
    )
    return "".join(families)


def _info(model: str) -> dict[str, str]:
    return {"version": __version__, "model": model}


def _family(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP hemline_{name} {meaning}\n# TYPE hemline_{name} {kind}\n"]
    for suffix, labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"hemline_{name}{suffix}{f'{{{inside}}}' if inside else ''} {value:.12g}\n")
    return "".join(lines)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
