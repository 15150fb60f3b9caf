"""The two ways in which CameraTraps placed locations: random tries, and labels with the fewest crops first."""

import numpy as np

from camtraps.balancing import FREE, Choice, Problem

TRIES = 10_000
BLOCK = 500  # tries that are scored in one go
JITTER = 0.03  # of the share of locations in a split, either way


def random(problem: Problem, seed: int) -> Choice:
    """Try random splits and keep the one with the least weighted squared deviation.

    Each try has its own share of units in every split but the last, within `JITTER` of the target. Unlike
    CameraTraps' own, every split gets a unit where there are enough.

    Args:
        problem: the units and what is wanted; those that are fixed stay.
        seed: of the tries.
    """
    generator = np.random.default_rng(seed)
    free = np.flatnonzero(problem.fixed == FREE)
    counts = np.stack([problem.crops, problem.places], axis=1)  # whole numbers, whose sums are exact on every machine
    splits = range(len(problem.targets))
    given = np.stack([counts[problem.fixed == split].sum(axis=0) for split in splits])
    best, least = problem.fixed, np.inf
    for _ in range(TRIES // BLOCK):
        tries = _draw(problem, free, generator)
        members = np.stack([tries == split for split in splits], axis=1).astype(np.float64)  # (tries, splits, free)
        sums = given + np.tensordot(members, counts[free], 1)
        scores = problem.deviations(sums / counts.sum(axis=0)).round(12)
        at = int(np.argmin(scores))
        if scores[at] < least:
            best, least = problem.fixed.copy(), scores[at]
            best[free] = tries[at]
    return best


def _draw(problem: Problem, free: Choice, generator: np.random.Generator) -> Choice:
    """Draw splits for the free units, (tries, free)."""
    num, there = len(problem.fixed), [int((problem.fixed == split).sum()) for split in range(len(problem.targets))]
    least = np.array([not each for each in there], int)
    drawn = problem.targets[:-1] + generator.uniform(-JITTER, JITTER, (BLOCK, len(there) - 1))
    wanted = np.maximum((num * drawn).astype(np.int64) - there[:-1], least[:-1])
    room = len(free) - (least.sum() - least.cumsum())[:-1]  # what the splits behind leave
    ends = np.minimum(wanted.cumsum(axis=1), room)
    turns = generator.random((BLOCK, len(free))).argsort(axis=1, kind="stable")
    return np.asarray((turns[:, :, None] >= ends[:, None, :]).sum(axis=2))


def smallest_first(problem: Problem, order: Choice) -> Choice:
    """Place the locations of one label after the other, labels and locations with the fewest crops first.

    A location goes to the last split that has too little of the label yet, else to the first. So test and val are
    filled with small locations, whatever other labels they have. CameraTraps could take the datasets that a label's
    ``prioritize`` names first; ours does not, so that the split depends on no label specification.

    Args:
        problem: the units and what is wanted; those that are fixed stay.
        order: which unit comes first of those with equally many crops.
    """
    chosen, turn = problem.fixed.copy(), np.argsort(order)
    sizes = problem.crops.sum(axis=0)
    splits = range(len(problem.targets))
    sums = np.stack([problem.crops[chosen == split].sum(axis=0) for split in splits])
    for label in np.argsort(sizes, kind="stable"):
        here = problem.crops[:, label]
        for at in np.lexsort((turn, here)):
            if here[at] and chosen[at] == FREE:
                lacking = [split for split in splits[1:] if sums[split, label] < problem.targets[split] * sizes[label]]
                chosen[at] = max(lacking, default=0)
                sums[chosen[at]] += problem.crops[at]
    return chosen
