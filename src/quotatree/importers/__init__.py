"""Other tools' objects to a tree, and what could not be carried over.

Each tool has a module that reads its objects into a `draft.Part`: pure, no object is ever changed.
`assemble` makes one tree of all parts. Only `reading` talks to a cluster. Field names are those of
the published CRDs; a module's docstring names the version that was read.
"""
