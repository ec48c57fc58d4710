"""The configured number of results holds when the service fails, too."""

from case import definition, settle, thing

rerank = definition("mem0/reranker/cohere_reranker.py", "CohereReranker.rerank")
fake = thing(config=thing(top_k=1), client=None, model="")
settle(len(rerank(fake, "q", [{"text": "a"}, {"text": "b"}])) != 1)
