"""Every operation that a placed layer may compute: one table, and what its entries refer to.

It must not know search spaces, nor how a plan is executed.
"""
