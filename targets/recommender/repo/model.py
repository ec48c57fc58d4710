"""Deep autoencoder over the vector of a package's dependencies."""

import torch
from torch import nn

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "elu": nn.ELU}


class DeepAutoencoder(nn.Module):
    def __init__(self, n_items: int, hidden: list[int], activation: str = "tanh", dropout: float = 0.0):
        super().__init__()
        widths = [n_items, *hidden, n_items]
        layers: list[nn.Module] = [nn.Dropout(dropout)]
        for i, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
            layers.append(nn.Linear(fan_in, fan_out))
            if i < len(hidden):
                layers.append(ACTIVATIONS[activation]())
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)
