"""Before the step it is told to wait for, the average does not begin."""

import torch
from case import load, settle

module = load("dalle2_pytorch/trainer.py", "dalle2_pytorch.dalle2_pytorch", "dalle2_pytorch.optimizer", "accelerate")
average = module.EMA(torch.nn.Linear(1, 1), update_after_step=20, update_every=5)
calls = []
average.update_moving_average = lambda *_: calls.append(1)
for _ in range(20):
    average.update()
settle(calls)
