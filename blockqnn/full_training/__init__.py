"""Training a block to the end: data, recipe, devices, checkpoints, the verbs `train` and `evaluate`."""
