"""What is minimized: cross-entropy against groups of classes, smoothed, mixed, or against a teacher.

A *group* is a set of classes of which any is right: photos that are only known to show shoes have the group
of sandal, sneaker and ankle boot. The first groups are the classes themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline_train._tensorflow import tf
from hemline_train.images import NOTHING

_NOT_IN_GROUP = -1e9  # what the logarithm of no chance is replaced by
# Above 1, a group's likeliest class is trained on more than its chance says. At 1, a third for each of
# three kinds is as good as one that is sure, and the runtime, which wants one sure class, answers unknown.
_SHARPNESS = 1.5


class GroupLoss:
    """Cross-entropy of logits against groups.

    What a group wants of its classes is what the network thinks of them already, made surer: expectation
    maximization (Dempster et al., 1977) with its expectation raised to a power.

    Args:
        groups: bool, (groups, classes).
        smoothing: Share of the target that is spread over all classes, 0 to below 1.
    """

    def __init__(self, groups: NDArray[np.bool_], smoothing: float = 0.0) -> None:
        self._smoothing = smoothing
        identity = groups.shape[0] == groups.shape[1] and bool(
            np.array_equal(groups, np.eye(len(groups)))
        )
        self._outside = (
            None if identity else tf.constant(np.where(groups, 0.0, _NOT_IN_GROUP), tf.float32)
        )

    def __call__(self, logits: Any, targets: Any) -> Any:
        """The loss of each image.

        Args:
            logits: float32, (N, classes).
            targets: int64, (N,): a group, or `NOTHING`, which is best answered by equal chances.

        Returns:
            float32, (N,), nats.
        """
        chances = tf.nn.log_softmax(logits)
        spread = -tf.reduce_mean(chances, axis=1)
        of_groups = chances
        if self._outside is not None:
            inside = chances[:, None, :] + self._outside[None]
            weights = tf.stop_gradient(tf.nn.softmax(_SHARPNESS * inside, axis=2))
            of_groups = tf.reduce_sum(weights * inside, axis=2)
        right = -tf.gather(of_groups, tf.maximum(targets, 0), axis=1, batch_dims=1)
        smoothed = (1 - self._smoothing) * right + self._smoothing * spread
        return tf.where(targets == NOTHING, spread, smoothed)


def right_answers(logits: Any, targets: Any, groups: NDArray[np.bool_]) -> Any:
    """Which of the images have an answer in their group; bool, (N,)."""
    member = tf.gather(tf.constant(groups), tf.maximum(targets, 0))
    hit = tf.gather(member, tf.argmax(logits, axis=1), axis=1, batch_dims=1)
    return hit & (targets != NOTHING)


def distillation_loss(logits: Any, teacher_logits: Any, temperature: float) -> Any:
    """How far the answers are from those of a teacher (Hinton et al., 2015, arXiv:1503.02531).

    Args:
        logits: float32, (N, classes).
        teacher_logits: Likewise, of the same images.
        temperature: Both are divided by it; above 1, the less likely classes count for more.

    Returns:
        float32, (N,): cross-entropy times the square of the temperature, so that its gradients stay as
        large as those of the classes.
    """
    wanted = tf.nn.softmax(teacher_logits / temperature)
    chances = tf.nn.log_softmax(logits / temperature)
    return -tf.reduce_sum(wanted * chances, axis=1) * temperature**2
