"""MediaPipe Tasks' ImageClassifier, with the file that `hemline convert --mediapipe` makes."""

import sys

import mediapipe
from _serve import serve
from mediapipe.tasks.python import BaseOptions
from mediapipe.tasks.python.vision import ImageClassifier, ImageClassifierOptions

options = ImageClassifierOptions(BaseOptions(model_asset_path=sys.argv[1]), max_results=1)
classifier = ImageClassifier.create_from_options(options)


def classify(image):
    """The likeliest label."""
    return classifier.classify(image).classifications[0].categories[0].category_name


serve(mediapipe.Image.create_from_file, classify)
