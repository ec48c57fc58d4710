"""A program of its own, run as `python -I last_match.py`: the group of the last line of a log that a pattern matches.

Reads {"pattern": ..., "log": ...} from stdin and writes the text of the group, or null. It is a process because only a
process can be stopped in the middle of a regular expression.
"""

import json
import re
import sys

LONGEST_LINE = 2000


def last_match(pattern: str, log: str) -> str | None:
    """The first group (the whole match without one) of the last line that matches, lines cut at 2,000 characters."""
    expression = re.compile(pattern)
    for line in reversed(re.split(r"[\r\n]+", log)):
        matches = list(expression.finditer(line[:LONGEST_LINE]))
        if matches:
            return matches[-1][1] if expression.groups else matches[-1][0]
    return None


if __name__ == "__main__":
    json.dump(last_match(**json.load(sys.stdin)), sys.stdout)
