"""Reads code, proposes, edits, drives the loop."""
