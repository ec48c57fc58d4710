"""Scores, judges, compares. Never imports the agent: the judge does not know the judged."""
