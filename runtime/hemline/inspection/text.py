"""An inspection as text for a terminal, at most 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from hemline.inspection.network import Network, Operator, Shape, Tensor
from hemline.inspection.report import ALTERED, MATCHES, Inspection
from hemline.measured_accuracy import measured_accuracies

_WIDTH = 100
_INDENT = 14  # of what stands beside the keywords
_NAME_WIDTH = 28
_INTEGRITY = {
    MATCHES: "matches: the network is the one that was converted",
    ALTERED: "ALTERED after the conversion: copy the file again, or convert the model again",
}
_NO_CHECKSUM = "none: nobody could tell whether the network was altered"
_PARTS = {
    "weights": "weights",
    "biases": "biases",
    "constant": "other constants",
    "graph": "graph (operators, tensors, scales, padding)",
    "metadata": "metadata for others",
    "labels": "labels for others",
    "card": "card",
}
_FORMATS = {"tflite": "TFLite", "onnx": "ONNX", "keras": "Keras"}
_COLOR = {"gray": "grey", "rgb": "RGB colour"}
_RESIZE = {
    "pad": "the whole picture, padded with its border's colour",
    "stretch": "stretched",
    "crop": "its centre cut out",
}
_FOREGROUND = {
    "as-is": "",
    "light-on-dark": "inverted where the border is bright",
    "garment": "in a colour photo the garment alone on black, else inverted where the border is bright",
}


def text_of(inspection: Inspection) -> str:
    """The whole report, several lines."""
    network = inspection.network
    sections = [_head(inspection)]
    if network is not None:
        sections += [_operators(network), _tensors(network)]
    if inspection.layers:
        sections.append(_layers(inspection))
    if inspection.needs:
        rows = [
            (need.runtime, f"{need.oldest} or newer" if need.oldest else "no release", need.note)
            for need in inspection.needs
        ]
        sections.append(_titled("needs", _columns(("runtime", "release", ""), rows, "<<<")))
    if inspection.clients:
        sections.append(_titled("other programs", _clients(inspection)))
    return "\n\n".join("\n".join(line.rstrip() for line in lines) for lines in sections)


def _head(inspection: Inspection) -> list[str]:
    form = _FORMATS[inspection.format]
    lines = [f"{inspection.path}: {form}, {_kilobytes(inspection.total_bytes)}"]
    for keyword, words in _facts(inspection):
        lines += textwrap.wrap(
            words,
            _WIDTH,
            initial_indent=f"  {keyword:<{_INDENT - 2}}",
            subsequent_indent=" " * _INDENT,
            break_long_words=True,
        )
    return lines


def _facts(inspection: Inspection) -> Iterator[tuple[str, str]]:
    yield "checksum", _INTEGRITY.get(inspection.integrity, _NO_CHECKSUM)
    yield from _card_facts(inspection)
    network = inspection.network
    if network is not None:
        for keyword, keys in (("input", network.inputs), ("output", network.outputs)):
            for key in keys:
                yield keyword, _edge(network.tensors[key])
        yield "arithmetic", _arithmetic(network)
    macs = "unknown" if inspection.macs is None else f"{inspection.macs:,}"
    parameters = "unknown" if inspection.parameters is None else f"{inspection.parameters:,}"
    yield "parameters", f"{parameters} (weights and biases){_parameters_trained(inspection)}"
    yield "work", f"{macs} multiply-accumulates for one picture"
    if network is not None:
        yield "memory", _memory(network)
    if inspection.graphs > 1:
        yield "graphs", f"{inspection.graphs}; only the first is shown"
    parts = [
        f"{_PARTS[part]} {_kilobytes(size)}" for part, size in inspection.sizes.items() if size
    ]
    yield "size", ", ".join(parts)


def _card_facts(inspection: Inspection) -> Iterator[tuple[str, str]]:
    card = inspection.card
    if card is None:
        none = "none: hemline classify needs --labels and --input-color for this file"
        yield "card", inspection.card_problem or none
        return
    yield "model", f"{card.name}, version {card.version}, {_origin(card.quantization)}"
    yield "classes", f"{len(card.labels)}: {', '.join(card.labels)}"
    spec = card.input
    picture = [
        f"{spec.size_wh[0]}×{spec.size_wh[1]} pixels in {_COLOR[spec.color]}",
        _RESIZE[spec.resize],
        _FOREGROUND[spec.foreground],
    ]
    yield "picture", ", ".join(words for words in picture if words)
    as_int8 = card.quantization.get("kind") == "int8"
    accuracies, measured = measured_accuracies(card.training, int8=as_int8)
    for number, accuracy in enumerate(accuracies):
        yield ("" if number else "accuracy"), f"{accuracy}, measured {measured}"
    weak_at = card.training.get("weak_at")
    for number, said in enumerate(weak_at if isinstance(weak_at, list) else ()):
        yield ("" if number else "weak at"), str(said)
    calibration = card.quantization.get("calibration")
    if isinstance(calibration, dict):
        yield "calibrated", _calibration(calibration)


def _parameters_trained(inspection: Inspection) -> str:
    """Where conversion has folded layers, of batch normalization above all, there are others than before."""
    card = inspection.card
    trained = None if card is None else card.training.get("parameters")
    if not isinstance(trained, int) or trained == inspection.parameters:
        return ""
    return f"; {trained:,} as trained, before layers were folded"


def _calibration(entry: dict[str, object]) -> str:
    words = f"{entry['images']} pictures of " if "images" in entry else ""
    words += str(entry.get("data", "unknown"))
    if "manifest_sha256" in entry:
        words += f"; manifest SHA-256 {entry['manifest_sha256']}"
    return words


def _origin(quantization: dict[str, object]) -> str:
    if not quantization:
        return "a float model to be converted"
    versions = quantization.get("versions")
    made_by = versions.get("hemline", "") if isinstance(versions, dict) else ""
    return f"{quantization.get('kind', 'converted')}, converted by hemline {made_by}".rstrip()


def _edge(tensor: Tensor) -> str:
    words = f"{_shortened(tensor.name)}: {_type(tensor)} {_shape(tensor.shape)}"
    if tensor.scales:
        words += f", {_quantization(tensor)}"
    return words


def _arithmetic(network: Network) -> str:
    if network.is_integer_only:
        return f"integers throughout{', of 16 bits in activations' * (not network.is_fully_int8)}"
    if not network.float_operators:
        return "no operator computes"
    counted = [f"{name} ×{count}" for name, count in sorted(network.float_operators.items())]
    return f"floating point in {', '.join(counted)}"


def _memory(network: Network) -> str:
    if network.peak is None:
        return "unknown, since the size of a tensor is not in the file"
    operator = network.operators[network.peak.operator]
    return (
        f"{_kilobytes(network.peak.size_bytes)} for activations at most, while operator "
        f"{network.peak.operator} ({operator.name}) runs; weights and the kernels' scratch come on top"
    )


def _operators(network: Network) -> list[str]:
    rows = [
        (
            str(index),
            _shortened(operator.name),
            "" if operator.version is None else str(operator.version),
            _macs(operator),
            _results(network, operator),
        )
        for index, operator in enumerate(network.operators)
    ]
    head = ("#", "operator", "version", "MACs", "result")
    return _titled("operators", _columns(head, rows, "><>><"))


def _macs(operator: Operator) -> str:
    if operator.macs is None:
        return "?"
    return f"{operator.macs:,}" if operator.macs else ""


def _results(network: Network, operator: Operator) -> str:
    tensors = [network.tensors[network.in_memory(key)] for key in operator.outputs]
    return ", ".join(f"{_type(tensor)} {_shape(tensor.shape)}" for tensor in tensors)


def _tensors(network: Network) -> list[str]:
    rows = [
        (
            _shortened(tensor.name),
            _type(tensor),
            _shape(tensor.shape),
            tensor.role,
            _quantization(tensor),
        )
        for tensor in network.tensors.values()
    ]
    return _titled(
        "tensors", _columns(("name", "type", "shape", "", "quantization"), rows, "<<<<<")
    )


def _layers(inspection: Inspection) -> list[str]:
    rows = [
        (
            layer.kind,
            _shortened(layer.name),
            _shape(layer.input_shape) if layer.input_shape is not None else "",
            "?"
            if layer.parameters is None
            else f"{layer.parameters:,}"
            if layer.parameters
            else "",
            "?" if layer.macs is None else f"{layer.macs:,}" if layer.macs else "",
        )
        for layer in inspection.layers
    ]
    head = ("layer", "name", "takes", "parameters", "MACs")
    return _titled("layers", _columns(head, rows, "<<<>>"))


def _clients(inspection: Inspection) -> list[str]:
    rows = [
        (
            client.name,
            "no" if client.refusals else "yes",
            "; ".join(client.refusals) or client.remark,
        )
        for client in inspection.clients
    ]
    return _columns(("program", "takes it", ""), rows, "<<<")


def _quantization(tensor: Tensor) -> str:
    if not tensor.scales:
        return ""
    if tensor.axis is None:
        return f"scale {tensor.scales[0]:.6g}, zero point {tensor.zero_points[0]}"
    low, high = min(tensor.scales), max(tensor.scales)
    return f"{len(tensor.scales)} scales on axis {tensor.axis}, {low:.2g} to {high:.2g}"


def _type(tensor: Tensor) -> str:
    return tensor.type_name.lower() or "?"


def _shape(shape: Shape | None) -> str:
    if shape is None:
        return "?"
    return _shortened("×".join("?" if n is None else str(n) for n in shape)) or "scalar"


def _kilobytes(size: int) -> str:
    return f"{size / 1000:.1f} kB" if size >= 1000 else f"{size} bytes"


def _shortened(name: str) -> str:
    # A name in a foreign file can hold what would upset a terminal.
    name = "".join(letter if letter.isprintable() else "�" for letter in name)
    if len(name) <= _NAME_WIDTH:
        return name
    return f"{name[: _NAME_WIDTH // 2 - 1]}…{name[-_NAME_WIDTH // 2 :]}"


def _titled(title: str, lines: Sequence[str]) -> list[str]:
    return [title, *lines]


def _columns(head: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> list[str]:
    """Rows below their head; the last column is wrapped where it would be too wide."""
    cells = [head, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head) - 1)]
    start = 2 + sum(width + 2 for width in widths)
    lines = []
    for row in cells:
        fixed = "".join(
            f"{cell:{side}{width}}  "
            for cell, side, width in zip(row[:-1], align, widths, strict=False)
        )
        wrapped = textwrap.wrap(row[-1], max(20, _WIDTH - start)) or [""]
        lines += [f"  {fixed}{wrapped[0]}", *(" " * start + rest for rest in wrapped[1:])]
    return lines
