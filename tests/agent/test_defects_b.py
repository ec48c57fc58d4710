"""Detectors of order, leaks, leftovers, silent failures and losses: a test is a program, and what mending changes in it."""

from textwrap import dedent

import pytest

from branchlab.agent.code_map import CodeMap
from branchlab.agent.operators.apply import apply_edits
from branchlab.agent.proposers.defects import Finding, find_defects

Change = tuple[str, str]


def found(detector: str, program: str) -> list[Finding]:
    return [f for f in find_defects(CodeMap("0" * 40, {"a.py": program.encode()})) if f.detector == detector]


def check(detector: str, program: str, *changes: Change) -> None:
    """The one finding makes exactly these changes, and its detector is silent about the result."""
    before = after = dedent(program).lstrip("\n")
    for old, new in changes:
        assert after.count(old) == 1, old
        after = after.replace(old, new)
    (finding,) = found(detector, before)
    assert len(finding.title) <= 72
    assert 1 <= finding.line <= before.count("\n")
    if not changes:
        assert finding.edits == ()
        return
    assert apply_edits({"a.py": before.encode()}, finding.edits)["a.py"].decode() == after
    assert found(detector, after) == []


def silent(detector: str, program: str) -> None:
    assert found(detector, dedent(program).lstrip("\n")) == []


STEP = """
def fit(model, loader, optimizer, scaler):
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        {lines}
"""
STEP_LATE = {
    "plain": ("optimizer.step()  # learn", "loss.backward()", "loss.backward()\n        optimizer.step()  # learn"),
    "clipped": (
        "clip_grad_norm_(model.parameters(), 1.0)",
        "optimizer.step()",
        "loss.backward()",
        "loss.backward()\n        clip_grad_norm_(model.parameters(), 1.0)\n        optimizer.step()",
    ),
    "scaled": (
        "scaler.step(optimizer)",
        "scaler.update()",
        "scaler.scale(loss).backward()",
        "scaler.scale(loss).backward()\n        scaler.step(optimizer)\n        scaler.update()",
    ),
}


@pytest.mark.parametrize("name", STEP_LATE)
def test_backward_comes_before_the_step(name: str) -> None:
    *lines, after = STEP_LATE[name]
    before = "\n        ".join(lines)
    check("step_before_backward", STEP.replace("{lines}", before), (before, after))


def test_step_moves_down_when_the_loss_is_not_there_yet() -> None:
    check(
        "step_before_backward",
        """
        def fit(loader, optimizer):
            for x, y in loader:
                optimizer.step()
                loss = f(x, y)
                loss.backward()
                optimizer.zero_grad()
        """,
        ("        optimizer.step()\n", ""),
        ("        loss.backward()\n", "        loss.backward()\n        optimizer.step()\n"),
    )


GAN = """
import torch
opt_d = torch.optim.Adam(d.parameters())
gen_opt = torch.optim.Adam(g.parameters())
for x in loader:
    opt_d.zero_grad()
    d_loss = f(d(x))
    d_loss.backward()
    opt_d.step()
    gen_opt.zero_grad()
    loss_g = f(d(g(z)))
    FIRST
    SECOND
"""


def test_of_several_optimizers_the_one_of_the_loss_is_meant() -> None:
    late = GAN.replace("FIRST", "gen_opt.step()").replace("SECOND", "loss_g.backward()")
    right = GAN.replace("FIRST", "loss_g.backward()").replace("SECOND", "gen_opt.step()")
    order = ("gen_opt.step()\n    loss_g.backward()", "loss_g.backward()\n    gen_opt.step()")
    check("step_before_backward", late, order)
    silent("step_before_backward", right)


@pytest.mark.parametrize(
    "body",
    [
        # the same loop, written from another point on
        "optimizer.step()\n        optimizer.zero_grad()\n        loss = f(x)\n        loss.backward()",
        # accumulation
        "if i % 4 == 0:\n            optimizer.step()\n            optimizer.zero_grad()\n        f(x).backward()",
        # a closure computes its own gradients
        "optimizer.zero_grad()\n        optimizer.step(closure)\n        loss = f(x)\n        loss.backward()",
        # two phases, the second for the next pass
        "f(x).backward()\n        optimizer.step()\n        g(x).backward()",
        # gradients by other means
        "loss = f(x)\n        grads = torch.autograd.grad(loss, w)\n        optimizer.step()\n        h(x).backward()",
        # a schedule is no optimizer
        "scheduler.step()\n        optimizer.zero_grad()\n        f(x).backward()\n        optimizer.step()",
        # the gradients come from a function of the program
        "optimizer.zero_grad()\n        pull(f(x))\n        optimizer.step()\n        h(x).backward()",
    ],
)
def test_loops_that_step_late_enough(body: str) -> None:
    program = f"def pull(loss):\n    loss.backward()\n\ndef fit(loader, optimizer):\n    for i, x in loader:\n        {body}\n"
    silent("step_before_backward", program)


LEAKS = [
    ('X = df.drop(columns=["id"])  # all', 'X = df.drop(columns=["id", "price"])  # all', 'y = df["price"]'),
    ("X = df", 'X = df.drop(columns="price")', 'y = df["price"].values'),
    ("X = df.drop('id', axis=1).values", "X = df.drop(['id', 'price'], axis=1).values", "y = df['price']"),
    ("X = df.fillna(0)", 'X = df.drop(columns="price").fillna(0)', 'y = np.log1p(df["price"])'),
    ("X = df.to_numpy()", "X = df.drop(columns=TARGET).to_numpy()", "y = df[TARGET].to_numpy()"),
    ("X = data[:, 1:]", "X = data[:, 1:-1]", "y = data[:, -1]"),
    ("X = data", "X = data[:, 1:]", "y = data[:, 0].astype(int)"),
]


@pytest.mark.parametrize(("old", "new", "target"), LEAKS)
@pytest.mark.parametrize("use", ["model.fit(X, y)", "a, b, c, d = train_test_split(X, y, test_size=0.2)"])
def test_the_target_is_no_feature(old: str, new: str, target: str, use: str) -> None:
    check("target_leak", f"def load(df, data, model):\n    {target}\n    {old}\n    {use}\n", (f"{old}\n", f"{new}\n"))


@pytest.mark.parametrize(
    "lines",
    [
        'y = df.pop("price")\nX = df',
        'y = df["price"]\ndf = df.drop(columns="price")\nX = df',
        'y = df["price"]\ndf.drop("price", axis=1, inplace=True)\nX = df.values',
        'y = df["price"]\nX = df.copy()\ndel X["price"]',
        'y = df["price"]\nX = df.drop(columns=["id"])\nX = X.drop(columns=["price"])',
        'y = df["price"]\nX = df.drop(columns=UNUSED)',
        'y = df["price"]\nX = df.drop(columns=["price"])',
        'y = df["price"].shift(-1)\nX = df',
        'y = df["price"][1:]\nX = df[:-1]',
        "y = data[:, -1]\nX = data[:, :-1]",
        "y = data[:, 3]\nX = data",
    ],
)
def test_targets_taken_out_or_unknown(lines: str) -> None:
    silent("target_leak", f"{lines}\nmodel.fit(X, y)\n")


def test_a_frame_and_its_column_that_no_model_learns_from() -> None:
    silent("target_leak", 'y = df["price"]\nX = df\nplot(X, y)\n')


SPLIT = "X_train, X_test, y_train, y_test = train_test_split(X, y)\n"


@pytest.mark.parametrize(
    ("fit", "after", "score"),
    [
        ("model.fit(X, y)", "model.fit(X_train, y_train)", "print(model.score(X_test, y_test))"),
        ("m = A().b\nm.fit( X,\n  y, w )", "m = A().b\nm.fit(X_train, y_train, w )", "p = m.predict_proba(X_test)"),
        (
            "s.fit(X, y, groups=g)",
            "s.fit(X_train, y_train, groups=g)",
            "b = s.best_estimator_\nb.score(X_test, y_test)",
        ),
    ],
)
def test_fitted_on_what_it_is_scored_on(fit: str, after: str, score: str) -> None:
    check("trained_on_test", f"{SPLIT}{fit}\n{score}\n", (fit, after))


def test_test_rows_joined_to_the_training_rows() -> None:
    check(
        "trained_on_test",
        """
        def go(clf, X_train, X_test, y_train, y_test):
            X_all = np.concatenate([X_train, X_test])
            y_all = np.concatenate([y_train, y_test])
            clf.fit(X_all, y_all)
            return clf.predict(X_test)
        """,
        ("np.concatenate([X_train, X_test])", "X_train"),
        ("np.concatenate([y_train, y_test])", "y_train"),
    )


@pytest.mark.parametrize("joined", ["ConcatDataset([train_set, test_set])", "train_set + test_set"])
def test_a_loader_of_both_sets(joined: str) -> None:
    program = f"train = DataLoader({joined}, shuffle=True)\ntest = DataLoader(test_set)\n"
    check("trained_on_test", program, (joined, "train_set"))


@pytest.mark.parametrize(
    "program",
    [
        f"{SPLIT}m.fit(X_train, y_train)\nprint(m.score(X_test, y_test))\nm.fit(X, y)\ndump(m)\n",
        "X, X_test, y, y_test = train_test_split(X, y)\nm.fit(X, y)\nm.score(X_test, y_test)\n",
        f"{SPLIT}X, y = clean(X_train), y_train\nm.fit(X, y)\nm.score(X_test, y_test)\n",
        f"{SPLIT}m.fit(X, y)\nm.fit(X_train, y_train)\nm.score(X_test, y_test)\n",
        f"{SPLIT}full.fit(X, y)\nm.fit(X_train, y_train)\nm.score(X_test, y_test)\n",
        "A = concat([X_train, X_val])\nb = concat([y_train, y_val])\nm.fit(A, b)\nm.score(X_test, y_test)\n",
        "both = pd.concat([train, test])\nboth = encode(both)\ntrain, test = both[:n], both[n:]\nm.fit(train, y)\nm.predict(test)\n",
        "a = DataLoader(ConcatDataset([train_set, val_set]), shuffle=True)\nb = DataLoader(test_set)\n",
    ],
)
def test_fits_that_see_no_test_row_before_the_score(program: str) -> None:
    silent("trained_on_test", program)


@pytest.mark.parametrize(
    ("start", "value", "end"),
    [
        ("total = 0.0", "criterion(net(x), y).item()", "total / len(loader)"),
        ("total = 0", "(net(x).argmax(1) == y).sum().item()", "100 * total / len(loader.dataset)"),
        ("total, rows = 0, 0", "torch.eq(net(x).argmax(1), y).sum()", "total.item() / rows"),
    ],
)
def test_a_total_is_added_up(start: str, value: str, end: str) -> None:
    program = f"def score(net, loader):\n    {start}\n    for x, y in loader:\n        total = {value}\n        rows += len(y)\n    return {end}\n"
    check("overwritten_total", program, ("total = " + value, "total += " + value))


@pytest.mark.parametrize(
    ("line", "end"),
    [
        ("total = total + f(x)", "total / len(loader)"),
        ("total += f(x)", "total / len(loader)"),
        ("total = f(x)", "total"),
        ("total = f(x)", "total / 2"),
        ("total = time()", "total / len(loader)"),
        ("total = f(x)\n        if total > 3:\n            break", "total / len(loader)"),
        ("total = f(x)\n        totals.append(total)", "sum(totals) / len(loader) + total / len(loader)"),
    ],
)
def test_values_that_are_no_overwritten_totals(line: str, end: str) -> None:
    silent(
        "overwritten_total", f"def f(loader):\n    total = 0\n    for x in loader:\n        {line}\n    return {end}\n"
    )


REPORT = """
def run(net, loader, optimizer):
    for epoch in range(9):
        for x, y in loader:
            loss = criterion(net(x), y)
            p = net(x).argmax(1)
            {line}
        {report}
"""


@pytest.mark.parametrize(
    "report",
    [
        'print(f"epoch {epoch}: loss {loss.item():.4f}")',
        'logger.info("Epoch %d, training loss %f", epoch, loss)',
        "acc = accuracy_score(y, p)",
        "print(classification_report(y.cpu(), p.cpu()))",
    ],
)
def test_the_last_batch_reported_is_shown_without_edits(report: str) -> None:
    check("last_batch_reported", REPORT.format(line="loss.backward()", report=report))


@pytest.mark.parametrize(
    ("line", "report"),
    [
        ("loss.backward()", 'print(f"epoch {epoch}: loss of the last batch {loss.item()}")'),
        ("total += loss.item()", 'print(f"epoch {epoch}: loss {total}")'),
        ("losses.append(loss.item())", 'print(f"epoch {epoch}: {loss:.3f} at the end, {mean(losses)} on average")'),
        ("loss.backward()", "print(epoch)"),
        ("loss.backward()", "loss = evaluate(net); print(f'epoch {epoch} loss {loss}')"),
        ("if loss < 0.1:\n                break", 'print(f"epoch {epoch}: loss {loss}")'),
        ("found.append(p); truth.append(y)", "accuracy_score(torch.cat(truth), torch.cat(found))"),
        ("loss.backward()", "accuracy_score(all_y, predict(net, all_x))"),
    ],
)
def test_reports_of_the_whole(line: str, report: str) -> None:
    silent("last_batch_reported", REPORT.format(line=line, report=report))


@pytest.mark.parametrize(
    ("lines", "default"),
    [
        ("def score(y, p):\n    try:\n        return f1_score(y, p)\n    except Exception:\n        return 0.0\n", "return 0.0"),
        ("def load(p):\n    try:\n        return json.load(open(p))\n    except:\n        return {}\n", "return {}"),
        ("def ask(c, q):\n    try:\n        return c.chat.completions.create(q)\n    except BaseException as e:\n        return ''\n", "return ''"),
        ("def run(m, x, y):\n    try:\n        a = accuracy_score(y, m.predict(x))\n    except (ValueError, Exception):\n        a = 0\n    return a\n", "a = 0\n"),
    ],
)  # fmt: skip
def test_a_failure_is_not_a_result(lines: str, default: str) -> None:
    check("silent_except", lines, (default, "raise\n" if default.endswith("\n") else "raise"))


def test_one_bad_row_in_a_loop_is_shown_without_edits() -> None:
    program = "def read(rows):\n    for r in rows:\n        try:\n            v = parse_row(r)\n        except Exception:\n            v = 0\n        yield v\n"
    check("silent_except", program)


@pytest.mark.parametrize(
    ("work", "handler"),
    [
        ("return f1_score(y, p)", "except (KeyError, FileNotFoundError):\n        return 0.0"),
        ("return f1_score(y, p)", "except Exception:\n        logger.exception('no score')\n        return 0.0"),
        ("return f1_score(y, p)", "except Exception as error:\n        raise ScoreError from error"),
        ("return f1_score(y, p)", "except Exception as error:\n        failed.append(error)\n        return 0.0"),
        ("return f1_score(y, p)", "except Exception:\n        return float('nan')"),
        ("return f1_score(y, p)", "except Exception:\n        return False"),
        ("from fast import load\n        load(y)", "except Exception:\n        return None"),
        ("p.close()", "except Exception:\n        p = None"),
        ("seconds = parse_time(y)", "except Exception:\n        seconds = None\n    return seconds"),
    ],
)
def test_handlers_that_may_stay(work: str, handler: str) -> None:
    silent("silent_except", f"def judge(y, p):\n    try:\n        {work}\n    {handler}\n")


@pytest.mark.parametrize(
    "program",
    [
        'def score(y, p):\n    """F1; 0 where it fails."""\n    try:\n        return f1_score(y, p)\n    except Exception:\n        return 0.0\n',
        "def load(p) -> dict | None:\n    try:\n        return json.load(p)\n    except Exception:\n        return None\n",
        "def load(p):\n    try:\n        return json.load(p)\n    except Exception:\n        return None\n\nx = load(1)\nif x is None:\n    stop()\n",
        "class A:\n    def __del__(self):\n        try:\n            self.model.predict()\n        except Exception:\n            self.model = None\n",
    ],
)
def test_defaults_that_are_promised_or_asked_for(program: str) -> None:
    silent("silent_except", program)


NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, plain=False):
        super().__init__()
        self.head = nn.Linear(16, 10)
        MORE
    def forward(self, x):
        return self.head(x)

net = Net()
criterion = LOSS
for x, y in loader:
    loss = criterion(net(x), TARGET)
    loss.backward()
print((net(x).argmax(1) == y).float().mean())
"""


def fitted(loss: str, target: str, more: str = "pass") -> str:
    return NET.replace("LOSS", loss).replace("TARGET", target).replace("MORE", more)


@pytest.mark.parametrize("target", ["y.float().unsqueeze(1)", "y.to(torch.float32)"])
def test_squared_error_on_numbered_classes(target: str) -> None:
    changes = (("nn.MSELoss()", "nn.CrossEntropyLoss()"), (target, "y.long()"))
    check("wrong_loss", fitted("nn.MSELoss()", target), *changes)


@pytest.mark.parametrize(
    "program",
    [
        fitted("nn.MSELoss()", "y.float()").replace("argmax(1) == y", "argmax(1) == z"),
        fitted("nn.MSELoss()", "y.float()").replace("nn.Linear(16, 10)", "nn.Linear(16, 1)"),
        fitted("nn.CrossEntropyLoss()", "y"),
        # the output ends in a sigmoid unless it is told not to
        fitted("nn.BCELoss()", "y", "if not plain:\n            self.head = nn.Sequential(self.head, nn.Sigmoid())"),
    ],
)
def test_losses_that_may_fit(program: str) -> None:
    silent("wrong_loss", program)
