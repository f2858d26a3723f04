"""From a float Keras model to the files a device runs: TFLite and ONNX, quantized and described.

`convert` in `hemline_convert.convert` does the whole; the other modules are its steps.
"""
