"""The benchmark of networks: both sides take turns, and each side's step is a step."""

import torch

from benchmarks import networks


def test_both_sides_take_turns_and_the_first_turn_is_not_counted():
    calls = []
    found = networks.seconds(lambda: calls.append("one"), lambda: calls.append("other"), 2)
    assert calls == ["one", "other"] * 3
    assert all(0 <= seconds < 1 for seconds in found)


def test_a_training_step_changes_the_weights_and_an_inference_step_does_not():
    torch.set_num_threads(1)
    for make, is_channels_last in ((networks.packaged, False), (networks.ours, True)):
        network = make("efficientnet-b0", 32)
        first = next(network.parameters())
        before = first.detach().clone()
        steps = networks.steps(network, 32, is_channels_last)
        steps["inference"]()
        assert torch.equal(first, before)
        steps["training"]()
        assert not torch.equal(first, before)
