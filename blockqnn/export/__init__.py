"""A network handed over: weights, source code and compiled form, for those without the project."""
