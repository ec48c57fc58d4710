"""A list of numbers becomes a tensor of these numbers."""

from case import load, settle

to_tensor = load("segmentation_models_pytorch/losses/_functional.py").to_tensor
settle(to_tensor([1, 2]).tolist() != [1, 2])
