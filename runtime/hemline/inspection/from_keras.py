"""What a `.keras` file says of its network without Keras: the layers of its `config.json`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from hemline.errors import ModelError

# Layers that have no weights.
_WEIGHTLESS = set(
    "InputLayer Rescaling MaxPooling2D AveragePooling2D GlobalAveragePooling2D GlobalMaxPooling2D Flatten "
    "Dropout SpatialDropout2D Activation ReLU LeakyReLU Softmax Add Multiply Concatenate Reshape "
    "ZeroPadding2D Cropping2D UpSampling2D RandomFlip RandomTranslation RandomRotation RandomZoom".split()
)


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: Its own.
        kind: `Conv2D`, …
        input_shape: Without the batch; None where the file does not say.
        parameters: Weights and biases; None where the kind of layer is not known here.
        macs: Multiply-accumulates for one picture; None likewise.
    """

    name: str
    kind: str
    input_shape: tuple[int | None, ...] | None
    parameters: int | None
    macs: int | None


def layers_of_keras(path: str, config_json: bytes) -> list[Layer]:
    """The layers of a model, in the order of its file.

    Raises:
        ModelError: It is no configuration of a model with layers.
    """
    try:
        config = json.loads(config_json)
        return [_layer(entry) for entry in config["config"]["layers"]]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ModelError(
            f"{path} has no configuration that can be read: {type(error).__name__}: {error}",
            "save the model again with model.save('NAME.keras')",
        ) from error


def _layer(entry: dict[str, Any]) -> Layer:
    kind, config = str(entry["class_name"]), entry["config"]
    built = (entry.get("build_config") or {}).get("input_shape")
    if kind == "InputLayer":
        built = config.get("batch_shape")
    shape = tuple(built[1:]) if isinstance(built, list) and built else None
    parameters, macs = (0, 0) if kind in _WEIGHTLESS else _weights(kind, config, shape)
    return Layer(str(config.get("name", "")), kind, shape, parameters, macs)


def _weights(kind: str, config: dict[str, Any], shape: Any) -> tuple[int | None, int | None]:
    """Parameters and multiply-accumulates of a layer with weights."""
    if not shape or None in shape or not all(isinstance(n, int) for n in shape):
        return None, None
    if kind == "Dense":
        weights = shape[-1] * config["units"]
        bias = config["units"] if config["use_bias"] else 0
        return weights + bias, math.prod(shape[:-1]) * weights
    if kind == "BatchNormalization":
        return 4 * shape[-1], 0
    if kind not in ("Conv2D", "DepthwiseConv2D") or config.get("data_format") == "channels_first":
        return None, None
    height, width = (_positions(shape[i], config, i) for i in (0, 1))
    if kind == "Conv2D":
        outputs = config["filters"]
        weights = math.prod(config["kernel_size"]) * shape[-1] // config["groups"] * outputs
    else:
        outputs = shape[-1] * config["depth_multiplier"]
        weights = math.prod(config["kernel_size"]) * outputs
    return weights + (outputs if config["use_bias"] else 0), height * width * weights


def _positions(size: int, config: dict[str, Any], axis: int) -> int:
    """How many outputs a window gives along an axis."""
    if config["padding"] == "same":
        return -(-size // int(config["strides"][axis]))
    reach = config["dilation_rate"][axis] * (config["kernel_size"][axis] - 1) + 1
    return int((size - reach) // config["strides"][axis]) + 1
