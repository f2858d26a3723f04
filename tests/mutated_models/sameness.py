"""Is the network of two files the same? Told by others' readers, so that hemline's checksum has a witness."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np

from hemline.zipcard import CARD_MEMBER


def is_same_network(suffix: str, first: bytes, second: bytes) -> bool:
    """Whether all that a runtime reads is the same; cards and other metadata may differ."""
    read = {"tflite": _tflite, "onnx": _onnx, "keras": _keras}[suffix]
    return bool(_equal(read(first), read(second)))


def _tflite(content: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    buffers = [model.Buffers(i).DataAsNumpy() for i in range(model.BuffersLength())]
    graphs = [
        schema.SubGraphT.InitFromObj(model.Subgraphs(i)) for i in range(model.SubgraphsLength())
    ]
    for graph in graphs:
        for tensor in graph.tensors:
            tensor.buffer = buffers[tensor.buffer]
    codes = [
        schema.OperatorCodeT.InitFromObj(model.OperatorCodes(i))
        for i in range(model.OperatorCodesLength())
    ]
    names = [
        schema.SignatureDefT.InitFromObj(model.SignatureDefs(i))
        for i in range(model.SignatureDefsLength())
    ]
    return [model.Version(), codes, graphs, names]


def _onnx(content: bytes) -> Any:
    import onnx

    model = onnx.load_from_string(content)
    for name in ("producer_name", "producer_version", "domain", "model_version", "doc_string"):
        model.ClearField(name)
    model.ClearField("metadata_props")
    return model.SerializeToString(deterministic=True)


def _keras(content: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = {*archive.namelist()} - {CARD_MEMBER, "metadata.json"}
        return {name: archive.read(name) for name in names}


def _equal(first: Any, second: Any) -> bool:
    """Trees of lists, tables and numbers."""
    if type(first) is not type(second):
        return False
    if isinstance(first, np.ndarray):
        return bool(np.array_equal(first, second))
    if isinstance(first, list):
        return len(first) == len(second) and all(map(_equal, first, second))
    if hasattr(first, "__dict__"):
        return _equal(list(vars(first).items()), list(vars(second).items()))
    if isinstance(first, tuple):
        return all(map(_equal, first, second))
    return bool(first == second)
