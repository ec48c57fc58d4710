"""The loss of a Gaussian with a given variance is least at the mean squared error, not at its root."""

import torch
from case import load, settle

loss = load("x_transformers/continuous.py").GaussianNLL()
variances = torch.linspace(0.5, 30.0, 600)
losses = [loss((torch.zeros(1), v.view(1)), torch.full((1,), 4.0)).item() for v in variances]
best = variances[torch.tensor(losses).argmin()].item()
settle(abs(best - 16.0) > 1.0)
