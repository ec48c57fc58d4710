"""Small torch projects, each with one suspicion: planted for real, or only to be suspected by who reads too fast.

The line a finding stands on ends in `# here`, the other lines it speaks of in `# and here`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from branchlab.agent.proposal import Evidence
from branchlab.agent.proposers.defects import Finding


@dataclass(frozen=True)
class Case:
    """A project, and the verdict its one finding should get."""

    name: str
    files: Mapping[str, str]
    detector: str
    symbol: str
    title: str
    expected: str

    @property
    def finding(self) -> Finding:
        places = [(f, n, line) for f, text in self.files.items() for n, line in enumerate(text.splitlines(), 1)]
        (here,) = ((f, n) for f, n, line in places if line.endswith("# here"))
        beside = tuple(Evidence(f, n, "") for f, n, line in places if line.endswith("# and here"))
        return Finding(self.detector, *here, self.symbol, self.title, "", (), beside)


TRAIN = """import argparse

import torch
from torch import nn

from model import Net


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, default=12)
    parser.add_argument("--lr", type=float, default=0.1)
    return parser.parse_args()


def read(path):
    return torch.load(path)


def epoch(net, loader, criterion, optimizer):
    for x, y in loader:
        {step}


def main():
    args = parse()
    images, labels = read("data.pt")
    net = Net(images.shape[1], args.hidden, classes=len(set(labels.tolist())))
    optimizer = torch.optim.SGD(net.parameters(), lr=args.lr)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), 8, shuffle=True)
    for _ in range(3):
        epoch(net, loader, {criterion}, optimizer)


if __name__ == "__main__":
    main()
"""
GOOD = ("optimizer.zero_grad()", "loss = criterion(net(x), y)  # and here", "loss.backward()", "optimizer.step()")
NET = """import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, size, hidden, classes):
        super().__init__()
        self.first = nn.Linear(size, hidden)
        {made}
        self.last = nn.Linear(hidden, classes)

    def forward(self, x):
        h = F.relu(self.first(x))
        {used}
        return {answer}
"""
EVALUATE = """import torch

from model import Net


def evaluate(net, loader):
    {mode}
    right = 0
    for x, y in loader:
        right += (net(x).argmax(1) == y).sum().item()  # and here
    return {ratio}
"""
ATTENTION = """import math

import torch
from torch import nn

from model import Net


class Net(nn.Module):
    def __init__(self, vocab, width=16):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.qkv = nn.Linear(width, 3 * width)
        self.head = nn.Linear(width, vocab)

    def forward(self, tokens{parameter}):
        q, k, v = self.qkv(self.embed(tokens)).chunk(3, -1)
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        {lines}
        return self.head(weights @ v)


def main():
    net = Net(50)
""".replace("from model import Net\n\n\n", "\n")


def train(step: tuple[str, ...] = GOOD, criterion: str = "nn.CrossEntropyLoss()") -> str:
    return TRAIN.replace("{step}", "\n        ".join(step)).replace("{criterion}", criterion)


def net(*, made: str = "", used: str = "", answer: str = "self.last(h)") -> str:
    text = NET.replace("{answer}", answer)
    for name, code in (("made", made), ("used", used)):
        text = text.replace(f"        {{{name}}}\n", "".join(f"        {line}\n" for line in code.splitlines()))
    return text


def evaluation(mode: str, ratio: str) -> str:
    return EVALUATE.replace("{mode}", mode).replace("{ratio}", ratio)


def attention(lines: str, parameter: str = "") -> str:
    return ATTENTION.replace("{parameter}", parameter).replace("{lines}", lines.replace("\n", "\n        "))


def cases() -> Iterator[Case]:
    yield from _losses()
    yield from _loops()
    yield from _evaluations()
    yield from _models()
    yield from _masks()
    yield Case("model of a library nobody has", {"model.py": "import nowhere\n" + net(made="self.spare = nn.Linear(hidden, hidden)  # here"),
               "train.py": train()}, "unused_layer", "Net.__init__", "Call spare", "unprobed")  # fmt: skip
    yield Case("no probe", {"train.py": train((*GOOD[:3], "optimizer.step()  # here")), "model.py": net()},
               "no_such_detector", "epoch", "Anything", "unprobed")  # fmt: skip


def _losses() -> Iterator[Case]:
    title = "Give CrossEntropyLoss raw scores, not the output of softmax"
    for name, answer, verdict in (("softmax", "F.softmax(self.last(h), dim=1)  # here", "confirmed"),
                                  ("scores called softmax", "softmax(self.last(h))  # here", "refuted")):  # fmt: skip
        model = net(answer=answer) + "\n\ndef softmax(scores):\n    return scores\n"
        yield Case(name, {"train.py": train(), "model.py": model}, "softmax_before_loss", "Net.forward", title, verdict)
    for name, answer, verdict in (("nll of scores", "self.last(h)", "confirmed"), ("nll of log_softmax", "normal(self.last(h))", "refuted")):  # fmt: skip
        model = net(answer=answer) + "\n\ndef normal(scores):\n    return scores.log_softmax(1)\n"
        step = (GOOD[0], GOOD[1].replace("and here", "here"), *GOOD[2:])
        yield Case(name, {"train.py": train(step, "nn.NLLLoss()"), "model.py": model}, "wrong_loss", "epoch",
                   "Use CrossEntropyLoss on raw scores", verdict)  # fmt: skip


def _loops() -> Iterator[Case]:
    back = "loss.backward()  # here"
    title = "Clear gradients before each step of optimizer"
    tidy = "[setattr(p, 'gr' + 'ad', None) for p in net.parameters()]"
    for name, step, verdict in (("gradients kept", (GOOD[1], back, GOOD[3]), "confirmed"),
                                ("gradients cleared oddly", (tidy, GOOD[1], back, GOOD[3]), "refuted")):  # fmt: skip
        yield Case(name, {"train.py": train(step), "model.py": net()}, "missing_zero_grad", "epoch", title, verdict)
    title = "Take the optimizer's step after the backward pass"
    for name, step, verdict in (("step first", (*GOOD[:2], "optimizer.step()  # here", GOOD[2]), "confirmed"),
                                ("step last", (*GOOD[:3], "optimizer.step()  # here"), "refuted")):  # fmt: skip
        yield Case(name, {"train.py": train(step), "model.py": net()}, "step_before_backward", "epoch", title, verdict)
    cut = (GOOD[0], "loss = criterion(net(x).detach(), y).requires_grad_()  # here", *GOOD[2:])
    yield Case("loss cut off", {"train.py": train(cut), "model.py": net()}, "graph_cut", "epoch", "Keep the graph", "confirmed")  # fmt: skip


def _evaluations() -> Iterator[Case]:
    dropped = net(made="self.drop = nn.Dropout(0.5)", used="h = self.drop(h)")
    title, mark = "Evaluate with eval() in evaluate", "# and here"
    for name, mode, model, verdict in (
        ("dropout in evaluation", "pass", dropped, "confirmed"),
        ("train(False) by another name", "switch(net)", dropped, "refuted"),
        ("nothing to switch", "pass", net(), "refuted"),
    ):
        text = evaluation(mode, "right / len(loader.dataset)").replace(mark, "# here")
        text += "\n\ndef switch(net):\n    net.training = False\n    for part in net.children():\n        part.train(mode=False)\n"
        files = {"train.py": train(), "model.py": model, "evaluate.py": text}
        yield Case(name, files, "evaluation_mode", "evaluate", title, verdict)
    for name, ratio, verdict in (("right answers by batches", "right / len(loader)  # here", "confirmed"),
                                 ("right answers by examples", "right / count(loader)  # here", "refuted")):  # fmt: skip
        text = evaluation("net.eval()", ratio) + "\n\ndef count(loader):\n    return sum(len(y) for _, y in loader)\n"
        files = {"train.py": train(), "model.py": net(), "evaluate.py": text}
        yield Case(
            name, files, "count_over_batches", "evaluate", "Divide the sum over samples by their number", verdict
        )


def _models() -> Iterator[Case]:
    made = "self.spare = nn.Linear(hidden, hidden)  # here"
    for name, used, verdict in (("layer never called", "", "confirmed"), ("layer called by a computed name", "h = getattr(self, 'spa' + 're')(h)", "refuted")):  # fmt: skip
        files = {"train.py": train(), "model.py": net(made=made, used=used)}
        yield Case(name, files, "unused_layer", "Net.__init__", "Call spare, or take it away", verdict)
    for name, used, verdict in (("setting ignored", "self.rate = 0.5", "confirmed"), ("setting read by a computed name", "self.rate = locals()['drop' + 'out']", "refuted")):  # fmt: skip
        model = net(made=used, used="h = F.dropout(h, self.rate, self.training)")
        model = model.replace("hidden, classes):", "hidden, classes, dropout=0.2):  # here")
        yield Case(name, {"train.py": train(), "model.py": model}, "ignored_parameter", "Net.__init__", "Read dropout", verdict)  # fmt: skip
    blocks = "self.blocks = [nn.Linear(hidden, hidden) for _ in range(2)]  # here"
    known = blocks + "\nfor i, block in enumerate(self.blocks):\n    setattr(self, f'block{i}', block)"
    for name, made, verdict in (("layers in a list", blocks, "confirmed"), ("layers in a list and known", known, "refuted")):  # fmt: skip
        model = net(made=made, used="for block in self.blocks:\n    h = h + block(h)")
        yield Case(name, {"train.py": train(), "model.py": model}, "list_of_layers", "Net.__init__", "Register blocks", verdict)  # fmt: skip
    for name, used, verdict in (("dropout always on", "h = F.dropout(h, 0.5)  # here", "confirmed"), ("dropout by a flag", "h = F.dropout(h, 0.5 * self.training)  # here", "refuted")):  # fmt: skip
        yield Case(name, {"train.py": train(), "model.py": net(used=used)}, "functional_dropout", "Net.forward", "Say training", verdict)  # fmt: skip


def _masks() -> Iterator[Case]:
    lower = "keep = torch.tril(torch.ones(tokens.shape[1], tokens.shape[1]))\n"
    inf = "float('-inf')"
    soft = "\nweights = scores.softmax(-1)"
    for name, side, verdict in (("future kept, past hidden", "keep == 1", "confirmed"), ("future hidden", "keep == 0", "refuted")):  # fmt: skip
        text = attention(f"{lower}scores = scores.masked_fill({side}, {inf})  # here{soft}")
        yield Case(name, {"train.py": text}, "inverted_mask", "Net.forward", "Hide the future", verdict)
    after = f"weights = scores.softmax(-1)\nweights = weights.masked_fill(mask[:, None] == 0, {inf})  # here"
    before = f"scores = scores.masked_fill(mask[:, None] == 0, -1e9)  # here{soft}"
    for name, lines, verdict in (("mask after softmax", after, "confirmed"), ("mask before softmax", before, "refuted")):  # fmt: skip
        text = attention(lines, ", mask")
        yield Case(name, {"train.py": text}, "mask_after_softmax", "Net.forward", "Mask the scores", verdict)
