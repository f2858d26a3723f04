"""Which activation of a quantized network stands for which of the float network."""

from __future__ import annotations

from hemline.errors import ModelError
from hemline.parity.layers.network import Layer, Network

# What changes how numbers are stored, and not what they stand for.
CONVERSIONS = ("QUANTIZE", "DEQUANTIZE", "CAST")
_NORMALIZING = ("SUB", "ADD", "MUL", "DIV")


class Counterparts:
    """The activations of two networks, matched by what computes them from what.

    Attributes:
        tensors: For each activation of the quantized network that of the float network; its input stands
            also for the normalized picture, which a float file need not hold as such.
        layers: For each layer of the quantized network the place of the float one; None for conversions.

    Raises:
        ModelError: The quantized network has a layer that the float network has not.
    """

    def __init__(self, float_network: Network, quantized: Network) -> None:
        self._pictures = _pictures(float_network)
        self._float = float_network
        self.tensors: dict[int, int] = {quantized.input: float_network.input}
        self.layers: list[int | None] = []
        waiting = list(range(len(float_network.layers)))
        for layer in quantized.layers:
            sources = [self.tensors[i] for i in layer.inputs]
            if layer.kind in CONVERSIONS:
                self.tensors[layer.output] = sources[0]
                self.layers.append(None)
                continue
            place = self._place(layer, sources, waiting)
            waiting.remove(place)
            self.tensors[layer.output] = float_network.layers[place].output
            self.layers.append(place)

    def is_picture(self, float_tensor: int) -> bool:
        """Whether it is the picture, or that picture normalized."""
        return float_tensor in self._pictures

    def _root(self, float_tensor: int) -> int:
        return self._float.input if float_tensor in self._pictures else float_tensor

    def _place(self, layer: Layer, sources: list[int], waiting: list[int]) -> int:
        wanted = (layer.kind, [self._root(i) for i in sources], layer.shape)
        fitting = [place for place in waiting if self._description(place) == wanted]
        if not fitting:
            raise ModelError(
                f"the float network has nothing that the layer {layer.name} ({layer.operator}, "
                f"{'×'.join(map(str, layer.shape[1:]))}) of the quantized one could stand for",
                "give the float network that it was made of",
            )
        named = [place for place in fitting if self._float.layers[place].name == layer.name]
        return (named or fitting)[0]

    def _description(self, place: int) -> tuple[str, list[int], tuple[int, ...]]:
        layer = self._float.layers[place]
        return layer.kind, [self._root(i) for i in layer.inputs], layer.shape


def _pictures(network: Network) -> set[int]:
    """The input, and what normalization makes of it."""
    found = {network.input}
    for layer in network.layers:
        normalizes = layer.kind in _NORMALIZING and layer.takes_constants
        if set(layer.inputs) <= found and (layer.kind in CONVERSIONS or normalizes):
            found.add(layer.output)
    return found
