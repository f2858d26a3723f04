"""Where in a quantized network do errors arise? Float and quantized activations, layer by layer.

    from hemline.parity.layers import compare_layers, worst_first

    layers = compare_layers(float32_tflite, int8_tflite_or_onnx, tensors)  # contents of files
    for layer in worst_first(layers)[:3]:
        print(layer.name, layer.operator, layer.local_sqnr_db, layer.arises_here)

`network` is what is seen of a model, `tflite` and `onnx` open the two kinds of files, `matching`
finds what belongs together, `compare` measures.
"""

from hemline.parity.layers.compare import compare_layers
from hemline.parity.layers.error import LayerError, worst_first

__all__ = ["LayerError", "compare_layers", "worst_first"]
