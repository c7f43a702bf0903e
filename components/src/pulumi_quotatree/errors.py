"""What is raised when a program asks for something that cannot be."""

import pulumi

from quotatree.errors import InputError


class TreeError(InputError, pulumi.RunError):
    """The program's values make no tree; the text names the place and what to do.

    Pulumi shows it as one message, without a stack trace.
    """
