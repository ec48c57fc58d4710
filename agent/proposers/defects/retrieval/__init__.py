"""Prompts, retrieval, memory and calls of language models; time wasted under a fixed budget."""

from ..base import Detector
from .case_never_matches import CaseNeverMatches
from .cosine_unnormalised import CosineUnnormalised
from .cut_before_filter import CutBeforeFilter
from .event_time import EventTime
from .json_mode import JsonMode
from .messages_mutated import MessagesMutated
from .min_max_of_one import MinMaxOfOne
from .parse_failure import ParseFailure
from .prompt_fields import PromptFields
from .prompt_missing_f import PromptMissingF
from .ranking_direction import RankingDirection
from .reply_default import ReplyDefault
from .tokenised_differently import TokenisedDifferently
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
)
