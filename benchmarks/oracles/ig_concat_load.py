"""A schedule that is restored goes on where it was saved."""

import torch
from case import load, settle

module = load("ignite/handlers/param_scheduler.py", whole=True)


def make():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    parts = [module.LinearCyclicalScheduler(optimizer, "lr", 0.1 * n, n, cycle_size=20) for n in (1, 2, 3)]
    return optimizer, module.ConcatScheduler(parts, durations=[10, 10])


optimizer, schedule = make()
for _ in range(15):
    schedule(None)
again, restored = make()
restored.load_state_dict(schedule.state_dict())
rates = []
for _ in range(12):
    for one in (schedule, restored):
        one(None)
    rates.append((optimizer.param_groups[0]["lr"], again.param_groups[0]["lr"]))
settle(any(abs(one - other) > 1e-9 for one, other in rates))
