"""The mean length of the queries is recorded."""

import torch
from case import load, settle

module = load("src/pytorch_metric_learning/distances/lp_distance.py", root="src")
distance = module.LpDistance(collect_stats=True)
distance(torch.randn(8, 4))
settle(distance.initial_avg_query_norm == 0)
