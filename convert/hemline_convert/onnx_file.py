"""Float ONNX from Keras, and what every ONNX file carries: the card, and names that others read."""

from __future__ import annotations

import io
import logging
from typing import Any

import onnx
import tf2onnx
from onnx import helper

from hemline.card import CARD_PROPERTY, ModelCard
from hemline.integrity import network_sha256
from hemline.onnxcard import CARD_CRC_PROPERTY, card_crc32
from hemline_convert._tensorflow import tf
from hemline_convert.float_tflite import pixels_to_logits
from hemline_convert.keras_source import KerasSource
from hemline_convert.tflite_file import INPUT_NAME, OUTPUT_NAME

_OPSET = 17


def onnx_from_keras(source: KerasSource) -> Any:
    """The deployable float32 network: `image` uint8 (1, H, W, C) to `logits` float32 (1, classes).

    tf2onnx's `from_keras` does not know Keras 3; its `from_function` does, and the static batch spares
    the shape arithmetic that it writes for an open one.
    """
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    signature = [tf.TensorSpec(source.card.input.tensor_shape, tf.uint8, name=INPUT_NAME)]
    function = tf.function(pixels_to_logits(source))
    model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=_OPSET)
    _rename(model, _plain_names(model))
    constants = sorted(model.graph.initializer, key=lambda constant: constant.name)
    del model.graph.initializer[:], model.graph.value_info[:]
    model.graph.initializer.extend(constants)
    del model.metadata_props[:]
    model.producer_name, model.producer_version, model.doc_string = "hemline", "", ""
    model.graph.name, model.graph.doc_string = "hemline", ""
    onnx.checker.check_model(model, full_check=True)
    return model


def _rename(model: Any, names: dict[str, str]) -> None:
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        node.name = node.output[0]
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.name = names.get(value.name, value.name)


def _plain_names(model: Any) -> dict[str, str]:
    """New names, by place in the graph: tf2onnx's count on through a process, so that the second conversion
    of the same model would be another file.
    """
    names = {model.graph.input[0].name: INPUT_NAME, model.graph.output[0].name: OUTPUT_NAME}
    for number, node in enumerate(model.graph.node):
        for place, name in enumerate(node.input):
            names.setdefault(name, f"{node.op_type.lower()}_{number}_input_{place}" if name else "")
        for place, name in enumerate(node.output):
            names.setdefault(name, f"{node.op_type.lower()}_{number}_output_{place}")
    return names


def described(model: Any, card: ModelCard) -> bytes:
    """The bytes of the model with the card and the labels in its properties."""
    checksum = network_sha256(f"{card.name}.onnx", model.SerializeToString(deterministic=True))
    card_json = card.replace(network_sha256=checksum).to_json()
    helper.set_model_props(
        model,
        {
            CARD_PROPERTY: card_json,
            CARD_CRC_PROPERTY: card_crc32(card_json.encode()),
            # The names as Ultralytics' readers look for them: a Python dict as text.
            "names": str(dict(enumerate(card.labels))),
        },
    )
    file = io.BytesIO()
    # Protocol buffers promise no byte order of their own accord.
    file.write(model.SerializeToString(deterministic=True))
    return file.getvalue()
