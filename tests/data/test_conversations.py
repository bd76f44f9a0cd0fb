"""Text without a picture: every answer is worked out once more from the question."""

import json
import re
from random import Random

import pytest

from nanovlms_hf.data.conversations import TASKS, ConversationConfig, conversation_row, lexicon, number_words
from nanovlms_hf.data.words import is_held_out


def exercises(task, count=200):
    return [TASKS[task](Random(f"{task}:{seed}"), lexicon(seed % 3 == 0)) for seed in range(count)]


def said(row):
    return [turn["content"][0]["text"] for turn in row["messages"]]


def listed(question):
    """The items of the last list with commas in a question."""
    return [item.strip() for item in re.search(r"([\w]+(?:, \w+)+)", question).group(1).split(",")]


def quoted(question):
    return re.search('"(.*?)"', question).group(1)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (99, "ninety-nine"),
        (100, "one hundred"),
        (305, "three hundred and five"),
        (1000, "one thousand"),
        (2007, "two thousand and seven"),
        (7156, "seven thousand one hundred and fifty-six"),
        (999_999, "nine hundred and ninety-nine thousand nine hundred and ninety-nine"),
    ],
)
def test_numbers_in_words(number, words):
    assert number_words(number) == words


@pytest.mark.parametrize("number", [-1, 1_000_000])
def test_numbers_without_words(number):
    with pytest.raises(ValueError, match="from 0 to 999999"):
        number_words(number)


def test_spelling():
    for question, answer in exercises("spell"):
        assert re.sub("[-, ]", "", answer) == quoted(question)
    for question, answer in exercises("backwards"):
        assert answer[::-1] == quoted(question)
    for question, answer in exercises("initials"):
        assert answer == "".join(word[0] for word in listed(question.split(": ")[1]))
    for question, answer in exercises("letters"):
        letter = re.search(r"(?:letter|each) (\w)\b", question)
        word = quoted(question)
        assert int(answer) == (word.count(letter.group(1)) if letter else len(word))


def test_sorting_and_picking():
    for question, answer in exercises("sort_words"):
        assert answer.split(", ") == sorted(listed(question))
    for question, answer in exercises("sort_numbers"):
        down = "falling" in question or "from the largest" in question
        assert list(map(int, answer.split(", "))) == sorted(map(int, listed(question)), reverse=down)
    for question, answer in exercises("extreme"):
        numbers = list(map(int, listed(question)))
        assert int(answer) == (max if re.search("largest|greatest|highest", question) else min)(numbers)
    for question, answer in exercises("longest"):
        key = len if "longest" in question else lambda word: -len(word)
        words = sorted(listed(question), key=key)
        assert words[-1] == answer and key(words[-2]) < key(answer)


def test_arithmetic():
    signs = {"plus": "+", "minus": "-", "times": "*", "divided by": "//", "x": "*", ":": "//", "+": "+", "-": "-"}
    seen = set()
    for question, answer in exercises("arithmetic"):
        one, sign, other = re.search(r"(\d+) (plus|minus|times|divided by|[-+x:]) (\d+)", question).groups()
        result = eval(f"{one}{signs[sign]}{other}")
        assert answer in (
            str(result),
            f"{one} {sign if len(sign) > 1 else ''} {other} is {result}.",
        ) or answer.endswith(f" is {result}.")
        seen.add(sign)
    assert seen == set(signs)


def test_stories():
    for question, answer in exercises("story"):
        has, change = map(int, re.findall(r"\d+", question))
        left = has + change if "more" in question else has - change
        assert int(re.match(r"\d+", answer).group()) == left > 0


def test_series_and_the_calendar():
    for question, answer in exercises("series"):
        shown = list(map(int, listed(question)))
        step = shown[1] - shown[0]
        following = list(map(int, answer.split(", ")))
        assert following == [shown[-1] + step * place for place in range(1, len(following) + 1)]
    after = dict(zip("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(), range(7), strict=True))
    for question, answer in exercises("calendar"):
        shown = [word for word in re.findall(r"\w+day", question) if word in after]
        if not shown:
            continue
        step = -1 if "before" in question else 1
        for place, day in enumerate(answer.split(", "), start=1):
            assert after[day] == (after[shown[-1]] + place * step) % 7


def test_numbers_between_words_and_digits():
    for question, answer in exercises("number_words"):
        if answer.isdigit():
            assert number_words(int(answer)) in question
        else:
            assert answer == number_words(int(re.search(r"\d+", question).group()))


def test_repeating_and_choosing():
    for question, answer in exercises("repeat"):
        if "times" in question:
            assert set(answer.split()) == {quoted(question)}
            assert f" {number_words(len(answer.split()))} times" in question
        else:
            text = question.split(": ")[1]
            forms = {"capital": text.upper(), "opposite": text, "Begin": text}
            form = next((value for key, value in forms.items() if key in question), text)
            reverse = "opposite" in question or "Begin with" in question
            assert answer == (" ".join(text.split()[::-1]) if reverse else form)
    for question, answer in exercises("which_word"):
        line = re.search(r"[?:] (.*)$", question).group(1).split()
        if "comes after" in question or "stands before" in question:
            assert line[line.index(quoted(question)) + 1] == answer
        elif answer.isdigit():
            assert int(answer) == len(line)
        elif '"' in question:
            assert answer.split() == [word for word in line if word != quoted(question)]
        else:
            ordinals = ["first", "second", "third", "fourth"]
            place = next(place for place, name in enumerate(ordinals) if f"the {name} " in question)
            assert answer == line[place]


def test_lists_are_rewritten():
    for question, answer in exercises("rewrite_list"):
        items = re.findall(r"^- (.*)$", question, re.MULTILINE) or listed(question)
        if answer.startswith("["):
            assert json.loads(answer) == items
        else:
            assert re.split(r", |\n", re.sub(r"^(- |\d+\. )", "", answer, flags=re.MULTILINE)) == items


def test_facts_and_judgements():
    for question, answer in exercises("facts"):
        kernel = re.sub(r"^In |\.$| years\.$", "", answer)
        assert kernel.lower() in question.lower() or re.search(rf"is {kernel} years", question)
    for question, answer in exercises("judge"):
        numbers = list(map(int, re.findall(r"\d+", question)))
        if "larger" in question:
            truth = numbers[0] > numbers[1]
        elif numbers:
            truth = numbers[0] % 2 == ("odd" in question)
        else:
            letter = re.search(r"(?:letter|with) (\w)\b", question).group(1)
            truth = quoted(question).startswith(letter) if "begin" in question else letter in quoted(question)
        assert answer == ("Yes." if truth else "No.")


def test_rewording():
    for question, answer in exercises("reword"):
        name, other, count, thing = re.search(r"(\w+) gives (\w+) ([\w-]+) (\w+)\.", question).groups()
        assert answer in (
            f"{other} is given {count} {thing} by {name}.",
            f"{name} gave {other} {count} {thing}.",
            f"Does {name} give {other} {count} {thing}?",
            f"{other}.",
            f"{name}.",
        )
        if answer == f"{other}.":
            assert question.endswith("now?")


def test_a_row_is_a_function_of_seed_split_and_index():
    row = conversation_row(1, "train", 9)
    assert row == conversation_row(1, "train", 9) and row["images"] == []
    others = [conversation_row(2, "train", 9), conversation_row(1, "train", 10), conversation_row(1, "test", 9)]
    assert all(row != other for other in others)


def test_rows_vary_and_have_the_turns_that_were_asked_for():
    rows = [conversation_row(0, "train", index, ConversationConfig(turns=(2, 4))) for index in range(300)]
    assert {len(row["messages"]) for row in rows} == {4, 6, 8}
    assert all([turn["role"] for turn in row["messages"][:2]] == ["user", "assistant"] for row in rows)
    assert all(text.strip() == text and text for row in rows for text in said(row))
    assert len({said(row)[0] for row in rows}) > 290


def test_words_asked_about_are_of_one_side():
    for held_out in (False, True):
        words = lexicon(held_out)
        assert {is_held_out(word) for word in (*words.words, *words.names)} == {held_out}
        assert len(words.words) > 200 and len(words.names) >= 5


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tasks": ()}, "tasks=.. has to be a list of exercises"),
        ({"tasks": ("spel",)}, "choose from spell, "),
        ({"turns": (0, 2)}, "two whole numbers from 1 to 10"),
        ({"turns": (3, 2)}, "the smaller first"),
        ({"turns": (1, 2.5)}, "two whole numbers"),
        ({"turns": 2}, "two whole numbers"),
    ],
)
def test_options_that_cannot_be(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        ConversationConfig(**options)


@pytest.mark.parametrize(("split", "index", "sentence"), [("dev", 0, "split='dev'"), ("train", -1, "is no row")])
def test_rows_that_cannot_be(split, index, sentence):
    with pytest.raises(ValueError, match=sentence):
        conversation_row(0, split, index)
