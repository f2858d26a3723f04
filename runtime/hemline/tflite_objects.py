"""A `.tflite` file as objects that can be changed and written again, with LiteRT's generated classes."""

from __future__ import annotations

from typing import Any

import numpy as np

_IDENTIFIER = b"TFL3"
_ALIGNMENT_BYTES = 16  # the schema asks for it; kernels with SIMD loads may rely on it


class _AlignedBuffer:
    """A model buffer whose data is aligned; the generated class aligns single bytes only."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def Pack(self, builder: Any) -> Any:  # noqa: N802 - the name is the generated code's
        from ai_edge_litert import schema_py_generated as schema

        vector = None
        if self.data is not None and len(self.data):
            content = bytes(np.asarray(self.data, np.uint8))
            builder.StartVector(1, len(content), _ALIGNMENT_BYTES)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


def unpack(content: bytes) -> Any:
    """The model as mutable objects (`schema.ModelT`), every buffer with its data.

    The quantizer puts the data of larger models behind the FlatBuffer, and leaves only its place in it.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if buffer.data is None and buffer.size:
            data = content[buffer.offset : buffer.offset + buffer.size]
            buffer.data = np.frombuffer(data, np.uint8)
            buffer.offset = buffer.size = 0
    return model


def deprecated_code(builtin: int) -> int:
    """What stands in the older field of an operator's number."""
    return min(builtin, 127)  # a byte; 127 says that the operator is in the newer field


def pack(model: Any) -> bytes:
    """The bytes of a model; the same model gives the same bytes."""
    for index, buffer in enumerate(model.buffers):
        model.buffers[index] = _AlignedBuffer(buffer.data)
    for code in model.operatorCodes:  # the quantizer leaves out what runtimes before 2.4 look at
        code.deprecatedBuiltinCode = deprecated_code(
            max(code.builtinCode, code.deprecatedBuiltinCode)
        )
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.quantization is not None and tensor.quantization.zeroPoint is not None:
                points = np.asarray(tensor.quantization.zeroPoint, np.int64)
                tensor.quantization.zeroPoint = points
    builder = _sharing_builder()
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _sharing_builder() -> Any:
    """A builder with which tables that hold the same numbers point to one vector, as FlatBuffers may.

    A scale per channel comes with a zero point per channel, eight bytes each, which are all 0: otherwise a
    twentieth of a small file.
    """
    import flatbuffers

    class Sharing(flatbuffers.Builder):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            super().__init__(1 << 20)
            self.places: dict[tuple[str, bytes], int] = {}

        def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802 - the name is the library's
            key = x.dtype.str, x.tobytes()
            if key not in self.places:
                self.places[key] = super().CreateNumpyVector(x)
            return self.places[key]

    return Sharing()
