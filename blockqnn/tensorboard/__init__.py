"""TensorBoard's files, written without TensorFlow: scalars, hparams and drawings of a run."""
