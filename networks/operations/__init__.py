"""Every operation that a placed layer may compute: one table, and what its entries refer to."""
