"""Small projects the architecture tests read: an autoencoder written another way, and neighbours that are none."""

BASKETS = '''import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

ROUNDS = 3


class Restorer(nn.Module):
    """Completes baskets."""

    def __init__(self, num_products):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(num_products, 30),
            nn.ReLU(),
            nn.Linear(30, 8),
            nn.ReLU(),
        )
        self.decoder = nn.Sequential(nn.Linear(8, 30), nn.ReLU(), nn.Linear(30, num_products))

    def forward(self, baskets):
        """Scores of every product."""
        return self.decoder(self.encoder(baskets))


class Fitter:
    def __init__(self, net):
        self.net = net

    def run(self, data):
        opt = torch.optim.SGD(self.net.parameters(), lr=0.1)
        loader = DataLoader(TensorDataset(data), batch_size=16, shuffle=True)
        for round in range(ROUNDS):
            for (rows,) in loader:
                restored = self.net(rows)
                error = ((restored - rows) ** 2).mean()
                opt.zero_grad()
                error.backward()
                opt.step()
        return self.net


def main():
    torch.manual_seed(0)
    data = (torch.rand(64, 12) < 0.3).float()
    data[:, 1] = data[:, 0]
    net = Restorer(data.shape[1])
    scores = Fitter(net).run(data)(torch.eye(12)[:1])
    scores[0, 0] = -torch.inf
    print(scores.topk(3).indices.tolist())


if __name__ == "__main__":
    main()
'''

CLASSIFIER = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, pixels):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(pixels, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x):
        return self.layers(x)


def train(loader):
    net = Net(64)
    optimizer = torch.optim.Adam(net.parameters())
    criterion = nn.CrossEntropyLoss()
    for epoch in range(5):
        for images, labels in loader:
            loss = criterion(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


def top(net, images):
    return net(images).topk(3)
"""

REGRESSOR = CLASSIFIER.replace("nn.Linear(64, 10)", "nn.Linear(64, pixels)").replace("CrossEntropyLoss", "MSELoss")
"""Gives out as much as it takes in, but is compared with something else."""

LANGUAGE_MODEL = """import torch
import torch.nn.functional as F
from torch import nn


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        return self.layers(x)


class CharModel(nn.Module):
    def __init__(self, vocabulary, width):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.block = FeedForward(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, ids):
        return self.head(self.block(self.embed(ids)))


def train(text, steps):
    model = CharModel(96, 64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    for step in range(steps):
        chunk = text[step]
        x, y = chunk[:, :-1], chunk[:, 1:]
        logits = model(x)
        loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def sample(model, ids):
    return model(ids)[:, -1].topk(5)
"""

DIFFUSION = """import torch
import torch.nn.functional as F
from torch import nn


class Denoise(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(size, 99), nn.ReLU(), nn.Linear(99, 99), nn.ReLU(), nn.Linear(99, size))

    def forward(self, x):
        return self.layers(x)


def train(points):
    net = Denoise(2)
    optimizer = torch.optim.Adam(net.parameters())
    for step in range(100):
        noise = torch.randn_like(points)
        noisy = 0.6 * points + 0.8 * noise
        loss = F.mse_loss(net(noisy), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return points.argsort()
"""

NEIGHBOURS = {
    "classifier": CLASSIFIER,
    "regressor": REGRESSOR,
    "language model": LANGUAGE_MODEL,
    "diffusion": DIFFUSION,
}
