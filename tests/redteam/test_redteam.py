"""The red team: every attack through the real doors, and honest research beside it. `make redteam` prints the table.

REDTEAM_HONEST: how many honest experiments (40; `make redteam`: 500). REDTEAM_SEEDS: of what attackers and coders
submit (2; `make redteam`: 3). REDTEAM_CACHE: a folder that keeps the features.
"""

import os
from itertools import product

import numpy as np
import pytest
from django.core.cache import cache
from django.db import transaction

import sandbox
from experiments.models import Benchmark, Experiment
from oversight.models import Flag
from tests.redteam import inventive  # noqa: F401 - adds its attacks
from tests.redteam.attacks import ATTACKS, SEED_NOISE
from tests.redteam.honest import HONEST
from tests.redteam.methods import VANILLA
from tests.redteam.world import SLUG, Account, Outcome, cache_dir, open_lab, silence_the_broker, work

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db,
    pytest.mark.skipif(sandbox.available() is not None, reason=str(sandbox.available())),
]

HONEST_EXPERIMENTS = int(os.environ.get("REDTEAM_HONEST", "40"))
_outcomes: list[tuple[str, Outcome]] = []


@pytest.fixture(scope="module")
def lab(django_db_setup, django_db_blocker):
    """Geography made ready, and an honest experiment to start from; everything is rolled back in the end."""
    from django.conf import settings

    patch = pytest.MonkeyPatch()
    patch.setattr(settings, "FEATURE_CACHE_DIR", cache_dir())
    patch.setattr(settings, "LEASE_SECONDS", 3600)  # heartbeats see no row of an open transaction
    patch.setattr(settings, "PROBE_TOP", 0)  # the attacks ask for probes themselves
    silence_the_broker(patch)
    with django_db_blocker.unblock(), transaction.atomic():
        open_lab()
        reference = work(Account("reference").submit({"recipe": "vanilla", "options": {}}, seeds=5))
        yield Benchmark.objects.get(slug=SLUG), reference
        transaction.set_rollback(True)
    patch.undo()


@pytest.fixture
def fresh(lab):
    """The lab, in which nothing of this test remains."""
    cache.clear()
    with transaction.atomic():
        yield lab
        transaction.set_rollback(True)


@pytest.fixture(scope="module", autouse=True)
def table():
    """Prints what came out, whatever it was."""
    yield
    print("\n" + _table(_outcomes))


@pytest.mark.parametrize("name", list(ATTACKS))
def test_the_attack_is_prevented_or_detected(fresh, name):
    outcome = ATTACKS[name](*fresh)
    _outcomes.append(("attack", outcome))
    assert outcome.stopped, f"{name} went through: {outcome}"


@pytest.mark.parametrize("name", list(HONEST))
def test_an_honest_agent_is_left_alone(fresh, name):
    outcome = HONEST[name](*fresh)
    _outcomes.append(("honest", outcome))
    assert not outcome.held, outcome.flags


def test_there_are_as_many_honest_agents_as_attacks():
    assert len(HONEST) >= len(ATTACKS)


def _recipes():
    """Recipes and options that this benchmark admits, over and over with options that differ."""
    penalties = [float(round(10**power, 1)) for power in np.linspace(0.5, 4, 12)]
    yield from (("vanilla", {"l2": l2}) for l2 in penalties)
    yield from (("soft-labels", {"l2": l2}) for l2 in penalties)
    yield from (("confidence-filter", {"threshold": t, "l2": l2}) for t, l2 in product((0.6, 0.7, 0.8), penalties))
    yield from (("knn-filter", {"drop": k, "l2": l2}) for k, l2 in product((0.2, 0.3, 0.4), penalties))
    for name in ("entropy", "product", "reverse-kl", "logconf", "self-distillation", "probe-filter", "knn-relabel"):
        yield from ((name, {"l2": l2}) for l2 in penalties)


def test_honest_experiments_are_rarely_flagged_and_never_held(lab):
    """Real recipes with varied options by fifty agents, 3 seeds each; every finding cites all that its agent ran."""
    flagged, held, done, refused = set(), set(), [], 0
    with transaction.atomic():
        agents = [Account(f"honest-{number}") for number in range(max(1, HONEST_EXPERIMENTS // 10))]
        plan = [(agent, recipe) for recipe in _endless(_recipes) for agent in agents[:1]]
        for number, (_, (recipe, options)) in enumerate(plan):
            if len(done) >= HONEST_EXPERIMENTS or number > 3 * HONEST_EXPERIMENTS:
                break
            agent = agents[number % len(agents)]
            answer = agent.post(
                "experiments/",
                {"benchmark": SLUG, "title": recipe, "hypothesis": "", "seeds": 3,
                 "method": {"recipe": recipe, "options": options}},
            )  # fmt: skip
            if answer.status_code != 202:
                refused += 1
                continue
            made = work(Experiment.objects.get(pk=answer.json()["id"]))
            if made.state == "scored":
                done.append(made)
        rows = Flag.objects.exclude(level="info").filter(experiment__in=[each.pk for each in done])
        flagged = set(rows.values_list("experiment", "detector", "level", "title"))
        held = {row for row in flagged if row[2] == "hold"}
        transaction.set_rollback(True)
    share = len({row[0] for row in flagged}) / max(len(done), 1)
    names = sorted({row[1] for row in flagged})
    note = f"{len(done)} experiments, {refused} refused; {share:.2%} flagged ({', '.join(names) or 'none'}), "
    note += f"{len(held)} held"
    _outcomes.append(("honest", Outcome("honest recipes", len(done), note=note)))
    print(f"\n{note}\n" + "\n".join(map(str, sorted(flagged)[:20])))
    assert len(done) >= HONEST_EXPERIMENTS * 0.9
    assert not held
    assert share < 0.01 if len(done) >= 200 else share < 0.05


def _endless(recipes, rounds: int = 20):
    """The recipes, each round with options a little different."""
    for turn in range(rounds):
        for name, options in recipes():
            yield (
                name,
                {key: round(value * (1 + 0.13 * turn), 3) if key == "l2" else value for key, value in options.items()},
            )


def test_vanilla_as_code_scores_what_it_scores_as_a_recipe(fresh):
    """The yardstick of tampering: what code does to its own process moves no score."""
    _, reference = fresh
    made = Account("yardstick").run_code(VANILLA, seeds=3)
    assert abs(made.dev_accuracy - reference.dev_accuracy) < SEED_NOISE


def _table(outcomes: list[tuple[str, Outcome]]) -> str:
    lines = [f"{'':7} {'who':45} {'queries':>7} {'leaked':>8}  prevented or detected by"]
    for kind, each in outcomes:
        by = ", ".join(filter(None, [each.prevented, *(f"{name} ({level})" for name, level in each.flags)])) or "–"
        leaked = f"{each.leaked:+.4f}" if each.leaked is not None else ""
        lines.append(
            f"{kind:7} {each.attack:45} {each.queries:>7} {leaked:>8}  {by}" + (f"; {each.note}" * bool(each.note))
        )
    return "\n".join(lines)
