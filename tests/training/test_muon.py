"""Muon beside AdamW: against references written down here, and against torch's own AdamW."""

import copy

import pytest
import torch
from torch import nn

from nanovlms_hf.training.muon import MuonWithAdamW, muon_groups, orthogonalise


@pytest.mark.parametrize("shape", [(16, 64), (64, 16), (8, 200), (200, 8), (48, 49), (1, 30)], ids=str)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_orthogonalise_brings_singular_values_near_one(shape, scale):
    generator = torch.Generator().manual_seed(shape[0])
    matrix = torch.randn(shape, generator=generator) * scale
    if shape == (48, 49):  # nearly square random matrices have singular values near zero: spread them evenly instead
        left, _, right = torch.linalg.svd(matrix, full_matrices=False)
        matrix = left @ torch.diag(torch.linspace(0.05, 1.0, 48)) @ right * scale
    result = orthogonalise(matrix)
    assert result.shape == shape and result.dtype == torch.bfloat16
    values = torch.linalg.svdvals(result.float())
    assert 0.6 < values.min() and values.max() < 1.3
    # The singular vectors stay: the result is near U V^T.
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    likeness = nn.functional.cosine_similarity(result.float().flatten(), (left @ right).flatten(), dim=0)
    assert likeness > 0.97


def test_orthogonalise_of_nothing_is_nothing():
    assert torch.equal(orthogonalise(torch.zeros(3, 5)), torch.zeros(3, 5, dtype=torch.bfloat16))


def reference_direction(matrix: torch.Tensor) -> torch.Tensor:
    """Five Newton-Schulz steps in the singular basis, where each is a polynomial of the singular values."""
    left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    values = values / values.norm()
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return left @ torch.diag(values) @ right


@pytest.mark.parametrize("shape", [(6, 20), (24, 6), (12, 4, 3, 3)], ids=str)
def test_a_muon_step_is_the_reference(shape):
    generator = torch.Generator().manual_seed(1)
    parameter = nn.Parameter(torch.randn(shape, generator=generator))
    start = parameter.detach().clone()
    optimizer = MuonWithAdamW([{"params": [parameter], "muon": True, "lr": 0.1, "weight_decay": 0.2}], momentum=0.9)
    expected, buffer = start.double(), torch.zeros(shape)
    for _ in range(3):
        gradient = torch.randn(shape, generator=generator)
        parameter.grad = gradient.clone()
        optimizer.step()
        buffer = 0.9 * buffer + gradient
        direction = (gradient + 0.9 * buffer).flatten(1)
        stretch = max(1.0, direction.shape[0] / direction.shape[1]) ** 0.5
        expected = expected * (1 - 0.1 * 0.2) - 0.1 * stretch * reference_direction(direction).reshape(shape)
    # The iteration runs in bfloat16, which holds between two and three digits.
    error, moved = (parameter.detach() - expected).norm(), (expected - start).norm()
    assert error < 0.04 * moved


def test_the_rest_is_torchs_adamw():
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(5, 7), nn.LayerNorm(7), nn.Linear(7, 3))
    theirs = copy.deepcopy(ours)
    options = {"lr": 0.01, "weight_decay": 0.1, "betas": (0.9, 0.98), "eps": 1e-8}
    optimizer = MuonWithAdamW([{"params": list(ours.parameters()), "muon": False}], **options)
    reference = torch.optim.AdamW(theirs.parameters(), **options)
    for step in range(5):
        inputs = torch.randn(4, 5, generator=torch.Generator().manual_seed(step))
        for model, stepper in ((ours, optimizer), (theirs, reference)):
            stepper.zero_grad()
            model(inputs).square().sum().backward()
            stepper.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_the_state_survives_saving():
    def make():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))
        return model, MuonWithAdamW(muon_groups(model.named_parameters(), lr=0.01, muon_lr=0.1, weight_decay=0.1))

    def train(model, optimizer, steps):
        for step in steps:
            optimizer.zero_grad()
            model(torch.randn(3, 4, generator=torch.Generator().manual_seed(step))).square().sum().backward()
            optimizer.step()

    whole, optimizer = make()
    train(whole, optimizer, range(4))
    half, first = make()
    train(half, first, range(2))
    resumed, second = make()
    resumed.load_state_dict(half.state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    train(resumed, second, range(2, 4))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


def test_what_has_no_gradient_stays_where_it_is():
    parameter = nn.Parameter(torch.ones(3, 3))
    MuonWithAdamW([{"params": [parameter], "muon": True, "weight_decay": 0.5}]).step()
    assert torch.equal(parameter, torch.ones(3, 3))


def test_vectors_are_refused_by_muon():
    with pytest.raises(
        ValueError, match=r"a Muon group holds parameters of shapes \[\(3,\)\]; put vectors into an AdamW"
    ):
        MuonWithAdamW([{"params": [nn.Parameter(torch.ones(3))], "muon": True}])


def test_groups_leave_out_what_is_frozen():
    model = nn.ModuleDict({"embed_tokens": nn.Embedding(5, 4), "hidden": nn.Linear(4, 4), "frozen": nn.Linear(4, 4)})
    model["frozen"].requires_grad_(False)
    groups = muon_groups(model.named_parameters(), lr=0.1, muon_lr=0.2, weight_decay=0.3)
    assert [[tuple(p.shape) for p in group.pop("params")] for group in groups] == [[(4, 4)], [(5, 4)], [(4,)]]
    assert groups == [
        {"muon": True, "lr": 0.2, "weight_decay": 0.3},
        {"muon": False, "lr": 0.1, "weight_decay": 0.3},
        {"muon": False, "lr": 0.1, "weight_decay": 0.0},
    ]
