"""The part of a probe that runs inside the sandbox, on the target's interpreter: standard library, and the target's torch.

Nothing outside a sandbox imports these files. They are older Python on purpose: a target's interpreter may be.
"""
