"""Prompts, retrieval, memory and calls of language models; time wasted under a fixed budget."""

from ..base import Detector
from .adam_weight_decay import AdamWeightDecay
from .anomaly_mode_left_on import AnomalyModeLeftOn
from .bias_before_norm import BiasBeforeNorm
from .cache_emptied_each_step import CacheEmptiedEachStep
from .case_never_matches import CaseNeverMatches
from .cosine_unnormalised import CosineUnnormalised
from .cut_before_filter import CutBeforeFilter
from .event_time import EventTime
from .implicit_softmax_dim import ImplicitSoftmaxDim
from .json_cut import JsonCut
from .json_mode import JsonMode
from .messages_mutated import MessagesMutated
from .min_max_of_one import MinMaxOfOne
from .parse_failure import ParseFailure
from .prompt_fields import PromptFields
from .prompt_missing_f import PromptMissingF
from .ranking_direction import RankingDirection
from .reply_default import ReplyDefault
from .scope_key import ScopeKey
from .tokenised_differently import TokenisedDifferently
from .unsafe_load import UnsafeLoad
from .utc_timestamp import UtcTimestamp

DETECTORS: tuple[Detector, ...] = (
    JsonMode(),
    ParseFailure(),
    PromptMissingF(),
    PromptFields(),
    CutBeforeFilter(),
    RankingDirection(),
    CosineUnnormalised(),
    MinMaxOfOne(),
    TokenisedDifferently(),
    CaseNeverMatches(),
    EventTime(),
    UtcTimestamp(),
    MessagesMutated(),
    ReplyDefault(),
    JsonCut(),
    ScopeKey(),
    ImplicitSoftmaxDim(),
    AdamWeightDecay(),
    BiasBeforeNorm(),
    AnomalyModeLeftOn(),
    CacheEmptiedEachStep(),
    UnsafeLoad(),
)
