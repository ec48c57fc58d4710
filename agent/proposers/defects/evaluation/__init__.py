"""Data, evaluation and numerics: selection, leakage, metrics, precision, padding, sampling, checkpoints."""

from ..base import Detector
from .chained_assignment import ChainedAssignment
from .compared_with_nan import ComparedWithNan
from .dropped_result import DroppedResult
from .mutable_default import MutableDefault
from .shallow_defaults import ShallowDefaults
from .shared_rows import SharedRows
from .stripped_keys import StrippedKeys
from .unseen_missing_keys import UnseenMissingKeys

DETECTORS: tuple[Detector, ...] = (
    StrippedKeys(),
    UnseenMissingKeys(),
    ComparedWithNan(),
    DroppedResult(),
    ChainedAssignment(),
    MutableDefault(),
    ShallowDefaults(),
    SharedRows(),
)
