"""How much the web preview gives to whom."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic

_MOST_BUCKETS = 1024


@dataclass(frozen=True)
class Limits:
    """Bounds of the web preview.

    Attributes:
        connections: At the same time. For another, one that only waits is closed.
        streams: Of these, how many may watch the picture.
        uploads: Pictures that are received or classified at the same time; the next ones wait, unread.
        wait_s: How long they wait for that.
        upload_bytes: Of one picture.
        jpeg_pixels: Of one JPEG picture, known before it is decoded. It is decoded at reduced size.
        other_pixels: Of one PNG or WebP picture. With 16 bits and transparency it takes 280 MB meanwhile.
        requests_per_s: Of one address, over a longer time; `burst` at once. As much is given to those of an
            address who know the token as to those who do not.
        burst: See `requests_per_s`.
        wrong_tokens: Of one address, at once, until it has to wait; another is allowed every five seconds.
            The right token is answered all the same: through a proxy or a tunnel, all have one address.
        idle_s: Until a connection is closed that sends no complete header.
        slow_s: Until a stream is closed that takes not even one picture.
        upload_s: Until an upload is given up.
        preview_fps: Most pictures a second that are encoded.
        preview_side: Longest side of such a picture, in pixels.
    """

    connections: int = 128
    streams: int = 64
    uploads: int = 4
    wait_s: float = 5
    upload_bytes: int = 16 << 20
    jpeg_pixels: int = 25_000_000
    other_pixels: int = 9_000_000
    requests_per_s: float = 50
    burst: int = 200
    wrong_tokens: int = 10
    idle_s: float = 20
    slow_s: float = 20
    upload_s: float = 60
    preview_fps: float = 25
    preview_side: int = 1280


class Slots:
    """So many at the same time; who comes first is served first.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)

    async def take(self, patience_s: float) -> bool:
        """Take one; False if none became free meanwhile."""
        try:
            await asyncio.wait_for(self._free.acquire(), patience_s)
        except TimeoutError:
            return False
        return True

    def give_back(self) -> None:
        """Give back one that was taken."""
        self._free.release()


class Buckets:
    """A token bucket for each address: `burst` at once, and `per_s` over a longer time.

    Args:
        per_s: What is earned each second.
        burst: What can be saved up.
    """

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Seconds until the address may spend again; 0 if it may now."""
        return max(0.0, (1 - self._level(address, monotonic())) / self._per_s)

    def spend(self, address: str) -> None:
        """Take one out of the bucket of an address."""
        now_s = monotonic()
        level = self._level(address, now_s) - 1
        self._levels[address] = level, now_s
        self._levels.move_to_end(address)
        if len(self._levels) > _MOST_BUCKETS:  # the memory is bounded too
            self._levels.popitem(last=False)

    def _level(self, address: str, now_s: float) -> float:
        level, then_s = self._levels.get(address, (float(self._burst), now_s))
        return min(float(self._burst), level + (now_s - then_s) * self._per_s)
