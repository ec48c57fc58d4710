"""Networks and training loops: what is built and not used, losses, masks, gradients, schedules, state."""

from ..base import Detector
from .argparse_bool import ArgparseBool
from .clamp_bounds import ClampBounds
from .entropy_sign import EntropySign
from .freeze_without_effect import FreezeWithoutEffect
from .functional_dropout import FunctionalDropout
from .kl_div_input import KlDivInput
from .kl_div_mean import KlDivMean
from .list_of_layers import ListOfLayers
from .option_without_effect import OptionWithoutEffect
from .surrogate_direction import SurrogateDirection
from .vae_kl_sign import VaeKlSign

DETECTORS: tuple[Detector, ...] = (
    ListOfLayers(),
    FunctionalDropout(),
    KlDivInput(),
    KlDivMean(),
    EntropySign(),
    VaeKlSign(),
    SurrogateDirection(),
    ClampBounds(),
    FreezeWithoutEffect(),
    ArgparseBool(),
    OptionWithoutEffect(),
)
