"""Terms of a loss: signs, normalisers, logarithms, shapes, shifts, and the graph they hang on."""

from collections.abc import Callable
from typing import Any

import pytest

HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n"
TRAIN = (
    HEAD
    + "def fit(net, loader, opt, criterion):\n    for x, y in loader:\n        opt.zero_grad()\n        {}\n        loss.backward()\n        opt.step()\n"
)


def term(code: str, parameters: str = "p, q, mask") -> str:
    return HEAD + f"def term({parameters}):\n    " + code.replace("\n", "\n    ") + "\n"


def train(code: str) -> str:
    return TRAIN.replace("{}", code.replace("\n", "\n        "))


KL = term("kl = 0.5 * torch.sum(1 + lv - mu.pow(2) - lv.exp())\nreturn kl", "mu, lv")
PPO = term(
    "s1 = ratio * adv\ns2 = torch.clamp(ratio, 0.8, 1.2) * adv\nloss = -torch.max(s1, s2).mean()\nreturn loss",
    "ratio, adv",
)
POLICY = term(
    "entropy = dist.entropy().mean()\npolicy_loss = -(logp * adv).mean()\nloss = policy_loss + 0.01 * entropy\nreturn loss",
    "dist, logp, adv",
)
HEADED = HEAD + (
    "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.out = nn.Linear(8, 1)\n\n"
    "    def forward(self, x):\n        return self.out(x)\n\n\n"
    "def fit(table, x):\n    net = Net()\n    y = torch.tensor(table['y'].values)\n    pred = net(x)\n"
    "    return F.mse_loss(pred, y)\n"
)
GPT = HEAD + (
    "class Gpt(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.mask = torch.tril(torch.ones(8, 8))\n\n"
    "    def forward(self, ids):\n        return self.body(ids)\n\n\n"
    "def fit(ids, v):\n    gpt = Gpt()\n    logits = gpt(ids)\n    return F.cross_entropy(logits.view(-1, v), ids.view(-1))\n"
)
HUB = (
    "from transformers import AutoModelForCausalLM\n\nlm = AutoModelForCausalLM.from_pretrained('gpt2')\n\n\n"
    "def loss(ids):\n    return lm(input_ids=ids[:, :-1], labels=ids[:, 1:]).loss\n"
)
CHANGES: dict[str, tuple[str, str, str, str]] = {
    "probabilities": ("kl_div_input", term("return F.kl_div(F.softmax(p, -1), q, reduction='batchmean')"), "F.softmax", "F.log_softmax"),
    "a name for them": (
        "kl_div_input", term("s = p.softmax(-1)\nreturn F.kl_div(s, q, reduction='batchmean')"), "F.kl_div(s,", "F.kl_div(s.clamp_min(1e-9).log(),",
    ),
    "a target in logarithms": (
        "kl_div_input", term("return F.kl_div(F.log_softmax(p, -1), F.log_softmax(q, -1), reduction='sum')"),
        "reduction='sum')", "reduction='sum', log_target=True)",
    ),
    "the default reduction": ("kl_div_mean", term("return F.kl_div(p.log(), q)"), "q)\n", 'q, reduction="batchmean")\n'),
    "a layer's": (
        "kl_div_mean", HEAD + "kl_loss = nn.KLDivLoss()\n\n\ndef term(p, q):\n    return kl_loss(p, q)\n", "KLDivLoss()", 'KLDivLoss(reduction="batchmean")',
    ),
    "no minus": ("entropy_sign", term("entropy = (p * p.log()).sum(-1)\nreturn entropy.mean()"), "= (p", "= -(p"),
    "no minus, with eps": ("entropy_sign", term("entropy = torch.sum(p * torch.log(p + 1e-9))\nreturn entropy"), "= torch", "= -torch"),
    "no minus, returned": ("entropy_sign", term("return (p * p.log()).sum()").replace("term", "entropy_of"), "return (", "return -("),
    "a bonus that is added": ("entropy_sign", POLICY, "policy_loss + 0.01", "policy_loss - 0.01"),
    "kl": ("vae_kl_sign", KL, "= 0.5 *", "= -0.5 *"),
    "kl, turned terms": ("vae_kl_sign", KL.replace("0.5 *", "-0.5 *").replace("1 + lv - mu.pow(2) - lv.exp()", "lv.exp() + mu ** 2 - 1 - lv"), "= -0.5", "= 0.5"),
    "gains": ("surrogate_direction", PPO, "torch.max", "torch.min"),
    "losses": ("surrogate_direction", PPO.replace("s1 = ratio", "s1 = -ratio").replace("s2 = ", "s2 = -").replace("-torch.max", "torch.min"), "torch.min", "torch.max"),
    "exchanged bounds": ("clamp_bounds", term("return p.clamp(1, 0)"), "p.clamp(1, 0)", "p.clamp(0, 1)"),
    "a guard from above": ("clamp_bounds", term("return q / p.clamp(max=1e-8)"), "max=", "min="),
    "the mean of a product": (
        "masked_mean", term("loss = F.cross_entropy(p, q, reduction='none')\nreturn (loss * mask).mean()"),
        "(loss * mask).mean()", "((loss * mask).sum() / mask.expand_as(loss).sum().clamp(min=1))",
    ),
    "pooling": (
        "masked_mean", term("return (hidden * mask.unsqueeze(-1)).mean(dim=1)", "hidden, mask"),
        "(hidden * mask.unsqueeze(-1)).mean(dim=1)",
        "((hidden * mask.unsqueeze(-1)).sum(dim=1) / mask.unsqueeze(-1).expand_as(hidden).sum(dim=1).clamp(min=1))",
    ),
    "the mean of ignored items too": (
        "ignored_items_mean", term("l = F.cross_entropy(p, q, ignore_index=-1, reduction='none')\nloss = l.mean()\nreturn loss"),
        "l.mean()", "(l.sum() / (q != -1).sum().clamp(min=1))",
    ),
    "in one line": (
        "ignored_items_mean", term("return F.nll_loss(p, q, ignore_index=pad, reduction='none').view(-1).mean()", "p, q, pad"),
        "F.nll_loss(p, q, ignore_index=pad, reduction='none').view(-1).mean()",
        "(F.nll_loss(p, q, ignore_index=pad, reduction='none').view(-1).sum() / (q != pad).sum().clamp(min=1))",
    ),
    "a head with one output": ("silent_broadcast", HEADED, "mse_loss(pred,", "mse_loss(pred.squeeze(-1),"),
    "an unsqueezed target": (
        "silent_broadcast", term("a = p.squeeze(-1)\nb = q.unsqueeze(1)\nreturn F.mse_loss(a, b)"), "(a, b)", "(a, b.squeeze(-1))",
    ),
    "a square by hand": (
        "silent_broadcast", HEADED.replace("F.mse_loss(pred, y)", "((pred - y) ** 2).mean()"), "(pred - y)", "(pred.squeeze(-1) - y)",
    ),
    "tensors of a data set": (
        "silent_broadcast",
        HEAD + "from torch.utils.data import DataLoader, TensorDataset\n\n\ndef fit(table, x):\n    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))\n"
        "    loader = DataLoader(TensorDataset(x, torch.tensor(table['y'].values)))\n    for xb, yb in loader:\n        loss = F.mse_loss(net(xb), yb)\n",
        "net(xb), yb", "net(xb).squeeze(-1), yb",
    ),
    "never shifted": (
        "label_shift", GPT, "logits.view(-1, v), ids.view(-1)", "logits[:, :-1].reshape(-1, v), ids[:, 1:].reshape(-1)",
    ),
    "shifted twice": ("label_shift", HUB, "input_ids=ids[:, :-1], labels=ids[:, 1:]", "input_ids=ids, labels=ids"),
    "made anew": (
        "graph_cut", train("loss = torch.tensor(criterion(net(x), y), requires_grad=True)"),
        "torch.tensor(criterion(net(x), y), requires_grad=True)", "criterion(net(x), y)",
    ),
    "a term as a number": ("graph_cut", train("kl = net.kl(x)\nloss = criterion(net(x), y) + kl.item()"), "kl.item()", "kl"),
    "a detached output": ("graph_cut", train("out = net(x).detach()\nloss = F.cross_entropy(out, y)"), "net(x).detach()", "net(x)"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_is_mended(case: str, mended: Callable[[str, str, str], None]) -> None:
    detector, before, old, new = CHANGES[case]
    assert before.count(old) == 1
    mended(detector, before, before.replace(old, new))


SILENT: dict[str, tuple[str, str]] = {
    "log-probabilities": ("kl_div_input", term("return F.kl_div(F.log_softmax(p, -1), F.softmax(q, -1), reduction='batchmean')")),
    "log_target": ("kl_div_input", term("return F.kl_div(F.log_softmax(p, -1), F.log_softmax(q, -1), log_target=True)")),
    "logarithms by hand": ("kl_div_input", term("return F.kl_div(F.softmax(p, -1).log(), q)")),
    "a chosen mean": ("kl_div_mean", term("return F.kl_div(p.log(), q, reduction='mean')")),
    "another kl": ("kl_div_mean", term("return kl_divergence(p, q)")),
    "an entropy": ("entropy_sign", term("entropy = -(p * p.log()).sum(-1)\nreturn entropy")),
    "a negative one, by name": ("entropy_sign", term("neg_entropy = (p * p.log()).sum(-1)\nreturn neg_entropy")),
    "turned later": ("entropy_sign", term("entropy = (p * p.log()).sum(-1)\nreturn -entropy.mean()")),
    "a cross entropy": ("entropy_sign", term("entropy = (p * q.log()).sum(-1)\nreturn entropy")),
    "a bonus subtracted": ("entropy_sign", POLICY.replace("loss + 0.01", "loss - 0.01")),
    "a bonus turned": ("entropy_sign", POLICY.replace("= dist.entropy().mean()", "= -dist.entropy().mean()")),
    "a negative coefficient": ("entropy_sign", POLICY.replace("+ 0.01", "+ -0.01")),
    "entropy minimised on purpose": ("entropy_sign", POLICY.replace("policy_loss", "sup").replace("adv", "w")),
    "kl as it is": ("vae_kl_sign", KL.replace("0.5", "-0.5")),
    "kl subtracted later": ("vae_kl_sign", KL.replace("return kl", "return recon - kl").replace("(mu", "(recon, mu")),
    "a minus around": ("vae_kl_sign", KL.replace("0.5 * torch.sum(", "-(0.5 * torch.sum(").replace("exp())", "exp()))")),
    "ppo": ("surrogate_direction", PPO.replace("torch.max", "torch.min")),
    "ppo with losses": ("surrogate_direction", PPO.replace("s1 = ratio", "s1 = -ratio").replace("s2 = ", "s2 = -").replace("-torch.max", "torch.max")),
    "value clipping": ("surrogate_direction", term("a = (v - ret) ** 2\nb = (torch.clamp(v, -1, 1) - ret) ** 2\nreturn torch.max(a, b)", "v, ret")),
    "dual clipping": ("surrogate_direction", PPO.replace("-torch.max(s1, s2)", "-torch.max(torch.min(s1, s2), 3 * adv)")),
    "bounds": ("clamp_bounds", term("return p.clamp(0, 1) + torch.clamp(q, -1, 1)")),
    "a lower guard": ("clamp_bounds", term("return q / p.clamp(min=1e-8)")),
    "an upper bound": ("clamp_bounds", term("return p.clamp(max=1e-3)")),
    "divided by the mask": ("masked_mean", term("return (loss * mask).mean() / mask.mean()", "loss, mask")),
    "a sum": ("masked_mean", term("return (loss * mask).sum() / mask.sum()", "loss, mask")),
    "a random mask": ("masked_mean", term("mask = torch.rand(3) > 0.5\nreturn (loss * mask).mean()", "loss")),
    "a mask of examples": ("masked_mean", term("mask = torch.full((3,), 2) < q\nreturn (loss * mask).mean()", "loss, q")),
    "no loss": ("masked_mean", term("return (image * mask).mean()", "image, mask")),
    "its own mean": ("ignored_items_mean", term("return F.cross_entropy(p, q, ignore_index=-1)")),
    "nothing ignored": ("ignored_items_mean", term("return F.cross_entropy(p, q, reduction='none').mean()")),
    "masked first": ("ignored_items_mean", term("l = F.cross_entropy(p, q, ignore_index=-1, reduction='none')\nreturn (l * mask).sum() / mask.sum()")),
    "a mean by row": ("ignored_items_mean", term("return F.cross_entropy(p, q, ignore_index=-1, reduction='none').mean(1)")),
    "used twice": ("ignored_items_mean", term("l = F.cross_entropy(p, q, ignore_index=-1, reduction='none')\nreturn l.mean() * l.numel() / mask.sum()")),
    "all pairs": ("silent_broadcast", term("a = p.squeeze(-1)\nb = a.unsqueeze(1)\nreturn ((a - b) ** 2).mean()")),
    "squeezed": ("silent_broadcast", HEADED.replace("mse_loss(pred,", "mse_loss(pred.squeeze(1),")),
    "a column of both": ("silent_broadcast", HEADED.replace("['y']", "[['y']]")),
    "unsqueezed target": ("silent_broadcast", HEADED.replace("pred, y)", "pred, y.unsqueeze(1))")),
    "ten outputs": ("silent_broadcast", HEADED.replace("(8, 1)", "(8, 10)")),
    "shapes that do not show": ("silent_broadcast", train("loss = F.mse_loss(net(x), y)")),
    "cross entropy of one row": ("silent_broadcast", HEADED.replace("mse_loss", "cross_entropy")),
    "shifted": ("label_shift", GPT.replace("logits.view", "logits[:, :-1].reshape").replace("ids.view", "ids[:, 1:].reshape")),
    "not causal": ("label_shift", GPT.replace("torch.tril(torch.ones(8, 8))", "None")),
    "labels of the data": ("label_shift", GPT.replace("ids, v", "ids, labels, v").replace("ids.view(-1)", "labels.view(-1)")),
    "shifted once, by the model": ("label_shift", HUB.replace("[:, :-1]", "").replace("[:, 1:]", "")),
    "a sequence-to-sequence model": ("label_shift", HUB.replace("CausalLM", "Seq2SeqLM")),
    "a plain loss": ("graph_cut", train("loss = criterion(net(x), y)\nlog(loss.item())")),
    "a detached target": ("graph_cut", train("loss = F.mse_loss(net(x), net.slow(x).detach())")),
    "a target that learns": ("graph_cut", train("code = net.code(x)\nout = net.enc(x).detach()\nloss = F.mse_loss(out, code)")),
    "a straight-through term": ("graph_cut", train("q = net(x)\nloss = q + (x - q).detach()")),
    "a weight made of data": ("graph_cut", train("w = torch.tensor([1.0, 2.0])\nloss = (w * criterion(net(x), y)).mean()")),
    "a fresh start": ("graph_cut", train("loss = torch.tensor(0.0)\nfor a in x:\n    loss = loss + criterion(net(a), y)")),
}  # fmt: skip


@pytest.mark.parametrize("case", SILENT)
def test_is_silent(case: str, found: Callable[[str, str], list[Any]]) -> None:
    detector, text = SILENT[case]
    compile(text, case, "exec")
    assert found(detector, text) == []
