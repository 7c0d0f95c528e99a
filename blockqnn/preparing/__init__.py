"""Public data sets from their official archives, fetched, checked and written for `--dataset`.

It must not know children, evaluators or runs, and nothing that searches or trains imports it:
only the verb `prepare` reaches for the network.
"""
