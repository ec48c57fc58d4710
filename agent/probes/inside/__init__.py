"""The part of a probe that runs inside the sandbox, on the target's interpreter: standard library, and the target's torch.

Nothing outside a sandbox imports these files. They need Python 3.10 and torch 2.1; with older ones findings stay unprobed.
"""
