"""Which other programs take a file, and why not: rules that were found by trying each of them.

Tried were MediaPipe Tasks 1.2, LiteRT.js 2.5, onnxruntime-web 1.30 and OpenCV 5.0, with each kind of file
that `hemline convert` writes; `tests/convert/test_other_clients.py` runs those that are in Python. A client
that is not refused here for a reason may still have one of its own. TFLite Micro is in `tflite_micro`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hemline.inspection.network import Network, Tensor
from hemline.inspection.tflite_micro import refusals_of_tflite_micro, remark_of_tflite_micro

_MEDIAPIPE_REMARK = (
    "it stretches pictures to the input's size: give it square ones, or a region_of_interest"
)

_ONNX_RUNTIME_REMARK = (
    "on x86-64 without VNNI its sums saturate, unless session.x64quantprecision is 1"
)


@dataclass(frozen=True)
class Client:
    """One program.

    Attributes:
        name: Of the program.
        refusals: Why it does not take the file; empty if nothing speaks against it.
        remark: What one should know of a client that takes it.
    """

    name: str
    refusals: tuple[str, ...]
    remark: str = ""


def clients_of_tflite(
    network: Network, *, has_metadata: bool, has_labels: bool, has_compressed_members: bool
) -> list[Client]:
    """Programs that take `.tflite` files.

    Args:
        network: The main graph.
        has_metadata: Whether the file describes itself in TFLite metadata.
        has_labels: Whether `labels.txt` is in it.
        has_compressed_members: Whether a file that is packed into it is compressed.
    """
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        return []
    image, answer = network.tensors[network.inputs[0]], network.tensors[network.outputs[0]]
    last = network.operators[-1].name if network.operators else ""
    mediapipe = []
    if not image.shape or image.shape[-1] != 3:
        mediapipe.append("it takes pictures with 3 channels")
    if image.type_name not in ("UINT8", "FLOAT32"):
        mediapipe.append("its input must be uint8 or float32")
    if image.type_name == "FLOAT32" and not has_metadata:
        mediapipe.append("a float32 input needs its normalization in the metadata")
    if answer.type_name not in ("UINT8", "FLOAT32"):
        mediapipe.append("its output must be uint8 or float32")
    if last != "SOFTMAX":
        mediapipe.append("without SOFTMAX at the end its scores are no probabilities")
    if not (has_metadata and has_labels):
        mediapipe.append("without labels.txt and metadata its classes have no names")
    if has_compressed_members:
        mediapipe.append("it refuses the compressed card (hemline convert --mediapipe stores it)")
    return [
        Client("MediaPipe Image Classifier", tuple(mediapipe), _MEDIAPIPE_REMARK),
        Client("LiteRT.js (browser)", tuple(_litert_js(image, answer))),
        Client(
            "OpenCV cv2.dnn",
            tuple(_opencv(network)),
            "it wants pixels as float32, (1, channels, height, width)",
        ),
        Client(
            "TFLite Micro (microcontrollers)",
            tuple(refusals_of_tflite_micro(network)),
            remark_of_tflite_micro(network),
        ),
    ]


def clients_of_onnx(network: Network) -> list[Client]:
    """Programs that take `.onnx` files."""
    quantized = any(tensor.scales for tensor in network.tensors.values())
    return [
        Client("ONNX Runtime by itself", (), _ONNX_RUNTIME_REMARK if quantized else ""),
        Client("onnxruntime-web (browser)", ()),
        Client("OpenCV cv2.dnn", tuple(_opencv(network))),
    ]


def _litert_js(image: Tensor, answer: Tensor) -> list[str]:
    refusals = []
    if image.shape is None or None in image.shape:
        refusals.append("its batch must be fixed")
    if "INT8" in (image.type_name, answer.type_name):
        refusals.append("input and output must not be int8")
    return refusals


def _opencv(network: Network) -> list[str]:
    quantized = any(tensor.scales for tensor in network.tensors.values())
    return ["quantized networks fail to load or to run in OpenCV 5.0"] if quantized else []
