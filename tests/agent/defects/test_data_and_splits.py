"""What trains, what is held out, and whether the two are prepared alike: programs before and after, and clean ones."""

from collections.abc import Callable

import pytest

Mended = Callable[[str, str, str], None]
Found = Callable[[str, str], list[object]]

SPLIT = "a, b, c, d = train_test_split(X, y, stratify=y)\n"
EPOCHS = """
for epoch in range(9):
    train(net)
    val_acc = evaluate(net, val_loader)
    test_acc = evaluate(net, test_loader)
    if NEW_acc > best_acc:
        best_acc = NEW_acc  # so far
        torch.save(net.state_dict(), "best.pt")
"""
LOOP = """
import torch

def train(net, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        f(net(x), y).backward()
        optimizer.step()
"""
COMPOSED = """
from torchvision.transforms import Compose, Normalize, RandomHorizontalFlip, ToTensor

train_transform = Compose([RandomHorizontalFlip(), ToTensor(), Normalize((0.5,), (0.5,))])
test_transform = Compose([
    TEST
])
"""

DEFECTS = {
    "chosen on test": ("selected_on_test", EPOCHS.replace("NEW", "test"), EPOCHS.replace("NEW", "val")),
    "stopped on test": (
        "selected_on_test",
        "def go(m, X_val, y_val, X_test, y_test):\n    m.fit(X, y, eval_set=[(X_test, y_test)], early_stopping_rounds=5)\n",
        "def go(m, X_val, y_val, X_test, y_test):\n    m.fit(X, y, eval_set=[(X_val, y_val)], early_stopping_rounds=5)\n",
    ),
    "test is train": (
        "held_out_is_training",
        "train_set = MNIST(root, train=True)\ntest_set = MNIST(root, train=True, transform=t)\n",
        "train_set = MNIST(root, train=True)\ntest_set = MNIST(root, train=False, transform=t)\n",
    ),
    "test is train, words together": (
        "held_out_is_training",
        "trainset = CIFAR10(root, train=True)\ntestset = CIFAR10(root, train=True)\n",
        "trainset = CIFAR10(root, train=True)\ntestset = CIFAR10(root, train=False)\n",
    ),
    "loader of the training set, words together": (
        "held_out_is_training",
        "def make(trainset, testset):\n    testloader = DataLoader(trainset, 64)\n    return testloader\n",
        "def make(trainset, testset):\n    testloader = DataLoader(testset, 64)\n    return testloader\n",
    ),
    "loader of the training set": (
        "held_out_is_training",
        "def make(train_set, val_set):\n    val_loader = DataLoader(train_set, batch_size=64)\n    return val_loader\n",
        "def make(train_set, val_set):\n    val_loader = DataLoader(val_set, batch_size=64)\n    return val_loader\n",
    ),
    "oversampled": (
        "resampled_before_split",
        "X_res, y_res = SMOTE(k_neighbors=3).fit_resample(X, y)\n"
        "a, b, c, d = train_test_split(X_res, y_res, test_size=0.2)\nm.fit(a, c)\n",
        "a, b, c, d = train_test_split(X, y, test_size=0.2)\na, c = SMOTE(k_neighbors=3).fit_resample(a, c)\nm.fit(a, c)\n",
    ),
    "oversampled under the same name": (
        "resampled_before_split",
        "ros = RandomOverSampler()\nX, y = ros.fit_resample(X, y)\na, b, c, d = train_test_split(X, y)\n",
        "ros = RandomOverSampler()\na, b, c, d = train_test_split(X, y)\na, c = ros.fit_resample(a, c)\n",
    ),
    "not normalised": (
        "preprocessing_differs",
        COMPOSED.replace("TEST", "ToTensor(),"),
        COMPOSED.replace("TEST", "ToTensor(), Normalize((0.5,), (0.5,)),"),
    ),
    "normalised by others": (
        "preprocessing_differs",
        COMPOSED.replace("TEST", "ToTensor(), Normalize((0.1,), (0.3,)),"),
        COMPOSED.replace("TEST", "ToTensor(), Normalize((0.5,), (0.5,)),"),
    ),
    "divided twice": (
        "scaled_twice",
        'def load(x):\n    x = x.astype("float32") / 255\n    x = x.reshape(-1, 784)\n    x /= 255.0\n    return x\n',
        'def load(x):\n    x = x.astype("float32") / 255\n    x = x.reshape(-1, 784)\n    return x\n',
    ),
    "divided by the transform": (
        "scaled_twice",
        "t = Compose([ToTensor(), Lambda(lambda x: x / 255), Normalize(m, s)])\n",
        "t = Compose([ToTensor(), Normalize(m, s)])\n",
    ),
    "two shuffles": (
        "independent_shuffle",
        "import numpy as np\n\ndef load(images, labels):\n    np.random.shuffle(images)\n    np.random.shuffle(labels)\n",
        "import numpy as np\n\ndef load(images, labels):\n    order = np.random.permutation(len(images))\n"
        "    images[:] = [images[i] for i in order]\n    labels[:] = [labels[i] for i in order]\n",
    ),
    "two orders": (
        "independent_shuffle",
        "import torch\nx_train = x_train[torch.randperm(n)]\ny_train = y_train[torch.randperm(n)]\n",
        "import torch\norder = torch.randperm(n)\nx_train = x_train[order]\ny_train = y_train[order]\n",
    ),
    "two splits": (
        "independent_shuffle",
        "x_a, x_b = train_test_split(x, test_size=0.2)\ny_a, y_b = train_test_split(y, test_size=0.2)\n",
        "x_a, x_b, y_a, y_b = train_test_split(x, y, test_size=0.2)\n",
    ),
    "flipped at validation": (
        "augmented_validation",
        "val = Compose([Resize(32), RandomHorizontalFlip(), ToTensor()])\n",
        "val = Compose([Resize(32), ToTensor()])\n",
    ),
    "flipped at validation, and in a comment": (
        "augmented_validation",
        "val = Compose([  # größer\n    # ToTensor(), ColorJitter(),\n    ToTensor(),\n    ColorJitter(),\n    Norm(),\n])\n",
        "val = Compose([  # größer\n    # ToTensor(), ColorJitter(),\n    ToTensor(),\n    Norm(),\n])\n",
    ),
    "flipped at validation, in a dict": (
        "augmented_validation",
        't = {\n    "train": Compose([RandomCrop(32), ToTensor()]),\n    "val": Compose([\n        ToTensor(),\n        ColorJitter(0.2),\n'
        "    ]),\n}\n",
        't = {\n    "train": Compose([RandomCrop(32), ToTensor()]),\n    "val": Compose([\n        ToTensor(),\n    ]),\n}\n',
    ),
    "training transform": (
        "augmented_validation",
        "def make(train_tf, val_tf):\n    val_set = Images(d, transform=train_tf)\n    return val_set\n",
        "def make(train_tf, val_tf):\n    val_set = Images(d, transform=val_tf)\n    return val_set\n",
    ),
    "seed at each step": (
        "seed_in_loop",
        LOOP.replace("        optimizer.zero", "        torch.manual_seed(0)\n        optimizer.zero"),
        LOOP.replace("    for x", "    torch.manual_seed(0)\n    for x"),
    ),
    "seed for each item": (
        "seed_in_loop",
        "import random\n\nclass Images(Dataset):\n    def __getitem__(self, i):\n        random.seed(42)\n        return flip(self.x[i])\n",
        "import random\n\nclass Images(Dataset):\n    def __getitem__(self, i):\n        return flip(self.x[i])\n",
    ),
    "one batch": ("debug_limit", LOOP + "        break\n", LOOP),
    "few batches": (
        "debug_limit",
        LOOP.replace("for x, y in loader", "for i, (x, y) in enumerate(loader)")
        + "        if i >= 10:\n            break\n",
        LOOP.replace("for x, y in loader", "for i, (x, y) in enumerate(loader)"),
    ),
    "few rows": (
        "debug_limit",
        "def load(train_data):\n    train_data = train_data[:100]  # debug\n    return DataLoader(train_data)\n",
        "def load(train_data):\n    return DataLoader(train_data)\n",
    ),
    "fast_dev_run": (
        "debug_limit",
        "t = pl.Trainer(max_epochs=9, fast_dev_run=True)\n",
        "t = pl.Trainer(max_epochs=9)\n",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_mended(name: str, mended: Mended) -> None:
    mended(*DEFECTS[name])


CLEAN = [
    ("debug_limit", "test_data = test_data[:100]\ntrain_data = data[:100]\ntrain_x = train_x[:n]\ntrain_rows = train_rows[:80000]\n"),
    ("scored_on_training_rows", "m.fit(X_train, y_train)\nprint(m.score(X_train, y_train))\n"),
    ("scored_on_training_rows", "m.fit(X, y)\nprint(m.score(X, y), m.score(X_new, y_new))\n"),
    ("scored_on_training_rows", "m.fit(X, y)\nprint(m.score(X, y))\nprint(cross_val_score(m, X, y))\n"),
    ("scored_on_training_rows", "m.fit(X, y)\nX, y = load_test()\nprint(m.score(X, y))\nk.fit(X)\nk.score(X)\n"),
    ("selected_on_test", EPOCHS.replace("NEW", "val")),
    ("selected_on_test", EPOCHS.replace("NEW", "test").replace("evaluate(net, test_loader)", "evaluate(net, val_loader)")),
    ("selected_on_test", "for e in range(9):\n    if test_acc > best_acc:\n        best_acc = test_acc\n    print(best_acc)\n"),
    ("selected_on_test", "m.fit(X, y, validation_data=(X_test, y_test))\nm.fit(X, y, eval_set=[(X_val, y_val)], early_stopping_rounds=3)\n"),
    ("held_out_is_training", "train_set = MNIST(root, train=True)\ntest_set = MNIST(root, train=False)\nval_set = MNIST(root, train=True)\n"),
    ("held_out_is_training", "def f(train_set, val_set):\n    train_eval_loader = DataLoader(train_set)\n    a = DataLoader(train_set)\n"
                             "    val_loader = DataLoader(val_set)\n"),
    ("held_out_is_training", "def f(train_set):\n    val_loader = DataLoader(train_set, sampler=SubsetRandomSampler(val_idx))\n"),
    ("resampled_before_split", "X_train, y_train = SMOTE().fit_resample(X_train, y_train)\n"
                               "a, b, c, d = train_test_split(X_train, y_train)\n"),
    ("resampled_before_split", f"{SPLIT}a, c = SMOTE().fit_resample(a, c)\nm.fit(a, c)\n"),
    ("resampled_before_split", f"Xr, yr = SMOTE().fit_resample(X, y)\n{SPLIT}show(Xr)\n"),
    ("preprocessing_differs", COMPOSED.replace("TEST", "Resize(32), ToTensor(), Normalize([0.5], [0.5])").replace("[0.5]", "(0.5,)")),
    ("preprocessing_differs", COMPOSED.replace("TEST", "Resize(32), ToTensor(), extra").replace("train_transform", "plain")),
    ("preprocessing_differs", COMPOSED.replace("TEST", "ToTensor(), Normalize(mean=[0.5,], std=[0.5,])").replace("[0.5,]", "(0.5,)")),
    ("scaled_twice", "def f(a, b, up):\n    a = a / 255\n    b = b / 255\n    if up:\n        a = a * 255\n    a = load()\n    a = a / 255\n"),
    ("scaled_twice", "def f(a, up):\n    if up:\n        a = a / 255\n    else:\n        a = a / 255.0\n    return a\n"),
    ("scaled_twice", "t = Compose([PILToTensor(), Lambda(lambda x: x / 255)])\nu = Compose([ToTensor(), Lambda(lambda x: x / 2)])\n"),
    ("independent_shuffle", "np.random.seed(0)\nnp.random.shuffle(x)\nnp.random.seed(0)\nnp.random.shuffle(y)\n"),
    ("independent_shuffle", "order = torch.randperm(n)\nx = x[order]\ny = y[order]\nrandom.shuffle(files)\nrandom.shuffle(names)\n"),
    ("independent_shuffle", "xa, xb = train_test_split(x, random_state=0)\nya, yb = train_test_split(y, random_state=0)\n"),
    ("independent_shuffle", "rng.shuffle(x_train)\nrng.shuffle(y_test)\n"),
    ("augmented_validation", "train = Compose([RandomCrop(3), ToTensor()])\nval = Compose([CenterCrop(3), ToTensor()])\n"
                             "val_tta = Compose([RandomCrop(3), ToTensor()])\n"),
    ("augmented_validation", "def f(train_tf):\n    val_set = Images(d, transform=train_tf)\n    train_set = Images(d, transform=train_tf)\n"),
    ("seed_in_loop", "import torch\nfor seed in range(5):\n    torch.manual_seed(seed)\n    net = Net()\n    for x in loader:\n"
                     "        f(net(x)).backward()\n"),
    ("seed_in_loop", "import torch\nfor fold in folds:\n    torch.manual_seed(0)\n    optimizer = torch.optim.SGD(net.parameters(), 1)\n"
                     "    f(net(x)).backward()\n"),
    ("seed_in_loop", "import random\nclass D:\n    def __getitem__(self, i):\n        random.seed(i)\n        random.seed(self.seed + i)\n"),
    ("seed_in_loop", "import torch\nfor n in sizes:\n    torch.manual_seed(0)\n    time(n)\n"),
    ("debug_limit", LOOP + "        if step >= max_steps:\n            break\n"),
    ("debug_limit", "for i, x in enumerate(loader):\n    f(x).backward()\n    if i > 5:\n        break\nprint(norm(grads))\n"),
    ("debug_limit", "for x in loader:\n    show(x)\n    break\nfor x in loader:\n    f(x).backward()\n    if bad(x):\n        break\n"),
    ("debug_limit", "t = pl.Trainer(fast_dev_run=args.fast, limit_train_batches=0.5, limit_val_batches=2)\n"),
    ("time_split_at_random", 'import pandas as pd\ndf["l"] = df["y"].shift(1)\na, b = train_test_split(df, shuffle=False)\n'),
    ("time_split_at_random", 'import pandas as pd\ndf["l"] = df["y"].map(f)\na, b = train_test_split(df.sort_values("name"))\n'),
]  # fmt: skip


@pytest.mark.parametrize(("detector", "program"), CLEAN)
def test_silent(detector: str, program: str, found: Found) -> None:
    assert found(detector, program) == []


TOLD = [
    ("debug_limit", "train_set = load()\ntrain_set = train_set.select(range(200))\n"),
    ("scored_on_training_rows", "m = Tree()\nm.fit(X, y)\nprint(m.score(X, y))\n"),
    ("scored_on_training_rows", "m.fit(X, y)\np = m.predict(X)\nprint(accuracy_score(y, p))\n"),
    (
        "resampled_before_split",
        "if balance:\n    X, y = SMOTE().fit_resample(X, y)\na, b, c, d = train_test_split(X, y)\n",
    ),
    (
        "resampled_before_split",
        "Xr, yr = SMOTE().fit_resample(X, y)\nprint(yr)\na, b, c, d = train_test_split(Xr, yr)\n",
    ),
    (
        "time_split_at_random",
        'import pandas as pd\ndf["l"] = df["y"].shift(1)\na, b = train_test_split(df, test_size=0.2)\n',
    ),
    ("time_split_at_random", 'import pandas as pd\ndf = df.sort_values("date")\na, b = train_test_split(df)\n'),
    ("selected_on_test", EPOCHS.replace("NEW", "test").replace("    val_acc = evaluate(net, val_loader)\n", "")),
]


@pytest.mark.parametrize(("detector", "program"), TOLD)
def test_told_and_not_tried(detector: str, program: str, found: Found) -> None:
    (finding,) = found(detector, program)
    assert finding.action == "advise"  # type: ignore[attr-defined]
