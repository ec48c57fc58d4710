"""Data, evaluation and numerics: selection, leakage, metrics, precision, padding, sampling, checkpoints."""

from ..base import Detector
from .accuracy_only import AccuracyOnly
from .argmax_over_batch import ArgmaxOverBatch
from .augmented_validation import AugmentedValidation
from .best_state_not_copied import BestStateNotCopied
from .best_wrong_way import BestWrongWay
from .bootstrap_past_end import BootstrapPastEnd
from .cache_key import CacheKey
from .cast_after import CastAfter
from .chained_assignment import ChainedAssignment
from .classes_for_scores import ClassesForScores
from .compared_with_nan import ComparedWithNan
from .count_over_batches import CountOverBatches
from .debug_limit import DebugLimit
from .dropped_result import DroppedResult
from .graph_in_total import GraphInTotal
from .held_out_is_training import HeldOutIsTraining
from .independent_shuffle import IndependentShuffle
from .integer_difference import IntegerDifference
from .last_token_is_padding import LastTokenIsPadding
from .linear_after_linear import LinearAfterLinear
from .log_of_softmax import LogOfSoftmax
from .mask_constant import MaskConstant
from .mean_of_batch_scores import MeanOfBatchScores
from .mutable_default import MutableDefault
from .padding_in_labels import PaddingInLabels
from .preprocessing_differs import PreprocessingDiffers
from .resampled_before_split import ResampledBeforeSplit
from .right_padded_generation import RightPaddedGeneration
from .scaled_twice import ScaledTwice
from .scored_on_training_rows import ScoredOnTrainingRows
from .seed_in_loop import SeedInLoop
from .selected_on_test import SelectedOnTest
from .shallow_defaults import ShallowDefaults
from .shared_rows import SharedRows
from .softmax_of_one import SoftmaxOfOne
from .stale_cache_file import StaleCacheFile
from .stripped_keys import StrippedKeys
from .swapped_metric_arguments import SwappedMetricArguments
from .symmetric_weights import SymmetricWeights
from .time_split_at_random import TimeSplitAtRandom
from .unguarded_std import UnguardedStd
from .uninitialised_parameter import UninitialisedParameter
from .unseen_missing_keys import UnseenMissingKeys
from .unsorted_median import UnsortedMedian
from .unused_target_network import UnusedTargetNetwork

DETECTORS: tuple[Detector, ...] = (
    SelectedOnTest(),
    HeldOutIsTraining(),
    ScoredOnTrainingRows(),
    ResampledBeforeSplit(),
    TimeSplitAtRandom(),
    PreprocessingDiffers(),
    ScaledTwice(),
    IndependentShuffle(),
    AugmentedValidation(),
    SeedInLoop(),
    CountOverBatches(),
    MeanOfBatchScores(),
    ArgmaxOverBatch(),
    UnsortedMedian(),
    SwappedMetricArguments(),
    ClassesForScores(),
    IntegerDifference(),
    GraphInTotal(),
    BestWrongWay(),
    BestStateNotCopied(),
    LogOfSoftmax(),
    UnguardedStd(),
    CastAfter(),
    UninitialisedParameter(),
    SymmetricWeights(),
    LinearAfterLinear(),
    SoftmaxOfOne(),
    AccuracyOnly(),
    DebugLimit(),
    RightPaddedGeneration(),
    PaddingInLabels(),
    LastTokenIsPadding(),
    MaskConstant(),
    CacheKey(),
    StaleCacheFile(),
    StrippedKeys(),
    UnseenMissingKeys(),
    BootstrapPastEnd(),
    UnusedTargetNetwork(),
    ComparedWithNan(),
    DroppedResult(),
    ChainedAssignment(),
    MutableDefault(),
    ShallowDefaults(),
    SharedRows(),
)
"""In the order of the catalogue's rank."""
