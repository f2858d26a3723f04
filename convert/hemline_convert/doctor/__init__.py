"""The int8 doctor: why an int8 network is worse than its float one, and what mends it."""

from hemline_convert.doctor.check import Checked, check
from hemline_convert.doctor.consultation import Consultation, Trial, consult
from hemline_convert.doctor.diagnosis import Cause, Diagnosis, diagnose
from hemline_convert.doctor.letter import letter
from hemline_convert.doctor.patient import ExamSet, choose_exam_pictures

__all__ = [
    "Cause",
    "Checked",
    "Consultation",
    "Diagnosis",
    "ExamSet",
    "Trial",
    "check",
    "choose_exam_pictures",
    "consult",
    "diagnose",
    "letter",
]
