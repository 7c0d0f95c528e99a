"""TensorBoard's files, written without TensorFlow: scalars, hparams and drawings of a run.

It is told what a search did and must not know the search.
"""
