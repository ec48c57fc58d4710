"""branchlab: code edits against hyperparameter tuning, at equal compute, on your repository."""

__version__ = "0.1.0"
