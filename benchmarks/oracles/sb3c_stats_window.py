"""The window over which episodes are averaged is as long as was asked for."""

import time
from collections import deque

import numpy
from case import definition, settle, thing

setup = definition("sb3_contrib/ppo_mask/ppo_mask.py", "MaskablePPO._setup_learn", time=time, deque=deque, np=numpy)
fake = thing(
    ep_info_buffer=None, _stats_window_size=7, num_timesteps=0, env=thing(reset=list, num_envs=1), _last_obs=None,
    _vec_normalize_env=None, _custom_logger=True, _init_callback=lambda *_: None,
)  # fmt: skip
setup.__globals__["MaybeCallback"] = None
setup(fake, 10)
settle(fake.ep_info_buffer.maxlen != 7)
