"""Is a file still the one that was converted? A checksum of its network, kept in its card.

A bit flipped on an SD card or an edit in the weights leaves a file that LiteRT and ONNX Runtime load in
more than half of all cases, and run without a word. So `hemline convert` and `hemline train` write
`network_sha256` into the card, and every backend compares before its runtime sees the file.

What the checksum covers is the network, and only the network, so that others may add metadata:

- `.tflite`: the content of the graph, whatever order its bytes have in the file: `hemline.integrity._tflite`;
- `.onnx`: the graph, the operator sets and all else of the model but the fields that describe it:
  `hemline.integrity._onnx`;
- `.keras`: configuration and weights: `hemline.integrity._keras`.

It cannot cover the card that it is written in. That has a checksum of its own: the zip archive's in
`.tflite` and `.keras` files, the property `hemline_card_crc32` in `.onnx` files. What is for others alone
(the TFLite metadata, `labels.txt`, the property `names`) is not checked, since hemline does not read it.

It is against accidents, not against attackers: whoever changes a file on purpose can write a new card.

SHA-256 comes from the small module that Python keeps for it: `import hashlib` loads OpenSSL, and takes
longer than to hash a small model. From `_LARGE_BYTES` on OpenSSL's faster hash makes up for that.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

from hemline.errors import ModelError

_LARGE_BYTES = 1 << 20
_SHA256_MODULES = ("_sha2", "_sha256")  # Python 3.12 and later, Python 3.11


class UnreadableNetworkError(Exception):
    """The content cannot be taken apart, so it has no checksum."""


def network_sha256(path: str, content: bytes) -> str:
    """The checksum of the network in a model file, 64 hexadecimal digits.

    Args:
        path: Its ending says what kind of file it is: `.tflite`, `.onnx` or `.keras`.
        content: The whole file, with or without card.

    Raises:
        ModelError: The content is damaged, or no such file.
    """
    try:
        return _network_sha256(path, content)
    except UnreadableNetworkError as error:
        raise ModelError(
            f"{path} is damaged: {error}", "copy or convert the model again"
        ) from error


def stated_sha256(card_json: str | None) -> str:
    """The checksum that a card states; empty if it states none, or there is no (readable) card."""
    try:
        stated = json.loads(card_json or "{}").get("network_sha256")
    except (ValueError, AttributeError, RecursionError):  # hemline.card says what is wrong with it
        return ""
    return stated if isinstance(stated, str) else ""


def has_checksum(path: str, content: bytes) -> bool:
    """Whether a file has a card that states the checksum of its network, right or wrong."""
    if path.endswith(".onnx"):
        from hemline.onnxcard import read_onnx_card as read_card
    else:
        from hemline.zipcard import read_zip_card as read_card
    return bool(stated_sha256(read_card(path, content)))


def must_be_unaltered(path: str, content: bytes, card_json: str | None) -> None:
    """Refuse a file whose network is not the one that its card was written for.

    A file whose card states no checksum passes: it was made before there was one.

    Args:
        path: For the message; its ending says what kind of file it is.
        content: The whole file.
        card_json: The card out of that file.

    Raises:
        ModelError: The file was altered after its conversion.
    """
    stated = stated_sha256(card_json)
    if not stated:
        return
    cause = None
    try:
        if _network_sha256(path, content) == stated:
            return
        how = "the network is not the one that the checksum in its card was taken of"
    except UnreadableNetworkError as error:
        cause, how = error, str(error)
    raise ModelError(
        f"{path} was altered after its conversion: {how}",
        "copy the file again from where it was made, or convert the model again",
    ) from cause


def _network_sha256(path: str, content: bytes) -> str:
    # Only the module that is wanted is imported: the check is on the way to the first label.
    home = import_module(f"hemline.integrity._{path.rpartition('.')[2]}")
    pieces: list[bytes | memoryview] = home.network_pieces(content)
    return str(_sha256(len(content))(b"".join(pieces)).hexdigest())


def _sha256(size: int) -> Callable[[bytes], Any]:
    """The implementation of SHA-256 that is done first for so many bytes."""
    if size < _LARGE_BYTES:
        for name in _SHA256_MODULES:
            try:
                small: Callable[[bytes], Any] = import_module(name).sha256
            except ImportError:  # another Python
                continue
            return small
    from hashlib import sha256

    return sha256
