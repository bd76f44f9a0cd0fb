"""Counting live bytes on fake tensors."""

import torch
from torch import nn

from nanovlms_hf.planning.tracing import COMPONENTS, LiveBytes, fake_mode


def _live(counter: LiveBytes) -> int:
    return sum(counter.live.values())


def test_bytes_count_until_the_storage_is_freed():
    with fake_mode(), LiveBytes() as counter:
        first = torch.empty(10, 10)
        view = first.t()
        assert _live(counter) == 400
        second = first + 1
        assert _live(counter) == 800
        del first
        assert _live(counter) == 800  # the view holds it
        del view
        assert _live(counter) == 400
        del second
    assert _live(counter) == 0
    assert max(map(sum, counter.timeline)) == 800


def test_whole_numbers_are_real_and_masks_take_what_they_would():
    with fake_mode(), LiveBytes():
        ids = torch.arange(6).reshape(2, 3)
        mask = ids > 2
        hidden = torch.empty(2, 3, 4)
        assert int(mask.sum()) == 3
        assert hidden[mask].shape == (3, 4)
        assert (hidden == 0).sum().item() == 0  # what is not known is False
        assert float(hidden.mean()) == 1.0


def test_gradients_and_logits_are_told_apart():
    with fake_mode():
        weight = nn.Parameter(torch.empty(7, 4))
        counter = LiveBytes(widths_of_logits=[7])
        with counter:
            counter.hold([weight], "weights")
            weight.register_post_accumulate_grad_hook(lambda done: counter.hold([done.grad], "gradients"))
            logits = torch.empty(5, 4) @ weight.t()
            assert counter.live["logits"] == 5 * 7 * 4 and counter.live["weights"] == 7 * 4 * 4
            logits.sum().backward()
            assert counter.live["gradients"] == 7 * 4 * 4
    assert list(counter.live) == list(COMPONENTS)


def test_a_resident_tensor_moves_between_components():
    with fake_mode(), LiveBytes() as counter:
        with counter.labelled("inputs"):
            held = torch.empty(3)
        counter.hold([held], "optimizer")
        assert (counter.live["inputs"], counter.live["optimizer"]) == (0, 12)
