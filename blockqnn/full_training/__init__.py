"""Training a block to the end: data, recipe, devices, checkpoints, `train`, `evaluate`."""
