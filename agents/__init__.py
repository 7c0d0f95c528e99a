"""Who designs: Q-learning and its rivals, behind one contract, and what foretells accuracies.

It must not know what a design means, nor anything else of the project.
"""
