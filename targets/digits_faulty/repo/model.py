import torch.nn.functional as F
from torch import nn


class DigitNet(nn.Module):
    """Two convolutions and one hidden layer; returns the probability of each class."""

    def __init__(self, channels, hidden, dropout, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, 2 * channels, kernel_size=3, padding=1)
        self.hidden = nn.Linear(2 * channels * 2 * 2, hidden)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = self.dropout(x.flatten(1))
        x = self.dropout(F.relu(self.hidden(x)))
        return F.softmax(self.head(x), dim=1)
