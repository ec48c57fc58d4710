"""Training loops: accumulation, schedules, what the optimizer holds, averages, metrics and checkpoints."""

from collections.abc import Callable
from typing import Any

import pytest

HEAD = (
    "import torch\nfrom torch import nn\nfrom torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, StepLR\n\n"
)
ACCUMULATE = HEAD + (
    "def fit(net, loader, opt, every):\n    for i, (x, y) in enumerate(loader):\n        loss = net(x, y)\n"
    "        loss.backward()\n        if (i + 1) % every == 0:\n            opt.step()\n            opt.zero_grad()\n"
)
SCALED = ACCUMULATE.replace("loss.backward()", "scaler.scale(loss).backward()").replace("opt.step()", "scaler.step(opt)").replace("every):", "every, scaler):")  # fmt: skip
EPOCHS = HEAD + (
    "def fit(net, loader, epochs):\n    opt = torch.optim.SGD(net.parameters(), lr=0.1)\n    sched = StepLR(opt, 10)\n"
    "    for epoch in range(epochs):\n        sched.step()\n        for x, y in loader:\n            opt.zero_grad()\n"
    "            net(x, y).backward()\n            opt.step()\n"
)
RIGHT = EPOCHS.replace("        sched.step()\n", "") + "        sched.step()\n"
CYCLE = RIGHT.replace("StepLR(opt, 10)", "OneCycleLR(opt, 0.1, total_steps=epochs * len(loader))")
COSINE = RIGHT.replace("StepLR(opt, 10)", "CosineAnnealingLR(opt, T_max=epochs)")
EACH = "            opt.step()\n            sched.step()\n"
HEAD_LATE = HEAD + (
    "def build(net):\n    opt = torch.optim.SGD(net.parameters(), lr=0.1)\n    net.fc = nn.Linear(512, 10)\n    return net, opt\n"
)
INSIDE = HEAD + (
    "class Agent(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.body = nn.Linear(4, 4)\n"
    "        self.opt = torch.optim.Adam(self.parameters())\n        self.head = nn.Linear(4, 2)\n\n"
    "    def forward(self, x):\n        return self.head(self.body(x))\n"
)
PAIR = HEAD + (
    "def fit(loader):\n    enc = nn.Linear(8, 4)\n    dec = nn.Linear(4, 8)\n    opt = torch.optim.Adam(dec.parameters())\n"
    "    for x, y in loader:\n        opt.zero_grad()\n        z = enc(x)\n        loss = ((dec(z) - y) ** 2).mean()\n"
    "        loss.backward()\n        opt.step()\n"
)
METRIC = HEAD + (
    "from torchmetrics import Accuracy\n\n\ndef run(net, loader, epochs):\n    acc = Accuracy()\n    for epoch in range(epochs):\n"
    "        for x, y in loader:\n            acc.update(net(x), y)\n        print(acc.compute())\n"
)
METER = HEAD + (
    "class Meter:\n    def __init__(self):\n        self.reset()\n\n    def reset(self):\n        self.avg = self.n = 0\n\n"
    "    def update(self, v):\n        self.n += 1\n        self.avg += (v - self.avg) / self.n\n\n\n"
    "def run(net, loader, epochs):\n    losses = Meter()\n    for epoch in range(epochs):\n        for x in loader:\n"
    "            losses.update(net(x))\n        print(losses.avg)\n"
)
EMA = "import torch\n\n\nclass Ema:\n    def __init__(self, net, decay=0.999):\n        self.decay = decay\n\n    def update(self, net):\n        for a, p in self.pairs(net):\n            {}\n"
CHECKPOINT = HEAD + (
    "def save(path, net, opt, epoch):\n    torch.save({'net': net.state_dict(), 'optim': opt.state_dict(), 'epoch': epoch}, path)\n\n\n"
    "def resume(path, net, opt):\n    c = torch.load(path)\n    net.load_state_dict(c['net'])\n    return c['epoch'] + 1\n"
)

CLIPPED = HEAD + (
    "def fit(net, loader, opt):\n    for x, y in loader:\n        opt.zero_grad()\n        net(x, y).backward()\n"
    "        nn.utils.clip_grad_norm_(net.parameters(), 1.0)\n        opt.step()\n"
)
MIXED = CLIPPED.replace("net(x, y).backward()", "scaler.scale(net(x, y)).backward()").replace(
    "opt.step()", "scaler.step(opt)"
)
CLIP, STEP = "        nn.utils.clip_grad_norm_(net.parameters(), 1.0)\n", "        opt.step()\n"


def ema(line: str) -> str:
    return EMA.replace("{}", line)


def moved(text: str, line: str, after: str) -> str:
    """`text` with a whole line taken out and put below another, at that one's depth."""
    assert text.count(line) == 1
    assert text.count(after) == 1
    depth = after[: len(after) - len(after.lstrip())]
    return text.replace(line, "").replace(after, after + depth + line.lstrip())


CHANGES: dict[str, tuple[str, str, str]] = {
    "accumulation": ("accumulation_not_divided", ACCUMULATE, ACCUMULATE.replace("loss.backward", "(loss / every).backward")),
    "accumulation, scaled": ("accumulation_not_divided", SCALED, SCALED.replace("scale(loss)", "scale(loss / every)")),
    "scheduler first": ("scheduler_before_optimizer", EPOCHS, RIGHT),
    "a cycle of batches, every epoch": ("scheduler_period", CYCLE, CYCLE.replace("        sched.step()\n", "").replace("            opt.step()\n", EACH)),
    "steps per epoch": (
        "scheduler_period",
        CYCLE.replace("total_steps=epochs * len(loader)", "epochs=epochs, steps_per_epoch=len(loader)"),
        CYCLE.replace("total_steps=epochs * len(loader)", "epochs=epochs, steps_per_epoch=len(loader)").replace("        sched.step()\n", "").replace("            opt.step()\n", EACH),
    ),
    "a cosine of epochs, every batch": (
        "scheduler_period", COSINE.replace("        sched.step()\n", "").replace("            opt.step()\n", EACH), COSINE,
    ),
    "a new head": ("optimizer_too_early", HEAD_LATE, moved(HEAD_LATE, "    opt = torch.optim.SGD(net.parameters(), lr=0.1)\n", "    net.fc = nn.Linear(512, 10)\n")),
    "a late layer": ("optimizer_too_early", INSIDE, moved(INSIDE, "        self.opt = torch.optim.Adam(self.parameters())\n", "        self.head = nn.Linear(4, 2)\n")),
    "one of two": ("untrained_model", PAIR, PAIR.replace("Adam(dec.parameters())", "Adam(list(dec.parameters()) + list(enc.parameters()))")),
    "a metric": ("metric_not_reset", METRIC, METRIC + "        acc.reset()\n"),
    "a meter": ("metric_not_reset", METER, METER + "        losses.reset()\n"),
    "the same weight twice": ("ema_weights", ema("a.mul_(self.decay).add_(p, alpha=self.decay)"), ema("a.mul_(self.decay).add_(p, alpha=1 - self.decay)")),
    "the weight of the old": ("ema_weights", ema("a.lerp_(p, self.decay)"), ema("a.lerp_(p, 1 - self.decay)")),
    "a sum": ("ema_weights", ema("a = self.decay * a + self.decay * p"), ema("a = self.decay * a + (1 - self.decay) * p")),
    "clipped while scaled": ("clip_before_unscale", MIXED, MIXED.replace(CLIP, "        scaler.unscale_(opt)\n" + CLIP)),
    "clipped after the step": ("clip_order", CLIPPED.replace(CLIP + STEP, STEP + CLIP), CLIPPED),
    "clipped before the backward": (
        "clip_order", CLIPPED.replace(CLIP, "").replace("        net(x", CLIP + "        net(x"), CLIPPED,
    ),
    "the optimizer": (
        "state_not_restored", CHECKPOINT,
        CHECKPOINT.replace("c['net'])\n", "c['net'])\n    opt.load_state_dict(c[\"optim\"])\n"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_is_mended(case: str, mended: Callable[[str, str, str], None]) -> None:
    mended(*CHANGES[case])


SILENT: dict[str, tuple[str, str]] = {
    "divided before": ("accumulation_not_divided", ACCUMULATE.replace("net(x, y)", "net(x, y) / every")),
    "divided in place": ("accumulation_not_divided", ACCUMULATE.replace("        loss.b", "        loss /= every\n        loss.b")),
    "divided by the model": ("accumulation_not_divided", "def scaled(loss, n):\n    return loss / n\n\n\n" + ACCUMULATE.replace("net(x, y)", "scaled(net(x, y), every)")),
    "a sum over items": ("accumulation_not_divided", ACCUMULATE.replace("net(x, y)", "net(x, y, reduction='sum')")),
    "an engine": ("accumulation_not_divided", ACCUMULATE.replace("loss.backward()", "accelerator.backward(loss)")),
    "taking turns": ("accumulation_not_divided", ACCUMULATE.replace("            opt.step()", "            net.g(x).backward()\n            opt.step()")),
    "every batch": ("accumulation_not_divided", ACCUMULATE.replace("        if (i + 1) % every == 0:\n            opt.step()\n            opt.zero_grad()", "        opt.step()\n        opt.zero_grad()\n        if i % every == 0:\n            print(i)")),
    "scheduler last": ("scheduler_before_optimizer", RIGHT),
    "told the epoch": ("scheduler_before_optimizer", EPOCHS.replace("sched.step()", "sched.step(epoch)")),
    "another library's": ("scheduler_before_optimizer", EPOCHS.replace("from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, StepLR", "from other import StepLR")),
    "no optimizer below": ("scheduler_before_optimizer", EPOCHS.replace("            opt.step()\n", "")),
    "a cycle every batch": ("scheduler_period", CYCLE.replace("        sched.step()\n", "").replace("            opt.step()\n", EACH)),
    "a cosine every epoch": ("scheduler_period", COSINE),
    "a period by number": ("scheduler_period", COSINE.replace("T_max=epochs", "T_max=100")),
    "a period of unknown unit": ("scheduler_period", COSINE.replace("T_max=epochs", "T_max=cfg.period")),
    "built when complete": ("optimizer_too_early", moved(HEAD_LATE, "    opt = torch.optim.SGD(net.parameters(), lr=0.1)\n", "    net.fc = nn.Linear(512, 10)\n")),
    "wrapped": ("optimizer_too_early", HEAD_LATE.replace("net.fc = nn.Linear(512, 10)", "net = nn.DataParallel(net)")),
    "added as a group": ("optimizer_too_early", HEAD_LATE.replace("    return", "    opt.add_param_group({'params': net.fc.parameters()})\n    return")),
    "an activation": ("optimizer_too_early", HEAD_LATE.replace("nn.Linear(512, 10)", "nn.ReLU()")),
    "built again": ("optimizer_too_early", HEAD_LATE.replace("    net.fc", "    opt = torch.optim.SGD(net.parameters(), lr=1)\n    net.fc").replace("    return", "    opt = torch.optim.SGD(net.parameters(), lr=1)\n    return")),
    "both": ("untrained_model", PAIR.replace("dec.parameters()", "[*enc.parameters(), *dec.parameters()]")),
    "frozen": ("untrained_model", PAIR.replace("    opt =", "    enc.requires_grad_(False)\n    opt =")),
    "in evaluation mode": ("untrained_model", PAIR.replace("    opt =", "    enc.eval()\n    opt =")),
    "without gradients": ("untrained_model", PAIR.replace("        z = enc(x)", "        with torch.no_grad():\n            z = enc(x)")),
    "a detached code": ("untrained_model", PAIR.replace("enc(x)", "enc(x).detach()")),
    "handed to another": ("untrained_model", PAIR.replace("dec = nn.Linear(4, 8)", "dec = Both(enc)")),
    "reset": ("metric_not_reset", METRIC + "        acc.reset()\n"),
    "made every epoch": ("metric_not_reset", METRIC.replace("    acc = Accuracy()\n", "").replace("        for x, y", "        acc = Accuracy()\n        for x, y")),
    "read once": ("metric_not_reset", METRIC.replace("        print(", "    print(")),
    "a meter of time": ("metric_not_reset", METER.replace("losses", "batch_time")),
    "an object of another kind": ("metric_not_reset", METRIC.replace("from torchmetrics", "from other")),
    "weights that add up": ("ema_weights", ema("a.mul_(self.decay).add_(p, alpha=1 - self.decay)")),
    "a sum of one": ("ema_weights", ema("a = self.decay * a + (1 - self.decay) * p")),
    "the weight of the new": ("ema_weights", ema("a.lerp_(p, 1 - self.decay)")),
    "a small step": ("ema_weights", ema("a.lerp_(p, 0.005)")),
    "no average": ("ema_weights", "def scaled(a, b, c):\n    return a.mul_(c).add_(b, alpha=c)\n"),
    "unscaled": ("clip_before_unscale", MIXED.replace(CLIP, "        scaler.unscale_(opt)\n" + CLIP)),
    "unscaled by a function": ("clip_before_unscale", MIXED.replace(CLIP, "        ready(scaler, opt)\n" + CLIP) + "\n\ndef ready(s, o):\n    s.unscale_(o)\n"),
    "no scaler": ("clip_before_unscale", CLIPPED),
    "clipped in between": ("clip_order", CLIPPED),
    "a norm that is read": ("clip_order", CLIPPED.replace(CLIP + STEP, STEP + CLIP.replace("nn.", "norm = nn."))),
    "never cleared": ("clip_order", CLIPPED.replace(CLIP + STEP, STEP + CLIP).replace("        opt.zero_grad()\n", "")),
    "accumulated": ("clip_order", CLIPPED.replace(CLIP + STEP, "        if full:\n    " + CLIP + "    " + STEP)),
    "restored": ("state_not_restored", CHECKPOINT.replace("c['net'])\n", "c['net'])\n    opt.load_state_dict(c['optim'])\n")),
    "restored elsewhere": ("state_not_restored", CHECKPOINT + "\n\ndef moments(c):\n    return c['optim']\n"),
    "loaded to evaluate": ("state_not_restored", CHECKPOINT.replace("    return c['epoch'] + 1\n", "    return c['net']\n")),
    "another checkpoint": ("state_not_restored", CHECKPOINT.replace("c['net']", "c['ema_net']")),
}  # fmt: skip


@pytest.mark.parametrize("case", SILENT)
def test_is_silent(case: str, found: Callable[[str, str], list[Any]]) -> None:
    detector, text = SILENT[case]
    compile(text, case, "exec")
    assert found(detector, text) == []
