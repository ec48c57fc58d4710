"""The index: what every file says, kept by content, so that nothing is read twice."""

from .fact_index import NAME as NAME
from .fact_index import FactIndex as FactIndex
