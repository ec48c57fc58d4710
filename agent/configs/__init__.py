"""Scalars of YAML, TOML and JSON text, each with its place, so that one can be changed and nothing else."""
