"""Network Structure Codes: the blocks of BlockQNN, layer by layer, and when two are the same.

It must not know other search spaces.
"""
