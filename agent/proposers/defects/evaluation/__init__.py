"""Data, evaluation and numerics: selection, leakage, metrics, precision, padding, sampling, checkpoints."""

from ..base import Detector

DETECTORS: tuple[Detector, ...] = ()
