"""Two batches of which each is half the step: the gradient is their mean, not their sum."""

import torch
from case import load, settle, thing

module = load("denoising_diffusion_pytorch/denoising_diffusion_pytorch.py")
torch.save = lambda *_: None
module.utils = thing(save_image=lambda *_, **__: None)
weight, gradients = torch.nn.Parameter(torch.ones(1)), []


class Model(torch.nn.Module):
    def forward(self, data):
        return (weight * data).sum()

    def p_sample_loop(self, *_):
        return torch.zeros(1)


class Batches:
    def __next__(self):
        return thing(cuda=lambda: torch.ones(1))


def step():
    gradients.append(weight.grad.item())


def run(every):
    weight.grad = None
    module.model = Model()
    trainer = thing(
        train_num_steps=1, gradient_accumulate_every=every, dl=Batches(), model=Model(), image_size=4,
        opt=thing(step=step, zero_grad=lambda: None), step=0,
    )  # fmt: skip
    module.Trainer.train(trainer)


run(1)
run(4)
settle(gradients[0] != gradients[1])
