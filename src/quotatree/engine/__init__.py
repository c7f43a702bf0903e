"""Pure decisions: (values, now) to values.

Belongs here: charging, admission, planning, wording. Does not: I/O, clocks, dicts from the API.
"""
