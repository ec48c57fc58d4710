"""A second run begins with an average of its own."""

import torch
from case import load, settle

module = load("ignite/metrics/running_average.py", whole=True)
from ignite.engine import Engine  # noqa: E402 - only importable once the folder is on the path

value = [100.0]
engine = Engine(lambda *_: torch.tensor(value[0]))
module.RunningAverage(output_transform=lambda x: x, epoch_bound=False).attach(engine, "mean")
engine.run([0], max_epochs=1)
value[0] = 0.0
engine.run([0], max_epochs=1)
settle(float(engine.state.metrics["mean"]) != 0.0)
