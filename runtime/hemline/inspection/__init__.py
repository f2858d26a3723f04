"""What is in a model file, and what it needs: `hemline inspect`, for machines without TensorFlow."""

from hemline.inspection.report import ALTERED, MATCHES, NO_CHECKSUM, Inspection, inspect_model

__all__ = ["ALTERED", "MATCHES", "NO_CHECKSUM", "Inspection", "inspect_model"]
