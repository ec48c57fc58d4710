"""Twenty results are asked for and come back, from a server that gives ten unless told otherwise."""

from case import definition, settle, thing

search = definition("mem0/vector_stores/elasticsearch.py", "ElasticsearchDB.search", OutputData=thing)


def answer(index, body):
    hits = [{"_id": str(n), "_score": 1.0} for n in range(body["knn"]["k"])]
    return {"hits": {"hits": hits[: body.get("size", 10)]}}


store = thing(custom_search_query=None, collection_name="c", client=thing(search=answer))
settle(len(search(store, "", [0.0], top_k=20)) != 20)
