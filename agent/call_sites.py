"""Library calls whose literal arguments are hyperparameters: parameter, its position, and the word its rule goes by."""

from collections.abc import Mapping

Parameters = Mapping[str, tuple[int, str]]
"""Parameter name to (position, -1 when it is keyword only; name the range rules know it by)."""


def _named(*names: str) -> Parameters:
    return {name: (-1, name) for name in names}


_ADAM: Parameters = {"lr": (1, "lr"), "betas": (2, "betas"), "weight_decay": (4, "weight decay")}
_KERAS_OPTIMIZER: Parameters = {
    "learning_rate": (-1, "lr"), "momentum": (-1, "momentum"), "beta_1": (-1, "beta"), "beta_2": (-1, "beta"),
    "rho": (-1, "rho"), "weight_decay": (-1, "weight decay"),
}  # fmt: skip
_DROPOUT: Parameters = {"p": (0, "dropout"), "rate": (0, "dropout")}
_RECURRENT: Parameters = {"num_layers": (2, "layers"), "dropout": (-1, "dropout")}
_TRANSFORMER: Parameters = {"dim_feedforward": (2, "hidden"), "dropout": (3, "dropout")}

CALLS: Mapping[str, Parameters] = {
    # optimizers
    "Adam": {**_ADAM, **_KERAS_OPTIMIZER}, "AdamW": {**_ADAM, **_KERAS_OPTIMIZER}, "NAdam": _ADAM, "RAdam": _ADAM,
    "Adamax": _ADAM, "Lion": _ADAM,
    "SGD": {"lr": (1, "lr"), "momentum": (2, "momentum"), "weight_decay": (4, "weight decay"), **_named("learning_rate")},
    "RMSprop": {"lr": (1, "lr"), "alpha": (2, "momentum"), "weight_decay": (4, "weight decay"),
                "momentum": (5, "momentum"), **_KERAS_OPTIMIZER},
    "Adagrad": {"lr": (1, "lr"), "lr_decay": (2, "weight decay"), "weight_decay": (3, "weight decay")},
    "Adadelta": {"lr": (1, "lr"), "rho": (2, "rho"), "weight_decay": (4, "weight decay")},
    "LBFGS": {"lr": (1, "lr")},
    "adam": {"learning_rate": (0, "lr"), "b1": (1, "beta"), "b2": (2, "beta")},
    "adamw": {"learning_rate": (0, "lr"), "b1": (1, "beta"), "b2": (2, "beta"), "weight_decay": (-1, "weight decay")},
    "sgd": {"learning_rate": (0, "lr"), "momentum": (1, "momentum")},
    # schedulers
    "StepLR": {"step_size": (1, "step size"), "gamma": (2, "gamma")},
    "MultiStepLR": {"gamma": (2, "gamma")},
    "ExponentialLR": {"gamma": (1, "gamma")},
    "CosineAnnealingLR": {"T_max": (1, "t max"), "eta_min": (2, "eta min")},
    "OneCycleLR": {"max_lr": (1, "lr"), "pct_start": (-1, "fraction")},
    "ReduceLROnPlateau": {"factor": (-1, "gamma"), "patience": (-1, "patience")},
    "LinearLR": {"start_factor": (1, "fraction")},
    # regularisation
    "Dropout": _DROPOUT, "Dropout1d": _DROPOUT, "Dropout2d": _DROPOUT, "Dropout3d": _DROPOUT, "AlphaDropout": _DROPOUT,
    "SpatialDropout1D": _DROPOUT, "SpatialDropout2D": _DROPOUT, "dropout": {"p": (1, "dropout")},
    "CrossEntropyLoss": {"label_smoothing": (-1, "smoothing")},
    "cross_entropy": {"label_smoothing": (-1, "smoothing")},
    "clip_grad_norm_": {"max_norm": (1, "max norm")}, "clip_grad_value_": {"clip_value": (1, "clip")},
    # layers whose size can change without changing its neighbours
    "LSTM": _RECURRENT, "GRU": _RECURRENT, "RNN": _RECURRENT,
    "TransformerEncoderLayer": _TRANSFORMER, "TransformerDecoderLayer": _TRANSFORMER,
    "TransformerEncoder": {"num_layers": (1, "layers")}, "TransformerDecoder": {"num_layers": (1, "layers")},
    "MultiheadAttention": {"dropout": (2, "dropout")},
    "LeakyReLU": {"negative_slope": (0, "scale")},
    # data
    "DataLoader": {"batch_size": (1, "batch size")},
}  # fmt: skip

ESTIMATORS: Parameters = _named(
    "C", "alpha", "l1_ratio", "n_estimators", "max_depth", "learning_rate", "eta", "min_samples_leaf",
    "min_samples_split", "min_child_weight", "num_leaves", "subsample", "colsample_bytree", "reg_lambda", "reg_alpha",
    "gamma", "hidden_layer_sizes", "learning_rate_init", "max_iter", "n_neighbors", "batch_size", "momentum", "coef0",
    "n_components", "var_smoothing", "fit_intercept",
)  # fmt: skip
"""Constructors of scikit-learn-like estimators; `gamma` there is a scale, which the decay rule for it covers."""
