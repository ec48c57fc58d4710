"""Networks and training loops: what is built and not used, losses, masks, gradients, schedules, state."""

from ..base import Detector
from .accumulation_not_divided import AccumulationNotDivided
from .argparse_bool import ArgparseBool
from .attention_scale import AttentionScale
from .clamp_bounds import ClampBounds
from .clip_before_unscale import ClipBeforeUnscale
from .clip_order import ClipOrder
from .ema_weights import EmaWeights
from .entropy_sign import EntropySign
from .freeze_without_effect import FreezeWithoutEffect
from .functional_dropout import FunctionalDropout
from .graph_cut import GraphCut
from .ignored_items_mean import IgnoredItemsMean
from .ignored_parameter import IgnoredParameter
from .inplace_argument import InplaceArgument
from .inverted_mask import InvertedMask
from .kl_div_input import KlDivInput
from .kl_div_mean import KlDivMean
from .label_shift import LabelShift
from .layer_output_lost import LayerOutputLost
from .list_of_layers import ListOfLayers
from .mask_after_softmax import MaskAfterSoftmax
from .masked_mean import MaskedMean
from .metric_not_reset import MetricNotReset
from .optimizer_too_early import OptimizerTooEarly
from .option_without_effect import OptionWithoutEffect
from .parameter_not_forwarded import ParameterNotForwarded
from .residual_missing import ResidualMissing
from .scheduler_before_optimizer import SchedulerBeforeOptimizer
from .scheduler_period import SchedulerPeriod
from .silent_broadcast import SilentBroadcast
from .state_not_restored import StateNotRestored
from .surrogate_direction import SurrogateDirection
from .unknown_keyword import UnknownKeyword
from .untrained_model import UntrainedModel
from .unused_layer import UnusedLayer
from .vae_kl_sign import VaeKlSign

DETECTORS: tuple[Detector, ...] = (
    UnusedLayer(),
    LayerOutputLost(),
    ListOfLayers(),
    ResidualMissing(),
    SilentBroadcast(),
    EntropySign(),
    VaeKlSign(),
    SurrogateDirection(),
    ClampBounds(),
    KlDivInput(),
    KlDivMean(),
    MaskedMean(),
    IgnoredItemsMean(),
    ParameterNotForwarded(),
    IgnoredParameter(),
    UnknownKeyword(),
    EmaWeights(),
    MetricNotReset(),
    StateNotRestored(),
    InplaceArgument(),
    MaskAfterSoftmax(),
    InvertedMask(),
    LabelShift(),
    AttentionScale(),
    FunctionalDropout(),
    AccumulationNotDivided(),
    ClipBeforeUnscale(),
    ClipOrder(),
    SchedulerBeforeOptimizer(),
    SchedulerPeriod(),
    GraphCut(),
    OptimizerTooEarly(),
    UntrainedModel(),
    FreezeWithoutEffect(),
    ArgparseBool(),
    OptionWithoutEffect(),
)
"""The kinds most frequent in studies of real defects first."""
