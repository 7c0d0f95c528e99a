"""Language models as plans: how their layers are placed, and how they run over words in time.

It knows operations and plans, and must not know which search space placed a cell.
"""
