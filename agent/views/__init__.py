"""Ways to show a run while it goes: for a terminal, for a log, for a machine."""
