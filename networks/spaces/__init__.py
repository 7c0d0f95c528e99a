"""Every search space: what its codes are, and what they mean as networks."""
