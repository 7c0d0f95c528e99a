"""The best blocks of a run trained for longer, in rounds, and who wins.

It holds the verb finals, and must not know how a search suggests or how a page shows it.
"""
