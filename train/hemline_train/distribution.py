"""How the gradients of a batch come together: in one process, or in several that share its images.

Each of several processes draws the whole batch and all that is done to its images, from the same seeds,
and then computes the gradients of its own share of it. The sum over all shares is the gradient of the whole.
So the outcome is that of one process but for rounding: batch normalization takes its statistics over all
shares, and every process changes its weights by the same sum. Only dropout is drawn by each for itself.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hemline.errors import UserError
from hemline_train._tensorflow import keras, tf
from hemline_train.cluster import VARIABLE, Cluster, cluster_from_environment

Tensors = Sequence[Any]


class Crew(Protocol):
    """Those who train together.

    Attributes:
        size: How many processes.
        number: Of this one, from 0.
    """

    size: int
    number: int

    @property
    def is_chief(self) -> bool:
        """Whether this one writes the run folder."""

    def summed(self, function: Callable[..., list[Any]], batch: Tensors) -> list[Any]:
        """What a function gives for a batch, where it adds up over images.

        Args:
            function: From the tensors of some images to a list of tensors, each a sum over the images.
            batch: Tensors whose first axis is that of the images.
        """

    def total(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The sums over all processes; in each the arrays have the same shapes."""

    def shared_statistics(self, layers: Sequence[Any]) -> contextlib.AbstractContextManager[None]:
        """While it lasts, batch normalization takes its statistics over all shares."""

    def explaining_losses(self) -> contextlib.AbstractContextManager[None]:
        """While it lasts, a process that is lost is a `UserError`."""


class Alone:
    """One process: nothing is shared, and nothing costs."""

    size = 1
    number = 0
    is_chief = True

    def summed(self, function: Callable[..., list[Any]], batch: Tensors) -> list[Any]:
        """The function itself."""
        return function(*batch)

    def total(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The arrays themselves."""
        return list(arrays)

    def shared_statistics(self, layers: Sequence[Any]) -> contextlib.AbstractContextManager[None]:
        """Nothing."""
        del layers
        return contextlib.nullcontext()

    def explaining_losses(self) -> contextlib.AbstractContextManager[None]:
        """Nothing."""
        return contextlib.nullcontext()


class Workers:
    """Several processes, joined by `tf.distribute.MultiWorkerMirroredStrategy`.

    Its variables are those of one process, not the strategy's: all processes begin with the same values and
    apply the same gradients to them.

    Args:
        cluster: Who they are.

    Raises:
        UserError: They cannot be joined.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.size, self.number = len(cluster.addresses), cluster.number
        try:
            self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except (RuntimeError, ValueError, tf.errors.OpError) as error:
            raise UserError(
                f"the processes of {VARIABLE} cannot be joined: {_first_line(error)}",
                "each address must be free on its machine and within reach of the others, and TensorFlow "
                "unused in this process so far",
            ) from error
        # One by one: those that are summed at once must be of one type.
        self._total = tf.function(
            lambda values: self._strategy.run(lambda: [self._sum([value])[0] for value in values])
        )
        devices = len(self._strategy.extended.worker_devices)
        if devices != 1:
            raise UserError(
                f"this process has {devices} devices to train on",
                "start one process for each, and let each see its own: CUDA_VISIBLE_DEVICES",
            )

    @property
    def is_chief(self) -> bool:
        """Whether this is the first."""
        return self.number == 0

    def summed(self, function: Callable[..., list[Any]], batch: Tensors) -> list[Any]:
        """The sum over the shares, which the processes take in the order of the images."""
        count = tf.shape(batch[0])[0]
        first, end = count * self.number // self.size, count * (self.number + 1) // self.size

        def of_share() -> list[Any]:
            return self._sum(function(*(tensor[first:end] for tensor in batch)))

        return [self._local(value) for value in self._strategy.run(of_share)]

    def total(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The sums."""
        held = [array for array in arrays if array.size]  # of nothing, collectives crash
        with self.explaining_losses():
            total = self._total([tf.constant(array) for array in held])
            sums = iter([np.array(self._local(value)) for value in total])
        return [next(sums) if array.size else array for array in arrays]

    @contextlib.contextmanager
    def shared_statistics(self, layers: Sequence[Any]) -> Iterator[None]:
        """Keras sums its moments over all replicas where a layer asks for that."""
        own = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
        for layer in own:
            layer.synchronized = True
        try:
            yield
        finally:
            for layer in own:
                layer.synchronized = False  # the saved file is that of one process

    @contextlib.contextmanager
    def explaining_losses(self) -> Iterator[None]:
        """Collectives fail when a process is gone."""
        try:
            yield
        except (
            tf.errors.UnavailableError,
            tf.errors.AbortedError,
            tf.errors.CancelledError,
            tf.errors.DeadlineExceededError,
            tf.errors.InternalError,
        ) as error:
            raise UserError(
                f"another process of {VARIABLE} is gone, or no longer within reach ({_reason(error)})",
                "what it printed says why; to go on after the last epoch, start all with --resume RUN",
            ) from error

    def _sum(self, values: list[Any]) -> list[Any]:
        replica = tf.distribute.get_replica_context()
        placed = [
            tf.identity(value) for value in values
        ]  # an argument of a function is on no device
        summed: list[Any] = replica.all_reduce(tf.distribute.ReduceOp.SUM, placed)
        return summed

    def _local(self, value: Any) -> Any:
        return self._strategy.experimental_local_results(value)[0]


def connect() -> Crew:
    """Join the processes that `TF_CONFIG` names, which waits for them; `Alone` without it.

    It must be called before TensorFlow computes anything in this process.

    Raises:
        UserError: The variable cannot be used, or the processes cannot be joined.
    """
    return _joined(cluster_from_environment())


@functools.cache  # a process can join once
def _joined(cluster: Cluster | None) -> Crew:
    return Workers(cluster) if cluster else Alone()


def from_chief(crew: Crew, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """The arrays as the chief has them; in each process they have the same shapes."""
    return crew.total([array if crew.is_chief else np.zeros_like(array) for array in arrays])


def must_agree(crew: Crew, digest: bytes) -> None:
    """Make sure that all processes train the same on the same images.

    Args:
        crew: All of them.
        digest: Of settings and images, as long in every process.

    Raises:
        UserError: They differ, in every process.
    """
    own = np.frombuffer(digest, np.uint8).astype(np.int32)
    differs = not np.array_equal(from_chief(crew, [own])[0], own)
    if int(crew.total([np.array(int(differs), np.int32)])[0]):
        raise UserError(
            f"the processes of {VARIABLE} have not all the same settings and images as the first",
            "start all with the same options, on the same data",
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _reason(error: Exception) -> str:
    """What the collectives say, which stands far down in what TensorFlow tells of its graph."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line.startswith("Collective")), type(error).__name__)
