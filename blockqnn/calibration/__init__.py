"""Does early stopping rank blocks as longer training does, and which reward ranks best?

It holds the verbs calibrate and rescore, and must not know how a search goes on or is shown.
"""
