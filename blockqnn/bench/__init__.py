"""What a child costs on this machine, against bounds and against PyTorch; the verb bench.

It measures children and must not know a search or a run.
"""
