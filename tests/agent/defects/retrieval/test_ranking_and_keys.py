"""What is found first, what is filtered when, how words meet, which time is stored, and under which key."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Program = str | Mapping[str, str]

CUT = """
def search(index, query, user, k):
    hits = index.rank(query)[:k]
    return [hit for hit in hits if hit.user == user]
"""
ARGSORT = """
import numpy as np

def search(similarities, texts, k):
    best = np.argsort(similarities)[:k]
    return [texts[i] for i in best]
"""
FARTHEST = """
def search(hits, k):
    hits.sort(key=lambda hit: hit.distance, reverse=True)
    return hits[:k]
"""
LOWEST = """
def search(hits, k):
    return sorted(hits, key=lambda hit: hit["similarity"])[:k]
"""
COSINE = """
import numpy as np

def cosine_similarity(a, b):
    return float(np.dot(a, b))
"""
SCALE = """
def scale(scores):
    low, high = min(scores), max(scores)
    return [(score - low) / (high - low + 1e-8) for score in scores]
"""
WORDS = """
from rank_bm25 import BM25Okapi

class Index:
    def __init__(self, texts):
        self.index = BM25Okapi([text.lower().split() for text in texts])

    def search(self, query):
        return self.index.get_scores(query.split())
"""
CASE = """
def is_yes(reply):
    text = reply.strip().lower()
    return text.startswith("Yes")
"""
TIME = """
from datetime import datetime

class Memory:
    def add(self, text, timestamp):
        self.items.append({"text": text, "timestamp": datetime.now()})
"""
BEFORE_AFTER: dict[str, tuple[str, Program, Program]] = {
    "cut, then filtered": (
        "cut_before_filter", CUT, CUT.replace("(query)[:k]", "(query)").replace("== user]", "== user][:k]"),
    ),
    "the lowest similarities": (
        "ranking_direction", ARGSORT, ARGSORT.replace("(similarities)[:k]", "(similarities)[::-1][:k]"),
    ),
    "the farthest": ("ranking_direction", FARTHEST, FARTHEST.replace(", reverse=True", "")),
    "the least similar": ("ranking_direction", LOWEST, LOWEST.replace('"similarity"])', '"similarity"], reverse=True)')),
    "a product called cosine": (
        "cosine_unnormalised", COSINE,
        COSINE.replace("np.dot(a, b)", "np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))"),
    ),
    "a single score": (
        "min_max_of_one", SCALE,
        SCALE.replace("(score - low) / (high - low + 1e-8)", "(score - low) / (high - low) if high > low else 1.0"),
    ),
    "words of another case": (
        "tokenised_differently", WORDS, WORDS.replace("query.split()", "query.lower().split()"),
    ),
    "a capital that cannot be": ("case_never_matches", CASE, CASE.replace('"Yes"', "'yes'")),
    "one of several": (
        "case_never_matches",
        "def kind(text):\n    return text.lower() in ('when', 'Where')\n",
        "def kind(text):\n    return text.lower() in ('when', 'where')\n",
    ),
    "a parameter, made lower on the way": (
        "case_never_matches",
        "def kind(text):\n    text = text.lower()\n    if 'USA' in text:\n        return 1\n",
        "def kind(text):\n    text = text.lower()\n    if 'usa' in text:\n        return 1\n",
    ),
    "the time of storing": ("event_time_ignored", TIME, TIME.replace("datetime.now()", "timestamp")),
    "the time of storing, where none may be given": (
        "event_time_ignored",
        TIME.replace("timestamp)", "timestamp=None)"),
        TIME.replace("timestamp)", "timestamp=None)").replace("datetime.now()", "timestamp or datetime.now()"),
    ),
    "seconds of a time without a zone": (
        "utc_timestamp",
        "import datetime\n\ndef now():\n    return datetime.datetime.utcnow().timestamp()\n",
        "import datetime\n\ndef now():\n    return datetime.datetime.now().timestamp()\n",
    ),
    "ids with nothing between": (
        "scope_key",
        "def get(cache, user_id, session):\n    return cache[f'{user_id}{session.id}']\n",
        "def get(cache, user_id, session):\n    return cache[f'{user_id}:{session.id}']\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BEFORE_AFTER)
def test_is_mended(case: str, mended: Callable[[str, Program, Program], None]) -> None:
    mended(*BEFORE_AFTER[case])


SILENT = {
    "filtered, then cut": ("cut_before_filter", "def f(index, query, user, k):\n    hits = index.rank(query)\n    return [h for h in hits if h.user == user][:k]\n"),
    "filtered by the score": ("cut_before_filter", CUT.replace("hit.user == user", "hit.score > 0.5")),
    "cut lists that are used whole": ("cut_before_filter", CUT.replace("    return", "    log(hits)\n    return")),
    "not a number of results": ("cut_before_filter", CUT.replace("[:k]", "[:-1]")),
    "from the end": ("ranking_direction", ARGSORT.replace("[:k]", "[-k:]")),
    "negated": ("ranking_direction", ARGSORT.replace("(similarities)", "(-similarities)")),
    "distances upward": ("ranking_direction", ARGSORT.replace("similarities", "distances")),
    "farthest on purpose": ("ranking_direction", FARTHEST.replace("def search", "def farthest_points")),
    "hard negatives": ("ranking_direction", LOWEST.replace("def search", "def mine_negatives")),
    "turned round": ("ranking_direction", FARTHEST.replace("similarity", "distance").replace("    return", "    hits.reverse()\n    return")),
    "not cut": ("ranking_direction", LOWEST.replace("[:k]", "")),
    "a real cosine": ("cosine_unnormalised", COSINE.replace("np.dot(a, b)", "np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)")),
    "normalised before": ("cosine_unnormalised", COSINE + "\ndef search(a, b):\n    return cosine_similarity(normalize(a), normalize(b))\n"),
    "said in words": ("cosine_unnormalised", COSINE.replace("    return", "    'Of normalised vectors.'\n    return")),
    "a schedule": ("cosine_unnormalised", COSINE.replace("cosine_similarity", "cosine_schedule")),
    "asked about": ("min_max_of_one", SCALE.replace("    return", "    if high == low:\n        return [1.0] * len(scores)\n    return")),
    "bounds from elsewhere": ("min_max_of_one", SCALE.replace("min(scores), max(scores)", "0.0, 1.0")),
    "no scores": ("min_max_of_one", SCALE.replace("scores", "pixels").replace("score", "pixel")),
    "the same words": ("tokenised_differently", WORDS.replace("query.split()", "query.lower().split()")),
    "a tokenizer out of sight": ("tokenised_differently", WORDS.replace("text.lower().split()", "prepare(text)")),
    "another index": ("tokenised_differently", WORDS.replace("BM25Okapi(", "Other(")),
    "both spellings": ("case_never_matches", "def f(text):\n    return text.lower() in ('yes', 'true', 'True')\n"),
    "searched for more than are wanted": ("cut_before_filter", CUT.replace("index.rank(query)[:k]", "index.search(query, k=4 * k)")),
    "lower case": ("case_never_matches", CASE.replace("Yes", "yes")),
    "any case": ("case_never_matches", CASE.replace(".lower()", "")),
    "no letters": ("case_never_matches", CASE.replace("Yes", "1.")),
    "lower only sometimes": ("case_never_matches", "def f(text, flag):\n    if flag:\n        text = text.lower()\n    return 'A' in text\n"),
    "lower below": ("case_never_matches", "def f(text):\n    if 'A' in text:\n        return 1\n    text = text.lower()\n    return text\n"),
    "in a loop": ("case_never_matches", "def f(texts):\n    text = ''.lower()\n    for text in texts:\n        if 'A' in text:\n            return 1\n"),
    "the time that was given": ("event_time_ignored", TIME.replace("datetime.now()", "timestamp or datetime.now()")),
    "another field": ("event_time_ignored", TIME.replace('"timestamp": ', '"stored_at": ')),
    "no such parameter": ("event_time_ignored", TIME.replace(", timestamp)", ")")),
    "a time with a zone": ("utc_timestamp", "from datetime import datetime, timezone\nx = datetime.now(timezone.utc).timestamp()\n"),
    "printed": ("utc_timestamp", "from datetime import datetime\nx = datetime.utcnow().isoformat()\n"),
    "parted": ("scope_key", "def f(cache, user_id, run_id):\n    return cache[f'{user_id}/{run_id}']\n"),
    "not ids": ("scope_key", "def f(cache, left, right):\n    key = f'{left}{right}'\n    return cache[key]\n"),
    "not a key": ("scope_key", "def f(user_id, run_id):\n    title = f'{user_id}{run_id}'\n    return title\n"),
    "escaped": ("scope_key", "def f(table, user):\n    safe = user.replace('\"', '')\n    return table.search(q, filter=f'user == \"{safe}\"')\n"),
    "a filter in a dictionary": ("scope_key", "def f(table, user):\n    return table.search(q, filter={'user': user})\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", SILENT)
def test_is_silent(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    detector, program = SILENT[case]
    assert found(detector, program) == []


def test_a_search_that_takes_k_is_advised(found: Callable[[str, Program], list[Any]]) -> None:
    (finding,) = found("cut_before_filter", CUT.replace("index.rank(query)[:k]", "index.search(query, k=k)"))
    assert finding.action == "advise"


def test_a_filter_is_advised(found: Callable[[str, Program], list[Any]]) -> None:
    program = "def f(table, user):\n    return table.search(q, filter=f'user == \"{user}\"')\n"
    (finding,) = found("scope_key", program)
    assert finding.action == "advise"


def test_seconds_since_1970_are_the_same_in_every_zone() -> None:
    """What the mended line gives is what was meant, whatever the machine's zone."""
    import time
    from datetime import datetime

    assert abs(datetime.now().timestamp() - time.time()) < 60
