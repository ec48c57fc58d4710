"""Trivial baselines: what answers that know nothing score, made from the untouched code's predictions and judged like any."""
