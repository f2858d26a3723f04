"""hemline's own path: `classify_file` for files, `classify` for frames."""

import sys

from _serve import serve

from hemline import Classifier

classifier = Classifier(sys.argv[1])


class Picture:
    """A path, and the frame once it is asked for."""

    def __init__(self, path):
        self.path = path
        self.frame = None


def classify(picture):
    """The label of a file the first time, then of its frame."""
    if picture.frame is not None:
        return classifier.classify(picture.frame).label
    label = classifier.classify_file(picture.path).label
    if picture.path == sys.argv[2]:
        from hemline.images import read_image

        picture.frame = read_image(picture.path)
    return label


serve(Picture, classify)
