"""Every search space: what its codes are, which are allowed, and what they mean as networks.

It knows plans, and must not know who searches in it or how a network is trained.
"""
