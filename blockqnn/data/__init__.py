"""Images: where they come from, how they are split, what they are.

It must not know children, evaluators or runs.
"""
