"""The report of one run or several: figures as plain data, the page that shows them, a server.

It reads runs and must not know how they are searched.
"""
