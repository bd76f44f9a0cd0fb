"""What the grammar rules find, what they leave alone, and what they are known not to see."""

import pytest

from nanovlms_hf.data.descriptions import long_description, short_description
from nanovlms_hf.data.world import world_scene
from nanovlms_hf.evaluation.grammar import sentence_faults, text_faults


@pytest.mark.parametrize(
    "sentence",
    [
        "Two cat sit here.",
        "There is three dogs.",
        "There are a dog.",
        "A cats sits here.",
        "An red ball.",
        "It is a orange hat.",
        "The the cat runs.",
        "They is happy.",
        "It are red.",
        "A smal dog runs.",
        "the dog runs.",
    ],
)
def test_faults_are_found(sentence):
    assert len(sentence_faults(sentence)) >= 1


@pytest.mark.parametrize(
    "sentence",
    [
        "Two small red cats sit here.",
        "Five purple ice creams are in the kitchen.",
        "There is a cat and there are two dogs.",
        "Here are a dog and a cat.",
        "Three fish and two sheep swim.",
        "An hour is a long time.",
        "One, two, three, four, five.",
        "Anansi lives in a colourful house.",  # a name, and British spelling
        "It's the cat's ball.",
        "I see a bus, a cactus and a dress.",
        "Both dogs run.",
    ],
)
def test_good_sentences_are_left_alone(sentence):
    assert sentence_faults(sentence) == []


def test_known_blind_spots():
    assert sentence_faults("Cat the on mat is sits.") == []
    assert sentence_faults("The cat sits the mat.") == []


def test_no_false_alarm_on_the_worlds_own_texts():
    for index in range(25):
        scene = world_scene(3, "test", index)
        assert not any(text_faults(short_description(scene)) + text_faults(long_description(scene)))


def test_a_completion_is_read_with_its_beginning():
    assert text_faults("cats sit here.", "I see two") == [[]]
    assert text_faults("cat sit here.", "One dog runs. I see two") == [["two ... 'cat', expected a plural"]]
    assert text_faults("sits on the", "The cat") == [["ends in the middle of a sentence"]]
    assert text_faults("", "The cat") == [] and text_faults("?!", "The cat") == []
