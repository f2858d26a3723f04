"""What a model file is and needs, read from the file alone."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from hemline.card import CARD_PROPERTY, ModelCard
from hemline.errors import CardError, ModelError
from hemline.inspection.archive import read_archive
from hemline.inspection.clients import Client, clients_of_onnx, clients_of_tflite
from hemline.inspection.from_keras import Layer, layers_of_keras
from hemline.inspection.from_onnx import network_of_onnx
from hemline.inspection.from_tflite import network_of_tflite
from hemline.inspection.needs import Need, needs_of_onnx, needs_of_tflite
from hemline.inspection.network import BIASES, CONSTANT, WEIGHTS, Network, Tensor
from hemline.integrity import network_sha256, stated_sha256
from hemline.modelfile import find_model
from hemline.onnx_reader import read_onnx
from hemline.onnxcard import read_onnx_card
from hemline.tflite_reader import read_tflite
from hemline.zipcard import CARD_MEMBER, LABELS_MEMBER, read_zip_card

MATCHES, NO_CHECKSUM, ALTERED = "matches", "no checksum", "altered"
_METADATA_NAME = "TFLITE_METADATA"


@dataclass(frozen=True)
class Inspection:
    """What a file is. It is false where the file was altered after its conversion.

    Attributes:
        path: Of the file.
        format: `tflite`, `onnx` or `keras`.
        sizes: Bytes by part; together they are the file.
        card: The model card; None where there is none.
        card_problem: Why the card cannot be used; empty where it can, or there is none.
        integrity: `matches`, `no checksum` or `altered`.
        stated_sha256: The checksum in the card; empty where there is none.
        network_sha256: The checksum of the network as it is.
        network: Tensors and operators; None for `.keras` files.
        layers: The layers of a `.keras` file; otherwise empty.
        graphs: How many graphs are in the file; `network` is the first.
        needs: The oldest runtimes.
        clients: Other programs, and what they refuse.
    """

    path: str
    format: str
    sizes: dict[str, int]
    card: ModelCard | None
    card_problem: str
    integrity: str
    stated_sha256: str
    network_sha256: str
    network: Network | None
    layers: tuple[Layer, ...]
    graphs: int
    needs: tuple[Need, ...]
    clients: tuple[Client, ...]

    def __bool__(self) -> bool:
        return self.integrity != ALTERED

    @property
    def total_bytes(self) -> int:
        """Size of the file."""
        return sum(self.sizes.values())

    @property
    def parameters(self) -> int | None:
        """Weights and biases; None where the kind of a layer is not known."""
        if self.network is not None:
            return self.network.parameters
        counts = [layer.parameters for layer in self.layers]
        return None if None in counts else sum(n for n in counts if n is not None)

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of one inference; None where they are not known."""
        if self.network is not None:
            return self.network.macs
        counts = [layer.macs for layer in self.layers]
        return None if None in counts else sum(n for n in counts if n is not None)

    def to_json(self) -> dict[str, Any]:
        """All of it for machines, with the same keys for each kind of file."""
        return {
            "file": self.path,
            "format": self.format,
            "bytes": self.total_bytes,
            "sizes": self.sizes,
            "card": None if self.card is None else asdict(self.card),
            "card_problem": self.card_problem,
            "integrity": {
                "status": self.integrity,
                "stated_sha256": self.stated_sha256,
                "network_sha256": self.network_sha256,
            },
            "parameters": self.parameters,
            "macs": self.macs,
            **_network_json(self.network),
            "layers": [asdict(layer) for layer in self.layers],
            "graphs": self.graphs,
            "needs": [asdict(need) for need in self.needs],
            "clients": [asdict(client) for client in self.clients],
        }


def inspect_model(model: str | Path) -> Inspection:
    """Look at a model file without running it; needs neither TensorFlow nor a runtime nor `onnx`.

    Args:
        model: Path of a `.tflite`, `.onnx` or `.keras` file, or the name of a shipped model.

    Raises:
        ModelError: No such file, no model, or damaged so that it cannot be taken apart.
    """
    path = find_model(model)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    if not content:
        raise ModelError(f"{path} is empty (0 bytes)", "copy or convert the model again")
    kind = path.rpartition(".")[2]
    return _INSPECTORS[kind](path, content)


def _of_tflite(path: str, content: bytes) -> Inspection:
    model = read_tflite(path, content)
    network = network_of_tflite(model)
    archive = read_archive(content)
    used: dict[int, str] = {}
    for tensor in model.graphs[0].tensors:
        if tensor.is_constant:
            used[tensor.buffer] = network.tensors[str(tensor.index)].role
    sizes = dict.fromkeys((WEIGHTS, BIASES, CONSTANT), 0)
    for number, role in used.items():
        sizes[role] += len(model.buffers[number])
    metadata = sum(len(data) for data in model.metadata.values())
    sizes["graph"] = archive.start - sum(sizes.values()) - metadata
    labels = archive.sizes.get(LABELS_MEMBER, 0)
    sizes |= {"metadata": metadata, "labels": labels}
    sizes["card"] = len(content) - archive.start - labels
    has_metadata = _METADATA_NAME in model.metadata
    types = {tensor.type_name for tensor in network.tensors.values()}
    return _inspection(
        path,
        content,
        read_zip_card(path, content),
        sizes=sizes,
        network=network,
        graphs=len(model.graphs),
        needs=tuple(
            needs_of_tflite(
                network.operators,
                has_int8="INT8" in types,
                has_float16="FLOAT16" in types,
                has_hybrid_filters=network.has_hybrid_filters,
                int16_operators=network.int16_operators,
            )
        ),
        clients=tuple(
            clients_of_tflite(
                network,
                has_metadata=has_metadata,
                has_labels=LABELS_MEMBER in archive.sizes,
                has_compressed_members=archive.is_compressed,
            )
        ),
    )


def _of_onnx(path: str, content: bytes) -> Inspection:
    model = read_onnx(path, content)
    network = network_of_onnx(path, model)
    card = read_onnx_card(path, content)
    sizes = dict.fromkeys((WEIGHTS, BIASES, CONSTANT), 0)
    for name, constant in model.initializers.items():
        role = network.tensors[name].role if name in network.tensors else CONSTANT
        sizes[role] += constant.size_bytes
    properties = {
        key: len(key.encode()) + len(text.encode()) for key, text in model.properties.items()
    }
    described = sum(properties.values())
    sizes["graph"] = len(content) - sum(sizes.values()) - described
    sizes["labels"] = properties.pop("names", 0)
    sizes["card"] = properties.pop(CARD_PROPERTY, 0)
    sizes["metadata"] = sum(properties.values())
    return _inspection(
        path,
        content,
        card,
        sizes=sizes,
        network=network,
        needs=tuple(needs_of_onnx(model.opsets, model.ir_version)),
        clients=tuple(clients_of_onnx(network)),
    )


def _of_keras(path: str, content: bytes) -> Inspection:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            config = archive.read("config.json")
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, RuntimeError, EOFError) as error:
        raise ModelError(
            f"{path} is no Keras model: it is cut off, damaged or another kind of file ({error})",
            "copy the model again, or save it again with model.save('NAME.keras')",
        ) from error
    members = read_archive(content).sizes
    sizes = {"weights": members.get("model.weights.h5", 0), "graph": members.get("config.json", 0)}
    sizes["card"] = members.get(CARD_MEMBER, 0)
    sizes["metadata"] = len(content) - sum(sizes.values())
    return _inspection(
        path,
        content,
        read_zip_card(path, content),
        sizes=sizes,
        layers=tuple(layers_of_keras(path, config)),
        needs=(Need("Keras", "3.0", "hemline converts and compares with it; TensorFlow runs it"),),
    )


_INSPECTORS: dict[str, Callable[[str, bytes], Inspection]] = {
    "tflite": _of_tflite,
    "onnx": _of_onnx,
    "keras": _of_keras,
}


def _inspection(
    path: str,
    content: bytes,
    card_json: str | None,
    *,
    sizes: dict[str, int],
    network: Network | None = None,
    layers: tuple[Layer, ...] = (),
    graphs: int = 1,
    needs: tuple[Need, ...] = (),
    clients: tuple[Client, ...] = (),
) -> Inspection:
    """What all kinds have in common: the card and the checksum."""
    card, problem = None, ""
    try:
        card = None if card_json is None else ModelCard.from_json(card_json)
    except CardError as error:
        problem = error.problem
    stated, actual = stated_sha256(card_json), network_sha256(path, content)
    return Inspection(
        path=path,
        format=path.rpartition(".")[2],
        sizes=sizes,
        card=card,
        card_problem=problem,
        integrity=NO_CHECKSUM if not stated else MATCHES if stated == actual else ALTERED,
        stated_sha256=stated,
        network_sha256=actual,
        network=network,
        layers=layers,
        graphs=graphs,
        needs=needs,
        clients=clients,
    )


def _network_json(network: Network | None) -> dict[str, Any]:
    if network is None:
        return {"inputs": [], "outputs": [], "tensors": [], "operators": [], "peak_activation": None,
                "fully_int8": False, "float_operators": {}}  # fmt: skip
    names = {key: tensor.name for key, tensor in network.tensors.items()}
    return {
        "inputs": [names[key] for key in network.inputs],
        "outputs": [names[key] for key in network.outputs],
        "tensors": [_tensor_json(tensor) for tensor in network.tensors.values()],
        "operators": [
            {
                **asdict(operator),
                "inputs": [names[key] for key in operator.inputs],
                "outputs": [names[key] for key in operator.outputs],
            }
            for operator in network.operators
        ],
        "peak_activation": None if network.peak is None else asdict(network.peak),
        "fully_int8": network.is_fully_int8,
        "float_operators": network.float_operators,
    }


def _tensor_json(tensor: Tensor) -> dict[str, Any]:
    """JSON has no NaN and no infinity, which the scales of a damaged file can be."""
    scales = [scale if isfinite(scale) else None for scale in tensor.scales]
    return {**asdict(tensor), "scales": scales}
