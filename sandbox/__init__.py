"""Runs one command on one checkout, and survives it."""
