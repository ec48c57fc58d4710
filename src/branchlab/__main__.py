"""`python -m branchlab`."""

from .agent.cli import main

main()
