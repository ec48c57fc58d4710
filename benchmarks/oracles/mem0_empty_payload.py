"""An update to an empty payload is sent."""

import json

from case import definition, settle, thing

update = definition("mem0/vector_stores/azure_ai_search.py", "AzureAISearch.update", json=json)
sent = []
store = thing(search_client=thing(merge_or_upload_documents=lambda documents: sent.extend(documents) or []))
update(store, "x", payload={})
settle("payload" not in sent[0])
