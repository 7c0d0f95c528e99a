"""A network handed over: weights, source code and compiled form, for those without the project.

It takes weights from where they lie and must not know how they were trained.
"""
