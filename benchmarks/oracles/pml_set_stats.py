"""A miner that is to collect statistics has some after it was run."""

import torch
from case import load, settle

module = load("src/pytorch_metric_learning/miners/triplet_margin_miner.py", root="src")
miner = module.TripletMarginMiner(collect_stats=True)
miner(torch.randn(8, 4), torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]))
settle(miner.pos_pair_dist == 0)
