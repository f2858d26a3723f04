"""hemline's own path: `classify_file` for files, `classify` for frames."""

import sys

from _serve import serve

from hemline import Classifier

classifier = Classifier(sys.argv[1])


class Picture:
    """A path; and the frame, for one that is classified again."""

    def __init__(self, path):
        self.path = path
        self.frame = None
        self.is_new = True


def classify(picture):
    """The label of a file the first time, then of its frame."""
    if picture.is_new:
        picture.is_new = False
        return classifier.classify_file(picture.path).label
    if picture.frame is None:
        from hemline.images import read_image

        picture.frame = read_image(picture.path)
    return classifier.classify(picture.frame).label


serve(Picture, classify)
