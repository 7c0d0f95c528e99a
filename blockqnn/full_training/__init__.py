"""Training a block to the end: data, recipe, devices, checkpoints; the verbs train and evaluate.

It must not know evaluators or agents: what it measures earns no reward.
"""
