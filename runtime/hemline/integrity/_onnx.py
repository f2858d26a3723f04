"""The network of an `.onnx` file as bytes: all of the model but the fields that describe it.

An `.onnx` file is one protocol buffer message (`ModelProto` in `onnx.proto3`). Its fields are taken as they
are in the file, in the order of their numbers: the graph with its operators and weights, the operator
sets, functions, and any field that is not known here. Left out are `_DESCRIBING`, where the card is.

The bytes within a field are not taken apart: writers put what is inside of a graph in one order, that
of the numbers, so reading a file with the `onnx` package, adding properties and writing it again changes
nothing here. Adding a text to a node of the graph does.
"""

from __future__ import annotations

from hemline.integrity import UnreadableNetworkError
from hemline.protobuf import ProtobufError, fields_of

# producer_name, producer_version, domain, model_version, doc_string, metadata_props
_DESCRIBING = {2, 3, 4, 5, 6, 14}


def network_pieces(content: bytes) -> list[bytes | memoryview]:
    """The network of a file, in pieces that are to be joined.

    Raises:
        UnreadableNetworkError: The content is no protocol buffer message.
    """
    try:
        fields = sorted(
            (field for field in fields_of(memoryview(content)) if field[0] not in _DESCRIBING),
            key=lambda field: field[0],
        )
    except ProtobufError as error:
        raise UnreadableNetworkError(str(error)) from error
    pieces: list[bytes | memoryview] = []
    for number, value in fields:
        if isinstance(value, int):
            pieces.append(b"%d=%d;" % (number, value))
        else:
            pieces += (b"%d[%d]" % (number, len(value)), value)
    return pieces
