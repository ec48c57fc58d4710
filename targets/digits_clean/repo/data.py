"""Reading the npz files, and the scaling every image goes through."""

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset


class Standardizer:
    """Shifts and scales images by the mean and standard deviation of the images it was fitted on."""

    def __init__(self, mean=0.0, std=1.0):
        self.mean = mean
        self.std = std

    def fit(self, images):
        self.mean = images.mean().item()
        self.std = images.std().item()
        return self

    def transform(self, images):
        return (images - self.mean) / self.std

    def fit_transform(self, images):
        return self.fit(images).transform(images)


def load_images(path):
    """Images as float32, shape (n, 1, 8, 8)."""
    with np.load(path) as archive:
        images = archive["images"]
    return torch.from_numpy(images).float().unsqueeze(1)


def load_labels(path):
    with np.load(path) as archive:
        labels = archive["labels"]
    return torch.from_numpy(labels).long()


def training_loader(images, labels, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(TensorDataset(images, labels), batch_size=batch_size, shuffle=True, generator=generator)
