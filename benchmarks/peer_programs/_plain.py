"""The plain way from a frame to pixels: grey, then one resize. Labels of Fashion-MNIST."""

import cv2

LABELS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def pixels(frame):
    """uint8, (28, 28)."""
    return cv2.resize(
        cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), (28, 28), interpolation=cv2.INTER_AREA
    )
