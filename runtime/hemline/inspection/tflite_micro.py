"""What TFLite Micro takes, the runtime for microcontrollers, as far as a file tells.

Tried with its Python package of October 2026 (`tests/convert/test_tflite_micro.py`): which operators it
knows, and each kind of file that `hemline convert` writes.
"""

from __future__ import annotations

from hemline.inspection.network import Network

_OPERATORS = frozenset(
    """
ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND
BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D
DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL
FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF
L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR
LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2
PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR
RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH
TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE
""".split()
)
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def refusals_of_tflite_micro(network: Network) -> list[str]:
    """Why it does not run a network; empty if nothing speaks against it."""
    refusals = []
    unknown = {operator.name for operator in network.operators if operator.is_custom}
    unknown |= {operator.name for operator in network.operators} - _OPERATORS
    if unknown:
        refusals.append(f"it does not know {', '.join(sorted(unknown))}")
    if any(tensor.type_name == "FLOAT16" for tensor in network.tensors.values()):
        refusals.append("it cannot widen float16 weights")
    for operator in network.operators:
        types = [network.tensors[key].type_name for key in operator.inputs]
        if operator.name in _WEIGHTED and types[:2] == ["FLOAT32", "INT8"]:
            refusals.append("it does not mix float activations and int8 weights")
            break
    for operator in network.operators:
        types = [network.tensors[key].type_name for key in operator.inputs]
        if operator.name == "CAST" and types[:1] == ["UINT8"]:
            refusals.append("it does not cast uint8 pixels to float")
            break
    return refusals


def remark_of_tflite_micro(network: Network) -> str:
    """What one should know of it where it runs the network."""
    ends = {network.tensors[key].type_name for key in (*network.inputs, *network.outputs)}
    if ends == {"INT8"}:
        return "give it pixel − 128; its arena takes the memory above and some kB more"
    return "it converts at the ends itself; accelerators want int8 there: hemline convert --int8-io"
