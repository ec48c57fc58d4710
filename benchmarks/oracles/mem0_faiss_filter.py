"""The filter is applied before the list is cut: two of four candidates fit, two come back."""

import numpy
from case import definition, settle, thing

FILE = "mem0/vector_stores/faiss.py"
names = {"np": numpy, "OutputData": thing, "faiss": None}
search, parse, keep = (
    definition(FILE, f"FAISS.{name}", **names) for name in ("search", "_parse_output", "_apply_filters")
)
store = thing(
    index=thing(search=lambda _, k: (numpy.zeros((1, k)), numpy.arange(k)[None])), normalize_L2=False,
    distance_strategy="cosine", index_to_id={n: str(n) for n in range(4)},
    docstore={str(n): {"user": "a" if n >= 2 else "b"} for n in range(4)},
)  # fmt: skip
store._parse_output = lambda *words: parse(store, *words)
store._apply_filters = lambda *words: keep(store, *words)
settle(len(search(store, "", [[0.0]], top_k=2, filters={"user": "a"})) != 2)
