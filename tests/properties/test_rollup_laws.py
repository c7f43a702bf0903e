"""The roll-up against brute force, and the forest against the roll-up."""

from hypothesis import given
from hypothesis import strategies as st

from quotatree.engine import rollup, room
from quotatree.engine.forest import Forest
from quotatree.model.scope import UNSCOPED
from quotatree.units.resources import Resources

NAMES = "abcde"
small = st.integers(0, 9)


@st.composite
def trees(draw):
    """A forest of up to five namespaces with small numbers of one resource."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    parents = {
        name: draw(st.sampled_from([None, *names[:position]]))
        for position, name in enumerate(names)
    }
    some = st.dictionaries(st.sampled_from(list(names)), small)
    return parents, draw(some), draw(some), draw(some)


def charges(parents, guaranteed, held):
    """The definition, read aloud."""

    def charge(name):
        below = sum(charge(child) for child, parent in parents.items() if parent == name)
        return max(guaranteed.get(name, 0), held.get(name, 0) + below)

    return {name: charge(name) for name in parents}


def as_resources(amounts):
    return {name: Resources.from_nano({"cpu": value}) for name, value in amounts.items()}


def rolled(parents, hard, guaranteed, held):
    return rollup.rollup(
        parents,
        hard=as_resources(hard),
        guaranteed=as_resources(guaranteed),
        held=as_resources(held),
    )


@given(trees())
def test_charges_are_those_of_the_definition(tree):
    parents, hard, guaranteed, held = tree
    found = rolled(parents, hard, guaranteed, held)
    assert {n: it.charged.nano("cpu") for n, it in found.items()} == charges(
        parents, guaranteed, held
    )


@given(trees(), st.data())
def test_available_is_the_largest_growth_that_no_level_refuses(tree, data):
    parents, hard, guaranteed, held = tree
    name = data.draw(st.sampled_from(sorted(parents)))
    before = charges(parents, guaranteed, held)
    levels = [level for level in rollup.path_up(parents, name) if level in hard]

    def accepted(growth):
        after = charges(parents, guaranteed, {**held, name: held.get(name, 0) + growth})
        return all(after[it] <= hard[it] or after[it] == before[it] for it in levels)

    available = rolled(parents, hard, guaranteed, held)[name].available
    if not levels:
        assert "cpu" not in available
        return
    room = available.nano("cpu")
    assert accepted(room)
    assert not accepted(room + 1)


def planted(tree):
    parents, hard, guaranteed, held = tree
    forest = Forest()
    for name, parent in parents.items():
        forest.declare(name, parent)
    for name in parents:
        node = forest.node(name)
        limits = {"hard": hard, "guaranteed": guaranteed}
        chosen = {kind: {"cpu": of[name]} if name in of else {} for kind, of in limits.items()}
        forest.set_limits(node, UNSCOPED, **chosen)
        forest.set_held(node, UNSCOPED, {"cpu": held.get(name, 0)})
    return forest


def numbers(forest, names):
    books = {name: forest.node(name).book(UNSCOPED) for name in names}
    return {n: (b.held.get("cpu", 0), b.gross.get("cpu", 0)) for n, b in books.items()}


@given(trees())
def test_the_incremental_forest_agrees_with_the_roll_up(tree):
    parents, hard, guaranteed, held = tree
    forest = planted(tree)
    for name, want in rolled(parents, hard, guaranteed, held).items():
        node = forest.node(name)
        assert node.book(UNSCOPED).charge("cpu") == want.charged.nano("cpu")
        free = room.available(node, UNSCOPED, "cpu")
        assert free == (want.available.nano("cpu") if "cpu" in want.available else None)


@given(trees(), st.lists(st.tuples(st.sampled_from(NAMES), small), max_size=6))
def test_adding_to_what_is_held_is_setting_it_to_the_sum(tree, changes):
    parents, hard, guaranteed, held = tree
    forest = planted(tree)
    sums = dict(held)
    for name, wanted in ((n, w) for n, w in changes if n in parents):
        delta = wanted - sums.get(name, 0)
        sums[name] = wanted
        forest.change_held(forest.node(name), UNSCOPED, {"cpu": delta} if delta else {})
    again = planted((parents, hard, guaranteed, sums))
    assert numbers(forest, parents) == numbers(again, parents)


@given(trees(), st.data())
def test_the_first_refusal_is_the_nearest_of_all(tree, data):
    parents = tree[0]
    node = planted(tree).node(data.draw(st.sampled_from(sorted(parents))))
    growth = {"cpu": data.draw(st.integers(1, 9))}
    everyone = room.obstacles(node, UNSCOPED, growth)
    assert room.obstacles(node, UNSCOPED, growth, first=True) == everyone[:1]
