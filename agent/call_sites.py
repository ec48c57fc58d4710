"""Library calls whose literal arguments are hyperparameters: parameter, its position, and the word its rule goes by."""

from collections.abc import Mapping

Parameters = Mapping[str, tuple[int, str]]
"""Parameter name to (position, -1 when it is keyword only; name the range rules know it by)."""


def _named(*names: str) -> Parameters:
    return {name: (-1, name) for name in names}


_ADAM: Parameters = {"lr": (1, "lr"), "betas": (2, "betas"), "weight_decay": (4, "weight decay")}
_KERAS_OPTIMIZER: Parameters = {
    "learning_rate": (0, "lr"), "momentum": (-1, "momentum"), "beta_1": (-1, "beta"), "beta_2": (-1, "beta"),
    "rho": (-1, "rho"), "weight_decay": (-1, "weight decay"),
}  # fmt: skip
_DROPOUT: Parameters = {"p": (0, "dropout"), "rate": (0, "dropout")}
_RECURRENT: Parameters = {"num_layers": (2, "layers"), "dropout": (-1, "dropout")}
_TRANSFORMER: Parameters = {"dim_feedforward": (2, "hidden"), "dropout": (3, "dropout")}

_TRAINING_ARGUMENTS: Parameters = {
    "learning_rate": (-1, "lr"), "weight_decay": (-1, "weight decay"), "adam_beta1": (-1, "beta"),
    "adam_beta2": (-1, "beta"), "max_grad_norm": (-1, "max norm"), "num_train_epochs": (-1, "epochs"),
    "max_steps": (-1, "steps"), "warmup_ratio": (-1, "fraction"), "warmup_steps": (-1, "warmup"),
    "per_device_train_batch_size": (-1, "batch size"), "gradient_accumulation_steps": (-1, "accum"),
    "label_smoothing_factor": (-1, "smoothing"),
}  # fmt: skip
"""Of `transformers` and what follows it: any class whose name ends in `TrainingArguments`."""
_FIT: Parameters = {"epochs": (-1, "epochs"), "batch_size": (-1, "batch size"), "warmup_steps": (-1, "warmup")}
"""`model.fit(...)` of Keras and of others that have its keywords."""

CALLS: Mapping[str, Parameters] = {
    # optimizers
    "Adam": {**_ADAM, **_KERAS_OPTIMIZER}, "AdamW": {**_ADAM, **_KERAS_OPTIMIZER}, "NAdam": _ADAM, "RAdam": _ADAM,
    "Adamax": _ADAM, "Lion": _ADAM,
    "SGD": {"lr": (1, "lr"), "momentum": (2, "momentum"), "weight_decay": (4, "weight decay"), "learning_rate": (0, "lr")},
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
    "CosineAnnealingWarmRestarts": {"T_0": (1, "t max"), "eta_min": (3, "eta min")},
    "PolynomialLR": {"total_iters": (1, "t max"), "power": (2, "scale")},
    "CosineDecay": {"initial_learning_rate": (0, "lr"), "decay_steps": (1, "decay steps"), "alpha": (2, "scale")},
    "ExponentialDecay": {"initial_learning_rate": (0, "lr"), "decay_steps": (1, "decay steps"),
                         "decay_rate": (2, "lr gamma")},
    "get_linear_schedule_with_warmup": {"num_warmup_steps": (1, "warmup")},
    "get_cosine_schedule_with_warmup": {"num_warmup_steps": (1, "warmup")},
    "EarlyStopping": _named("patience"),
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
    # losses
    "TripletMarginLoss": {"margin": (0, "margin")}, "CosineEmbeddingLoss": {"margin": (0, "margin")},
    "HuberLoss": {"delta": (1, "scale")}, "SmoothL1Loss": {"beta": (3, "scale")},
    # trainers
    "TrainingArguments": _TRAINING_ARGUMENTS,
    "SFTConfig": _TRAINING_ARGUMENTS, "DPOConfig": {**_TRAINING_ARGUMENTS, "beta": (-1, "coef")},
    "GRPOConfig": {**_TRAINING_ARGUMENTS, "beta": (-1, "coef")},
    "LoraConfig": {"r": (-1, "hidden"), "lora_alpha": (-1, "hidden"), "lora_dropout": (-1, "dropout")},
    "Trainer": {"max_epochs": (-1, "epochs"), "max_steps": (-1, "steps"), "gradient_clip_val": (-1, "clip"),
                "accumulate_grad_batches": (-1, "accum")},
    "fit": _FIT, "fit_generator": _FIT,
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

_UNITS: Parameters = {"units": (0, "units"), "dropout": (-1, "dropout"), "recurrent_dropout": (-1, "dropout")}
_FILTERS: Parameters = {"filters": (0, "filters")}
KERAS_LAYERS: Mapping[str, Parameters] = {
    "Dense": _UNITS, "LSTM": _UNITS, "GRU": _UNITS, "SimpleRNN": _UNITS,
    "Conv1D": _FILTERS, "Conv2D": _FILTERS, "Conv3D": _FILTERS, "SeparableConv2D": _FILTERS,
    "Embedding": {"output_dim": (1, "hidden")},
    "MultiHeadAttention": {"num_heads": (0, "heads"), "key_dim": (1, "hidden"), "dropout": (3, "dropout")},
}  # fmt: skip
"""Keras reads the size of a layer's input off its neighbour, so one size may change alone."""


def parameters_of(callee: str) -> Parameters | None:
    """The tunable parameters of a library call by its dotted name; None when it has none."""
    last = callee.rpartition(".")[2]
    if "keras" in callee.split(".") and last in KERAS_LAYERS:
        return KERAS_LAYERS[last]
    if last.endswith("TrainingArguments"):
        return _TRAINING_ARGUMENTS
    return CALLS.get(last)
