"""API objects and files to values and back; dicts stop here.

Belongs here: parsing, field paths, problems as lists. Does not: decisions. The engine never sees
a dict, and the codec never decides.
"""
