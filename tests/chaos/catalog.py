"""The list of all faults, by name."""

from collections.abc import Mapping

from tests.chaos import of_history, of_links, of_objects, of_processes
from tests.chaos.faults import Fault

FAULTS: Mapping[str, Fault] = {
    one.name: one
    for kind in (of_processes, of_links, of_history, of_objects)
    for one in vars(kind).values()
    if isinstance(one, Fault)
}
