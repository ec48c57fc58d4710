"""A search that failed says so somewhere: it does not look like a search that found nothing."""

import contextlib
import io

from case import load, settle

module = load("integrations/mem0-plugin/scripts/_search.py", root="integrations/mem0-plugin/scripts")


def broken(*_, **__):
    raise OSError("no network")


module._do_search = broken
said = io.StringIO()
with contextlib.redirect_stderr(said):
    module.search_memories("key", "user", "project", "query")
settle(not said.getvalue())
