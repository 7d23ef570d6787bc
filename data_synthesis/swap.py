"""Does a chain matter? Give each user another one's: a recommender that reads chains must get worse."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from genrec.data.chains import Chain


def swap_chains(chains: Sequence[Chain], seed: int) -> list[Chain]:
    """Pairs every chain's user, history and target with the stages of another user's chain.

    Args:
        chains: Chains of at least two users, none of whom has more than half of the chains.
        seed: Seed of the pairing.

    Returns:
        One chain per input chain, in order: own `user_id`, `history` and `target`, foreign `behaviour`,
        `preferences`, `intent`, `recommendation` and `denoised`; every input's stages are used once.
        `extra["swapped_from"]` holds the donor's user id. A donor with the same target is avoided
        where one exchange of donors can avoid it.

    Raises:
        ValueError: One user has more than half of the chains, so that no pairing exists.
    """
    counts = Counter(chain.user_id for chain in chains)
    if not counts or max(counts.values()) * 2 > len(chains):
        user, most = counts.most_common(1)[0] if counts else ("nobody", 0)
        raise ValueError(
            f"cannot swap: user {user!r} has {most} of {len(chains)} chains, more than half; give chains of more users"
        )
    donors = _pairing(chains, counts, Random(f"swap|{seed}"))
    return [_with_stages(chain, chains[donor]) for chain, donor in zip(chains, donors, strict=True)]


def _pairing(chains: Sequence[Chain], counts: Counter[str], rng: Random) -> list[int]:
    """A donor for every chain: sorted by user (in a seeded order), rotated by the largest user's count."""
    users = sorted(counts)
    rng.shuffle(users)
    rank = {user: place for place, user in enumerate(users)}
    order = sorted(range(len(chains)), key=lambda at: (rank[chains[at].user_id], rng.random()))
    shift = max(counts.values())
    donors = [0] * len(chains)
    for place, at in enumerate(order):
        donors[at] = order[(place + shift) % len(order)]
    _avoid_equal_targets(chains, donors, rng)
    return donors


def _avoid_equal_targets(chains: Sequence[Chain], donors: list[int], rng: Random) -> None:
    """Exchanges donors of the same target with those of other chains, where both stay foreign."""

    def fits(at: int, donor: int) -> bool:
        mine, theirs = chains[at], chains[donor]
        return mine.user_id != theirs.user_id and mine.target != theirs.target

    for at in range(len(chains)):
        if fits(at, donors[at]):
            continue
        others = rng.sample(range(len(chains)), min(50, len(chains)))
        partner = next((o for o in others if fits(at, donors[o]) and fits(o, donors[at])), None)
        if partner is not None:
            donors[at], donors[partner] = donors[partner], donors[at]


def _with_stages(chain: Chain, donor: Chain) -> Chain:
    """The chain with the donor's stages."""
    return replace(
        chain,
        behaviour=donor.behaviour,
        preferences=donor.preferences,
        intent=donor.intent,
        recommendation=donor.recommendation,
        denoised=list(donor.denoised),
        extra={**chain.extra, "swapped_from": donor.user_id},
    )
