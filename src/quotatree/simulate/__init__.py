"""Traces replayed against a tree in simulated time, with the engine that answers reviews.

Here belongs what reads a trace, lets its time pass, keeps what happened and writes it down. It
decides nothing: whether a workload fits is asked of `engine.ledger`, and no clock is read. Files
are read and written here, the cluster is unknown here. Only the commands and the tests import it.
"""
