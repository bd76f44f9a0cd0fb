"""Instructions and answers without a picture, each right by construction: what ShareGPT, Baize and Alpaca are to Vary-toy.

A merged model that only ever sees pictures forgets how to follow a plain instruction. These rows keep that alive where no text
can be downloaded: spelling, counting, sorting, small arithmetic, continuing lists, numbers in words, rewording facts. Words and
names that are asked about are training words or held-out words by the same hash as those of pages (`words.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral
from random import Random

from .word_lists import FIRST_NAMES, MONTHS
from .words import belongs, ranked_words
from .world import SPLIT_OFFSETS

Exercise = tuple[str, str]  # (what the user says, what the assistant says)

MOST_TURNS = 10
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
).split()
_TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
_THINGS = ("apples", "books", "coins", "stamps", "shells", "pencils", "cards", "eggs", "keys", "plums")
_PLACES = (
    "a village",
    "a small town",
    "the old harbour",
    "the hills",
    "a city by the sea",
    "the north",
    "a quiet street",
)
_JOBS = ("baker", "doctor", "driver", "farmer", "nurse", "painter", "pilot", "teacher", "gardener", "singer")
_PETS = ("a dog", "a cat", "a parrot", "two rabbits", "a pony", "three hens", "a tortoise")


@dataclass(frozen=True)
class Lexicon:
    """The words and names of one side of the split."""

    words: tuple[str, ...]
    names: tuple[str, ...]

    def some(self, rng: Random, count: int) -> list[str]:
        """`count` different words."""
        return rng.sample(self.words, count)


@lru_cache(maxsize=2)
def lexicon(held_out: bool) -> Lexicon:
    """The words of three letters or more, and the names, that are for training or held out."""
    words = tuple(word for word in ranked_words("en", held_out, 0.0)[0] if len(word) >= 3)
    return Lexicon(words, tuple(name for name in FIRST_NAMES if belongs(name, held_out)))


def number_words(number: int) -> str:
    """A whole number from 0 to 999,999 in English words, such as "three hundred and five"."""
    if not 0 <= number < 1_000_000:
        raise ValueError(f"number={number} has no words here; give a whole number from 0 to 999999.")
    thousands, rest = divmod(number, 1000)
    if thousands:
        head = f"{number_words(thousands)} thousand"
        return head + (f"{' and' if rest < 100 else ''} {number_words(rest)}" if rest else "")
    hundreds, rest = divmod(number, 100)
    if hundreds:
        return f"{_ONES[hundreds]} hundred" + (f" and {number_words(rest)}" if rest else "")
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")


def _spell(rng: Random, words: Lexicon) -> Exercise:
    (word,) = words.some(rng, 1)
    mark, how = rng.choice((("-", "with dashes"), (" ", "with spaces"), (", ", "with commas")))
    said = rng.choice((f'Spell "{word}" {how}.', f'How is "{word}" spelt? Write it {how} between the letters.'))
    return said, mark.join(word)


def _letters(rng: Random, words: Lexicon) -> Exercise:
    (word,) = words.some(rng, 1)
    if rng.random() < 0.5:
        asked = (
            f'How many letters does "{word}" have?',
            f'Count the letters of "{word}".',
            f'How long is the word "{word}"?',
        )
        return rng.choice(asked), str(len(word))
    letter = rng.choice(word + "aeiou")
    asked = (f'How often does the letter {letter} occur in "{word}"?', f'Count each {letter} in the word "{word}".')
    return rng.choice(asked), str(word.count(letter))


def _backwards(rng: Random, words: Lexicon) -> Exercise:
    (word,) = words.some(rng, 1)
    asked = (f'Write "{word}" backwards.', f'Turn the word "{word}" around.', f'Reverse the letters of "{word}".')
    return rng.choice(asked), word[::-1]


def _initials(rng: Random, words: Lexicon) -> Exercise:
    chosen = words.some(rng, rng.randint(3, 5))
    listed = ", ".join(chosen)
    asked = (
        f"What do the first letters of these words give, written together: {listed}?",
        f"Take the first letter of each word and join them: {listed}.",
    )
    return rng.choice(asked), "".join(word[0] for word in chosen)


def _longest(rng: Random, words: Lexicon) -> Exercise:
    chosen = words.some(rng, rng.randint(3, 5))
    lengths = [len(word) for word in chosen]
    pick, how = rng.choice(((max, "longest"), (min, "shortest")))
    if lengths.count(pick(lengths)) > 1:
        return _longest(rng, words)
    asked = (f"Which word is the {how}: {', '.join(chosen)}?", f"Find the {how} of these words: {', '.join(chosen)}.")
    return rng.choice(asked), chosen[lengths.index(pick(lengths))]


def _sort_words(rng: Random, words: Lexicon) -> Exercise:
    chosen = words.some(rng, rng.randint(3, 6))
    asked = (
        f"Sort these words alphabetically: {', '.join(chosen)}.",
        f"Put the words in the order of the alphabet: {', '.join(chosen)}.",
        f"Arrange from A to Z: {', '.join(chosen)}.",
    )
    return rng.choice(asked), ", ".join(sorted(chosen))


def _sort_numbers(rng: Random, words: Lexicon) -> Exercise:
    numbers = rng.sample(range(1, 10 ** rng.randint(2, 4)), rng.randint(3, 6))
    listed, down = ", ".join(map(str, numbers)), rng.random() < 0.4
    order = rng.choice(
        ("from the largest to the smallest", "in falling order") if down else ("by size", "in rising order")
    )
    asked = (f"Sort these numbers {order}: {listed}.", f"Write the numbers {order}: {listed}.")
    return rng.choice(asked), ", ".join(map(str, sorted(numbers, reverse=down)))


def _extreme(rng: Random, words: Lexicon) -> Exercise:
    numbers = rng.sample(range(1, 10 ** rng.randint(2, 5)), rng.randint(2, 5))
    pick, names = rng.choice(((max, ("largest", "greatest", "highest")), (min, ("smallest", "least", "lowest"))))
    listed, name = ", ".join(map(str, numbers)), rng.choice(names)
    asked = (f"Which number is the {name}: {listed}?", f"Give me the {name} of these numbers: {listed}.")
    return rng.choice(asked), str(pick(numbers))


def _arithmetic(rng: Random, words: Lexicon) -> Exercise:
    kind = rng.choice(("plus", "minus", "times", "by"))
    one, other = rng.randint(2, 12), rng.randint(2, 12)
    if kind in ("plus", "minus"):
        one, other = sorted((rng.randint(1, 99), rng.randint(1, 99)), reverse=True)
    if kind == "by":
        one *= other
    sign, result = {
        "plus": ("+", one + other),
        "minus": ("-", one - other),
        "times": ("x", one * other),
        "by": (":", one // other),
    }[kind]
    spoken = f"{one} {'divided by' if kind == 'by' else kind} {other}"
    asked = (f"What is {spoken}?", f"Work out {spoken}.", f"Calculate {one} {sign} {other}.", f"How much is {spoken}?")
    if rng.random() < 0.5:
        return rng.choice(asked), str(result)
    return rng.choice(asked) + " Answer in a sentence.", f"{spoken[0].upper() + spoken[1:]} is {result}."


def _story(rng: Random, words: Lexicon) -> Exercise:
    (name,), thing = rng.sample(words.names, 1), rng.choice(_THINGS)
    has, change = rng.randint(5, 40), rng.randint(1, 20)
    if rng.random() < 0.5:
        happened, left = rng.choice(("buys", "finds", "is given")) + f" {change} more", has + change
    else:
        change = rng.randint(1, has - 1)
        happened, left = rng.choice(("loses", "gives away", "sells")) + f" {change} of them", has - change
    asked = (
        f"{name} has {has} {thing} and {happened}. How many {thing} does {name} have now?",
        f"There are {has} {thing} in {name}'s box. {name} {happened}. How many {thing} are there now?",
    )
    return rng.choice(asked), rng.choice((str(left), f"{left} {thing}."))


def _series(rng: Random, words: Lexicon) -> Exercise:
    start, step, length = rng.randint(1, 60), rng.choice((1, 2, 3, 4, 5, 10, 25, 100)), rng.randint(3, 5)
    numbers = [start + step * place for place in range(length + 3)]
    if rng.random() < 0.3:
        numbers.reverse()
    shown = ", ".join(map(str, numbers[:length]))
    if rng.random() < 0.5:
        asked = (f"Which number comes next: {shown}?", f"Give the next number of {shown}.")
        return rng.choice(asked), str(numbers[length])
    asked = (f"Continue the list with three more numbers: {shown}.", f"What are the next three numbers after {shown}?")
    return rng.choice(asked), ", ".join(map(str, numbers[length:]))


def _calendar(rng: Random, words: Lexicon) -> Exercise:
    kind, cycle = rng.choice((("day", DAYS), ("month", MONTHS)))
    place = rng.randrange(len(cycle))
    form = rng.randrange(3)
    if form == 0:
        asked = (f"Which {kind} comes after {cycle[place]}?", f"What {kind} follows {cycle[place]}?")
        return rng.choice(asked), cycle[(place + 1) % len(cycle)]
    if form == 1:
        asked = (f"Which {kind} comes before {cycle[place]}?", f"Name the {kind} before {cycle[place]}.")
        return rng.choice(asked), cycle[place - 1]
    shown = [cycle[(place + step) % len(cycle)] for step in range(6)]
    return f"Continue the list: {', '.join(shown[:3])}, ...", ", ".join(shown[3:])


def _to_words(rng: Random, words: Lexicon) -> Exercise:
    number = rng.randrange(10 ** rng.choice((2, 3, 3, 4, 5)))
    if rng.random() < 0.6:
        asked = (f"Write {number} in words.", f"How do you say {number}?", f"Spell the number {number} out.")
        return rng.choice(asked), number_words(number)
    asked = (f"Write {number_words(number)} in digits.", f"Which number is {number_words(number)}? Use digits.")
    return rng.choice(asked), str(number)


def _repeat(rng: Random, words: Lexicon) -> Exercise:
    text = " ".join(words.some(rng, rng.randint(3, 8)))
    form = rng.randrange(4)
    if form == 0:
        asked = (f"Repeat after me: {text}", f"Say exactly this: {text}", f"Copy these words: {text}")
        return rng.choice(asked), text
    if form == 1:
        return rng.choice((f"Write in capital letters: {text}", f"Put this in capitals: {text}")), text.upper()
    if form == 2:
        asked = (
            f"Write these words in the opposite order: {text}",
            f"Begin with the last word and end with the first: {text}",
        )
        return rng.choice(asked), " ".join(reversed(text.split()))
    times, word = rng.randint(2, 5), text.split()[0]
    return f'Write "{word}" {number_words(times)} times, with spaces between.', " ".join([word] * times)


def _which_word(rng: Random, words: Lexicon) -> Exercise:
    chosen = words.some(rng, rng.randint(4, 7))
    listed, place = " ".join(chosen), rng.randrange(4)
    form = rng.randrange(4)
    if form == 0:
        ordinal = ("first", "second", "third", "fourth")[place]
        asked = (f"What is the {ordinal} word here? {listed}", f"Give me the {ordinal} of these words: {listed}")
        return rng.choice(asked), chosen[place]
    if form == 1:
        asked = (
            f'Which word comes after "{chosen[place]}" in this line? {listed}',
            f'"{chosen[place]}" stands before which word? {listed}',
        )
        return (rng.choice(asked), chosen[place + 1]) if place + 1 < len(chosen) else _which_word(rng, words)
    if form == 2:
        return rng.choice((f"How many words are these? {listed}", f"Count the words: {listed}")), str(len(chosen))
    missing = chosen[place]
    kept = [word for word in chosen if word != missing]
    asked = (f'Leave out the word "{missing}": {listed}', f'Write this again without "{missing}": {listed}')
    return rng.choice(asked), " ".join(kept)


def _rewrite_list(rng: Random, words: Lexicon) -> Exercise:
    chosen = words.some(rng, rng.randint(3, 5))
    commas, bullets = ", ".join(chosen), "\n".join(f"- {word}" for word in chosen)
    numbered = "\n".join(f"{number}. {word}" for number, word in enumerate(chosen, 1))
    form = rng.randrange(4)
    if form == 0:
        return rng.choice((f"Make a bulleted list of: {commas}.", f"Write these as bullet points: {commas}.")), bullets
    if form == 1:
        return rng.choice((f"Number these: {commas}.", f"Make a numbered list of {commas}.")), numbered
    if form == 2:
        return f"Write this list on one line, with commas:\n{bullets}", commas
    items = ", ".join(f'"{word}"' for word in chosen)
    return rng.choice(
        (f"Write as a JSON list: {commas}.", f"Give me {commas} as a JSON array of strings.")
    ), f"[{items}]"


def _facts_of(rng: Random, name: str) -> list[tuple[str, tuple[str, ...], str]]:
    """(a sentence, questions about it, the answer) for each fact of an invented person."""
    place, job, pet, age = rng.choice(_PLACES), rng.choice(_JOBS), rng.choice(_PETS), rng.randint(4, 90)
    return [
        (f"{name} lives in {place}.", (f"Where does {name} live?", f"Where is {name}'s home?"), f"In {place}."),
        (
            f"{name} is a {job}.",
            (f"What is {name}'s job?", f"What does {name} do for a living?"),
            f"{name} is a {job}.",
        ),
        (
            f"{name} has {pet}.",
            (f"Which animal does {name} have?", f"What pet does {name} keep?"),
            pet.capitalize() + ".",
        ),
        (f"{name} is {age} years old.", (f"How old is {name}?", f"What is {name}'s age?"), f"{age} years."),
    ]


def _facts(rng: Random, words: Lexicon) -> Exercise:
    facts = [rng.choice(_facts_of(rng, name)) for name in rng.sample(words.names, rng.randint(1, 3))]
    told = " ".join(sentence for sentence, _, _ in facts)
    _, questions, answer = rng.choice(facts)
    question = rng.choice(questions)
    return rng.choice((f"{told} {question}", f"Read this: {told}\n{question}", f"{question}\n{told}")), answer


def _reword(rng: Random, words: Lexicon) -> Exercise:
    name, other = rng.sample(words.names, 2)
    thing, count = rng.choice(_THINGS), number_words(rng.randint(2, 20))
    active, passive = f"{name} gives {other} {count} {thing}.", f"{other} is given {count} {thing} by {name}."
    past = f"{name} gave {other} {count} {thing}."
    form = rng.randrange(4)
    if form == 0:
        return rng.choice(
            (f"Say it the other way round: {active}", f"Put this into the passive voice: {active}")
        ), passive
    if form == 1:
        return rng.choice((f"Put this into the past: {active}", f"Tell it as if it were long ago: {active}")), past
    if form == 2:
        asked = (f"Make this a question: {active}", f"Turn it into a question: {active}")
        return rng.choice(asked), f"Does {name} give {other} {count} {thing}?"
    asked, answer = rng.choice(
        ((f"{active} Who has the {thing} now?", other), (f"{active} Who had the {thing} before?", name))
    )
    return asked, f"{answer}."


def _judge(rng: Random, words: Lexicon) -> Exercise:
    one, other = rng.sample(range(1, 1000), 2)
    (word,) = words.some(rng, 1)
    letter = rng.choice((rng.choice(word), rng.choice("abcdefghijklmnoprstuw")))
    asked, truth = rng.choice(
        (
            (f"Is {one} larger than {other}?", one > other),
            (f"Is {one} an even number?", one % 2 == 0),
            (f"Is {one} odd?", one % 2 == 1),
            (f'Is there the letter {letter} in "{word}"?', letter in word),
            (f'Does "{word}" begin with {letter}?', word[0] == letter),
        )
    )
    return asked + rng.choice(("", " Yes or no?")), "Yes." if truth else "No."


TASKS: dict[str, Callable[[Random, Lexicon], Exercise]] = {
    "spell": _spell,
    "letters": _letters,
    "backwards": _backwards,
    "initials": _initials,
    "longest": _longest,
    "sort_words": _sort_words,
    "sort_numbers": _sort_numbers,
    "extreme": _extreme,
    "arithmetic": _arithmetic,
    "story": _story,
    "series": _series,
    "calendar": _calendar,
    "number_words": _to_words,
    "repeat": _repeat,
    "which_word": _which_word,
    "rewrite_list": _rewrite_list,
    "facts": _facts,
    "reword": _reword,
    "judge": _judge,
}


@dataclass(frozen=True)
class ConversationConfig:
    """Which conversations to make.

    Args:
        tasks: names from `TASKS`, each as often as it is named.
        turns: fewest and most exercises in a conversation, 1 to 10.

    Raises:
        ValueError: a value is of the wrong kind or out of range.
    """

    tasks: tuple[str, ...] = tuple(TASKS)
    turns: tuple[int, int] = (1, 3)

    def __post_init__(self):
        tasks = self.tasks
        if not isinstance(tasks, list | tuple) or not tasks or any(name not in TASKS for name in tasks):
            raise ValueError(f"tasks={tasks!r} has to be a list of exercises; choose from {', '.join(TASKS)}.")
        turns = self.turns if isinstance(self.turns, list | tuple) else ()
        whole = [turn for turn in turns if isinstance(turn, Integral) and not isinstance(turn, bool)]
        if len(turns) != 2 or len(whole) != 2 or not 1 <= turns[0] <= turns[1] <= MOST_TURNS:
            raise ValueError(
                f"turns={self.turns!r} has to be the fewest and the most exercises; give two whole numbers from 1 to "
                f"{MOST_TURNS}, the smaller first."
            )
        object.__setattr__(self, "tasks", tuple(tasks))
        object.__setattr__(self, "turns", tuple(turns))


DEFAULT_CONVERSATIONS = ConversationConfig()


def conversation_row(
    seed: int, split: str, index: int, config: ConversationConfig = DEFAULT_CONVERSATIONS
) -> dict[str, list]:
    """A chat without a picture; a pure function of its arguments.

    Args:
        seed (`int`): seed of the conversations.
        split (`str`): `train`, `validation` or `test`; the last two ask about words that `train` never does.
        index (`int`): number of the row, from 0.
        config (`ConversationConfig`): which exercises, and how many.

    Returns:
        `dict[str, list]`: `images`, which is empty, and `messages`.

    Raises:
        ValueError: an unknown split or a negative index.
    """
    if split not in SPLIT_OFFSETS:
        raise ValueError(f"split={split!r} is unknown; choose one of {', '.join(SPLIT_OFFSETS)}.")
    if isinstance(index, bool) or not isinstance(index, Integral) or index < 0:
        raise ValueError(f"index={index!r} is no row; expected a whole number from 0.")
    rng = Random(f"{seed}:{split}:{index}:conversation")
    words = lexicon(split != "train")
    messages = []
    for _ in range(rng.randint(*config.turns)):
        said, answer = TASKS[rng.choice(config.tasks)](rng, words)
        messages.append({"role": "user", "content": [{"type": "text", "text": said}]})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    return {"images": [], "messages": messages}


__all__ = ["TASKS", "ConversationConfig", "Lexicon", "conversation_row", "lexicon", "number_words"]
