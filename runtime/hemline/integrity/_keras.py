"""The network of a `.keras` file as bytes: the members of its zip archive, but for the card.

A `.keras` file is a zip archive of `config.json` (the layers), `model.weights.h5`, and `metadata.json` with
the version of Keras and the date, which Keras does not read back and which is left out too. Members are
taken in the order of their names, unpacked, so packing the archive anew changes nothing.
"""

from __future__ import annotations

import io
import zipfile
import zlib

from hemline.integrity import UnreadableNetworkError
from hemline.zipcard import CARD_MEMBER

_DESCRIBING = {CARD_MEMBER, "metadata.json"}


def network_pieces(content: bytes) -> list[bytes | memoryview]:
    """The network of a file, in pieces that are to be joined.

    Raises:
        UnreadableNetworkError: The content is no zip archive, or a member fails its checksum.
    """
    pieces: list[bytes | memoryview] = []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in sorted({*archive.namelist()} - _DESCRIBING):
                member = archive.read(name)
                text = name.encode("utf-8", "surrogateescape")
                pieces += [b"%d[%s]%d:" % (len(text), text, len(member)), member]
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        RuntimeError,  # a changed bit can say "encrypted"
        NotImplementedError,  # or name an unknown compression
    ) as error:
        raise UnreadableNetworkError(f"it is no whole zip archive: {error}") from error
    return pieces
