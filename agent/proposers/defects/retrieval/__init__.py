"""Prompts, retrieval, memory and calls of language models; time wasted under a fixed budget."""

from ..base import Detector

DETECTORS: tuple[Detector, ...] = ()
