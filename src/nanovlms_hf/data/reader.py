"""Reads facts out of a text about a picture: the inverse of the descriptions, and more tolerant than they need.

What is read
    things       "(a | the | three) (big | small) (red) cat(s)", "running girl in red", "girl who is running"
    properties   "the cat is red (and big)", "the cat and the dog are red", "it is big", "its colour is red"
    relations    "cat (is) next to (the) ball", "the cat sits on the box and above the ball", "next to the ball is a cat",
                 "a box with a cat in it", "the cat has a ball on its left"
    setting      "at the beach", "in the kitchen", ...
    negation     "no dog" and "is not red" state nothing

How the unclear is settled
    "it" and "they" mean the thing of their number named last. A relation right after a thing belongs to that thing, otherwise to the
    subject of the clause. A relation has one object: in "next to a ball and a dog" the dog is only named.
    What is said of a part ("one of them is black", "two of the cats are red") is not taken for a fact of the group.
    "girl" alone means the girl named before; if none was, it is the fact ("kind", "girl"), true of any girl.
    Words from outside this world ("lion") are skipped, and what is said of them may be taken for the subject.
"""

from dataclasses import dataclass, field

from .lexicon import Item, sentences
from .vocabulary import KINDS

Fact = tuple[str, ...]

_ADJECTIVES = ("colour", "size")


@dataclass
class _Memory:
    """What earlier sentences named."""

    facts: set[Fact] = field(default_factory=set)
    last: dict[str, bool] = field(default_factory=dict)  # things named last, newest at the end: whether plural
    persons: dict[str, str] = field(default_factory=dict)  # noun -> the kind it was used for

    def person(self, noun: str, action: str | None) -> str:
        """The kind meant by a person noun and, where stated, an action."""
        if action:
            name = f"{action} {noun}"
            if noun == "child":
                fitting = [kind for kind in KINDS if kind.startswith(action + " ")]
                name = fitting[0] if len(fitting) == 1 else noun
            self.persons[noun] = name
            return name
        if noun not in self.persons:
            kinds = [kind.name for kind in KINDS.values() if kind.noun == noun and kind.group == "person"]
            return kinds[0] if len(kinds) == 1 else noun
        return self.persons[noun]


@dataclass
class _Node:
    """One element of a sentence after things have been gathered: a thing with its adjectives, or a single item."""

    label: str
    value: str = ""
    plural: bool = False
    adjectives: tuple[Item, ...] = ()
    number: int = 0
    kinds: tuple[str, ...] = ()


def read_facts(text: str) -> frozenset[Fact]:
    """Read every fact a text states.

    Args:
        text: any English text; words from outside the picture world are skipped.

    Returns:
        Facts in the form of `Scene.facts`: ("kind", k), ("colour", k, c), ("size", k, "small" | "big"),
        ("count", k, n) for n above one, ("relation", k, relation, k), ("setting", s). A kind may be one that no scene
        has ("flying boy" is never read, "sleeping boy" is), which makes the fact false, not unread.
    """
    memory = _Memory()
    for items in sentences(text):
        _Sentence(memory, _gather(items, memory)).read()
    return frozenset(memory.facts)


def _adjectives(items: list[Item], start: int) -> tuple[list[Item], int]:
    """The run of adjectives from `start`, joined by "and", commas and adverbs, and where it ends."""
    found: list[Item] = []
    position = start
    while position < len(items):
        label = items[position].label
        if label in _ADJECTIVES:
            found.append(items[position])
        elif label in ("and", "comma", "very"):
            ahead = position + 1
            while ahead < len(items) and items[ahead].label in ("and", "very"):
                ahead += 1
            if ahead >= len(items) or items[ahead].label not in _ADJECTIVES:
                break
        else:
            break
        position += 1
    return found, position


def _thing(items: list[Item], start: int, memory: _Memory) -> tuple[_Node, int] | None:
    """A thing with everything in front of it and right behind it, from `start`; None if there is none."""
    position, number, absent = start, 0, False
    action: str | None = None
    while position < len(items) and items[position].label in ("article", "number", "very", "no", "action"):
        item = items[position]
        if item.label == "number":
            number = int(item.value)
        absent |= item.label == "no"
        if item.label == "action":
            action = item.value
        position += 1
    adjectives, position = _adjectives(items, position)
    while position < len(items) and items[position].label in ("very", "action"):
        action = items[position].value if items[position].label == "action" else action
        position += 1
    if position >= len(items) or items[position].label not in ("kind", "person"):
        return None
    head = items[position]
    position += 1
    name = head.value
    if head.label == "person":
        if action is None:
            action, position = _later_action(items, position)
        name = memory.person(head.value, action)
    more, position = _worn(items, position)
    node = _Node("thing", name, head.plural or number > 1, tuple(adjectives + more), number, (name,))
    if absent:
        node = _Node("word", "no")
    return node, position


def _later_action(items: list[Item], position: int) -> tuple[str | None, int]:
    """An action stated behind a person: "girl running", "girl who is running", "girl runs"."""
    ahead = position
    while ahead < len(items) and (items[ahead].label in ("who", "is") or items[ahead].value == "that"):
        ahead += 1
    if ahead < len(items) and items[ahead].label == "action":
        return items[ahead].value, ahead + 1
    return None, position


def _worn(items: list[Item], position: int) -> tuple[list[Item], int]:
    """Colours stated behind a thing: "in red", "wearing red", "who wears red", "that is big and red"."""
    ahead = position
    if ahead < len(items) and (items[ahead].label == "who" or items[ahead].value == "that"):
        ahead += 1
        if ahead < len(items) and items[ahead].label in ("is", "wear"):
            ahead += 1
    elif ahead < len(items) and items[ahead].value in ("in", "wearing", "dressed in", "dressed"):
        ahead += 1
    else:
        return [], position
    while ahead < len(items) and items[ahead].label == "article":
        ahead += 1
    found, end = _adjectives(items, ahead)
    if not found or (end < len(items) and items[end].label in ("kind", "person")):
        return [], position
    return found, end


def _gather(items: list[Item], memory: _Memory) -> list[_Node]:
    """Group a sentence's items into things, adjective runs and single items."""
    nodes: list[_Node] = []
    position = 0
    while position < len(items):
        thing = _thing(items, position, memory)
        if thing is not None:
            node, position = thing
            nodes.append(node)
            continue
        item = items[position]
        if item.label in _ADJECTIVES:
            found, position = _adjectives(items, position)
            nodes.append(_Node("adjectives", adjectives=tuple(found)))
            continue
        nodes.append(_Node(item.label, item.value, item.plural))
        position += 1
    return nodes


class _Sentence:
    """Walks over one sentence, keeping track of who the subject is."""

    def __init__(self, memory: _Memory, nodes: list[_Node]):
        self.memory = memory
        self.nodes = [node for node in nodes if node.label not in ("article", "very")]
        self.row: list[str] = []  # subject of the clause: things named side by side
        self.waiting: list[tuple[str, tuple[str, ...]]] = []  # relations stated before their subject
        self.holder: tuple[str, ...] = ()  # the "box" of "a box with a cat in it"
        self.negated = False

    def read(self) -> None:
        position = 0
        while position < len(self.nodes):
            node = self.nodes[position]
            step = getattr(self, f"_{node.label}", None)
            position = (step(node, position) if step else None) or position + 1

    def _before(self, position: int) -> str:
        return self.nodes[position - 1].label if position else ""

    def _after(self, position: int) -> str:
        return self.nodes[position + 1].label if position + 1 < len(self.nodes) else ""

    def _setting(self, node: _Node, position: int) -> None:
        self.memory.facts.add(("setting", node.value))

    def _not(self, node: _Node, position: int) -> None:
        self.negated = True

    def _with(self, node: _Node, position: int) -> None:
        self.holder = tuple(self.row)

    def _name(self, node: _Node) -> None:
        """Record what a thing states by itself."""
        memory = self.memory
        memory.facts.add(("kind", node.value))
        if node.number > 1:
            memory.facts.add(("count", node.value, str(node.number)))
        self._describe(node.kinds, node.adjectives)

    def _describe(self, kinds: tuple[str, ...], adjectives: tuple[Item, ...]) -> None:
        for kind in kinds:
            for item in adjectives:
                self.memory.facts.add((item.label, kind, item.value))

    def _resolve(self, plural: bool, besides: tuple[str, ...] = ()) -> tuple[str, ...]:
        """What a pronoun means: the thing of its number named last; for "they", failing that, all named together."""
        named = {kind: many for kind, many in self.memory.last.items() if kind not in besides}
        agreeing = [kind for kind, many in named.items() if many == plural]
        if agreeing:
            return tuple(agreeing[-1:])
        return tuple(named) if plural else tuple(named)[-1:]

    def _remember(self, node: _Node, in_row: bool) -> None:
        if not in_row:
            self.memory.last = {}
        self.memory.last.pop(node.value, None)
        self.memory.last[node.value] = node.plural

    def _in_row(self, position: int) -> bool:
        """Whether only "and" and commas stand between this thing and the subject named before it."""
        if self._before(position) not in ("and", "comma"):
            return False
        back = position - 1
        while (
            back >= 0
            and self.nodes[back].label in ("and", "comma", "word", "number")
            and (self.nodes[back].label in ("and", "comma") or self.nodes[back].value in ("then",))
        ):
            back -= 1
        return back >= 0 and self.nodes[back].label in ("thing", "pronoun") and bool(self.row)

    def _thing(self, node: _Node, position: int) -> None:
        self._name(node)
        in_row = self._in_row(position) and not self._is_object(position)
        held = self.holder and self._before(position) == "with"
        if not in_row and self._before(position) in ("and", "comma"):
            self.waiting = []
        self._remember(node, in_row or bool(held))
        self._subject_or_row(node.kinds, position, in_row)

    def _is_object(self, position: int) -> bool:
        """Whether the thing in front in the row was the object of a relation ("next to a ball and a dog")."""
        back = position - 1
        while back >= 0 and self.nodes[back].label in ("and", "comma"):
            back -= 1
        return back >= 1 and self.nodes[back].label == "thing" and self.nodes[back].value not in self.row

    def _subject_or_row(self, kinds: tuple[str, ...], position: int, in_row: bool) -> None:
        if in_row:
            self.row = [*self.row, *kinds]
        else:
            self.row, self.negated = list(kinds), False
        for relation, objects in self.waiting:
            self._relate(kinds, relation, objects)

    def _pronoun(self, node: _Node, position: int) -> None:
        kinds = self._resolve(node.plural)
        if kinds and self._after(position) not in ("thing", "word", ""):
            self.row, self.negated = list(kinds), False

    def _owner(self, node: _Node, position: int) -> int | None:
        """ "Its colour is red" speaks of the thing; "its ears are long" does not."""
        ahead = position + 1
        if ahead < len(self.nodes) and self.nodes[ahead].value in ("colour", "color", "size", "clothes"):
            self.row = list(self._resolve(node.plural))
            return ahead + 1
        self.row = []
        return None

    def _number(self, node: _Node, position: int) -> int | None:
        """ "Three of them" is a count. "One of them", "two of the cats" and "one is" speak of a part: nothing of the whole."""
        following = [*self.nodes[position + 1 : position + 3], _Node(""), _Node("")][:2]
        of, whole = following[0].value == "of", following[1]
        if of and whole.label == "pronoun" and int(node.value) > 1 and not self._is_part(node.value):
            for kind in self._resolve(False):
                self.memory.facts.add(("count", kind, node.value))
            return position + 3
        if (of and whole.label in ("pronoun", "thing")) or following[0].label == "is":
            self.row, self.negated = [], True
            if whole.label == "thing" and of:
                self._name(whole)
                self._remember(whole, in_row=False)
            return position + (3 if of else 1)
        return None

    def _is_part(self, number: str) -> bool:
        """Whether there are otherwise many of "them", as was said before."""
        group = self._resolve(True)
        return any(fact[0] == "count" and fact[1] in group and fact[2] != number for fact in self.memory.facts)

    def _adjectives(self, node: _Node, position: int) -> None:
        before = self._before(position)
        if self.negated or not self.row:
            return
        if before in ("is", "wear") and self._after(position) != "kind":
            self._describe(self._subject_of_verb(position), node.adjectives)
        elif before == "comma" and position > 1 and self.nodes[position - 2].label == "thing":
            self._describe(self.nodes[position - 2].kinds, node.adjectives)

    def _subject_of_verb(self, position: int) -> tuple[str, ...]:
        """The subject of the verb in front: all things of the row, or its last one for a singular verb."""
        back = position - 1
        while back >= 0 and self.nodes[back].label in ("word", "there", "action", "and", "comma", "adjectives"):
            back -= 1
        verbs = [
            node for node in self.nodes[max(back, 0) : position] if node.label in ("is", "there", "action", "wear")
        ]
        singular = bool(verbs) and (not verbs[0].plural if verbs[0].label == "is" else verbs[0].value.endswith("s"))
        return tuple(self.row[-1:] if singular else self.row)

    def _relation(self, node: _Node, position: int) -> int | None:
        objects, after = self._object(position)
        if objects is None:
            return None
        before = self._before(position)
        if self._inverted(position, after):
            self.waiting.append((node.value, objects))
            self.row = []
            return after
        subject = self._subject_of_verb(position)
        if before == "thing":
            subject = self.nodes[position - 1].kinds
        if self.nodes[position + 1].label == "pronoun":
            objects = self.holder or self._resolve(self.nodes[position + 1].plural, besides=subject)
        if not self.negated:
            self._relate(subject, node.value, objects)
        return after

    def _object(self, position: int) -> tuple[tuple[str, ...] | None, int]:
        """What the relation at `position` points at, recording what is said of it, and the position behind it."""
        if position + 1 >= len(self.nodes):
            return None, position
        node = self.nodes[position + 1]
        if node.label == "thing":
            self._name(node)
            self._remember(node, in_row=True)
            return node.kinds, position + 2
        if node.label == "pronoun":
            return self._resolve(node.plural), position + 2
        return None, position

    def _inverted(self, position: int, after: int) -> bool:
        """Whether the relation stands in front of its subject: "next to the ball is a cat"."""
        if self._before(position) not in ("", "and", "comma", "word") or (
            self._before(position) == "word" and self.row
        ):
            return False
        ahead = [node.label for node in self.nodes[after : after + 4]]
        if self.row:
            return bool(ahead) and ahead[0] in ("is", "there") and "thing" in ahead
        return "thing" in [node.label for node in self.nodes[after:]]

    def _side(self, node: _Node, position: int) -> None:
        """ "The cat has a ball on its left"."""
        if self.holder and self._before(position) == "thing":
            self._relate(self.nodes[position - 1].kinds, node.value, self.holder)

    def _relate(self, subjects: tuple[str, ...] | list[str], relation: str, objects: tuple[str, ...]) -> None:
        if relation == "?":
            return
        for subject in subjects:
            for other in objects:
                if subject != other:
                    self.memory.facts.add(("relation", subject, relation, other))
