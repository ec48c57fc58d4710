"""Gradients that are never cleared."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Program = str | Mapping[str, str]

PLAIN = """
def train(model, loader, criterion, optimizer):
    model.train()
    for x, y in loader:
        out = model(x)
        loss = criterion(out, y)
        loss.backward()  # gradients
        optimizer.step()
"""
BEFORE_AFTER: dict[str, tuple[Program, Program]] = {
    "plain loop": (PLAIN, PLAIN.replace("        loss.backward()", "        optimizer.zero_grad()\n        loss.backward()")),
    "on self": (
        """
        class Trainer:
            def fit(self, epochs):
                for epoch in range(epochs):
                    for batch in self.loader:
                        loss = self.loss_of(batch)
                        loss.backward()
                        self.optim.step()
        """,
        """
        class Trainer:
            def fit(self, epochs):
                for epoch in range(epochs):
                    for batch in self.loader:
                        loss = self.loss_of(batch)
                        self.optim.zero_grad()
                        loss.backward()
                        self.optim.step()
        """,
    ),
    "a script with clipping": (
        """
        import torch
        model = torch.nn.Linear(3, 1)
        sgd = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in batches:
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            sgd.step()
        """,
        """
        import torch
        model = torch.nn.Linear(3, 1)
        sgd = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in batches:
            loss = ((model(x) - y) ** 2).mean()
            sgd.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            sgd.step()
        """,
    ),
    "cleared once, before the loop": (
        """
        def train(model, loader, optimizer):
            optimizer.zero_grad()
            for x, y in loader:
                loss = model(x, y)
                loss.backward()
                optimizer.step()
        """,
        """
        def train(model, loader, optimizer):
            optimizer.zero_grad()
            for x, y in loader:
                loss = model(x, y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        """,
    ),
    "accumulation that never clears": (
        """
        def train(model, loader, optimizer, every):
            for i, (x, y) in enumerate(loader):
                loss = model(x, y) / every
                loss.backward()
                if (i + 1) % every == 0:
                    optimizer.step()
        """,
        """
        def train(model, loader, optimizer, every):
            for i, (x, y) in enumerate(loader):
                loss = model(x, y) / every
                loss.backward()
                if (i + 1) % every == 0:
                    optimizer.step()
                    optimizer.zero_grad()
        """,
    ),
    "mixed precision": (
        """
        def train(model, loader, optimizer, scaler):
            for x, y in loader:
                with torch.autocast("cuda"):
                    loss = model(x, y)
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
        """,
        """
        def train(model, loader, optimizer, scaler):
            for x, y in loader:
                with torch.autocast("cuda"):
                    loss = model(x, y)
                optimizer.zero_grad()
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
        """,
    ),
    "one step, called again and again": (
        """
        def train_step(model, batch, opt):
            loss = model(batch)
            loss.backward()
            opt.step()
            return loss.item()

        def main(model, loader, opt):
            for batch in loader:
                train_step(model, batch, opt)
        """,
        """
        def train_step(model, batch, opt):
            loss = model(batch)
            opt.zero_grad()
            loss.backward()
            opt.step()
            return loss.item()

        def main(model, loader, opt):
            for batch in loader:
                train_step(model, batch, opt)
        """,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BEFORE_AFTER)
def test_is_mended(case: str, mended: Callable[[str, Program, Program], None]) -> None:
    mended("missing_zero_grad", *BEFORE_AFTER[case])


def body(*lines: str, head: str = "def train(model, loader, optimizer):") -> str:
    return head + "\n    for i, batch in enumerate(loader):\n" + "".join(f"        {line}\n" for line in lines)


CLEAN = {
    "plain": body("optimizer.zero_grad()", "loss = model(batch)", "loss.backward()", "optimizer.step()"),
    "set to none": body("loss = model(batch)", "optimizer.zero_grad(set_to_none=True)", "loss.backward()", "optimizer.step()"),
    "after the step": body("loss = model(batch)", "loss.backward()", "optimizer.step()", "optimizer.zero_grad()"),
    "by the model": body("model.zero_grad()", "model(batch).backward()", "optimizer.step()"),
    "by hand": body("for p in model.parameters():", "    p.grad = None", "model(batch).backward()", "optimizer.step()"),
    "by hand, to zero": body("model(batch).backward()", "optimizer.step()", "model.w.grad.zero_()"),
    "accumulation": body(
        "model(batch).backward()", "if (i + 1) % 4 == 0:", "    optimizer.step()", "    optimizer.zero_grad()"
    ),
    "inside a condition at the top": body(
        "if i % 4 == 0:", "    optimizer.zero_grad()", "model(batch).backward()", "if i % 4 == 3:", "    optimizer.step()"
    ),
    "in a called function": "def clear(opt):\n    opt.zero_grad()\n\n"
    + body("clear(optimizer)", "model(batch).backward()", "optimizer.step()"),
    "by the caller": "def step(model, batch, opt):\n    model(batch).backward()\n    opt.step()\n\n"
    + body("optimizer.zero_grad()", "step(model, batch, optimizer)"),
    "a closure": body(
        "def closure():", "    optimizer.zero_grad()", "    loss = model(batch)", "    loss.backward()", "    return loss",
        "optimizer.step(closure)",
    ),
    "an engine": body("loss = engine(batch)", "engine.backward(loss)", "engine.step()"),
    "a scheduler": body("loss = model(batch)", "loss.backward()", "scheduler.step()"),
    "an environment": body("loss.backward()", "state = env.step(action)"),
    "a wrapped optimizer": "class Wrapped:\n    def step(self):\n        self.inner.step()\n        self.inner.zero_grad()\n\n"
    + body("model(batch).backward()", "optimizer.step()"),
    "lightning": (
        "import lightning as L\n\nclass Net(L.LightningModule):\n    def training_step(self, batch, i):\n"
        "        loss = self(batch)\n        self.manual_backward(loss)\n        self.optimizers().step()\n"
    ),
    "evaluation": "def evaluate(model, loader):\n    for x in loader:\n        model(x)\n",
    "every optimizer of a list": body(
        "for opt in opts:", "    opt.zero_grad()", "model(batch).backward()", "for opt in opts:", "    opt.step()"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CLEAN)
def test_is_silent(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    assert found("missing_zero_grad", CLEAN[case]) == []
