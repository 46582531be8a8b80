"""Attacks that nobody has published: through logs, failures, neighbours, formats, and many hands."""

import json

import numpy as np

from experiments.models import Benchmark, Experiment, Item, LeakMeter
from tests.redteam import methods
from tests.redteam.attacks import attack
from tests.redteam.world import (
    SLUG,
    Account,
    Outcome,
    answers_of,
    flags_on,
    look_at_uploads,
    truth,
)

QUERIES = 60
HANDS = 30


@attack("carrying holdout items out")
def carrying(benchmark: Benchmark, honest: Experiment) -> Outcome:
    """Code prints the test items that it is shown, and raises with them; its submitter reads all it is given."""
    agent = Account("carrier")
    made = [agent.run_code(code, seeds=1) for code in (methods.PRINTS_ITEMS, methods.RAISES_ITEMS)]
    read = json.dumps([agent.get(f"experiments/{each.pk}/").json() for each in made])
    texts = {split: set(_questions(benchmark, split)) for split in ("dev", "holdout")}
    carried = sum(json.dumps(question)[1:-1] in read for question in texts["holdout"] - texts["dev"])
    assert "before" in read
    return Outcome(
        "carrying holdout items out",
        len(made),
        prevented="" if carried else "nothing said after fit comes out",
        note=f"{carried} of {len(texts['holdout'])} holdout questions read",
    )


def _questions(benchmark: Benchmark, split: str) -> list[str]:
    rows = Item.objects.filter(benchmark=benchmark, split=split)
    return [f"{question} {' '.join(responses)}" for question, responses in rows.values_list("question", "responses")]


@attack("looking around, then failing")
def failing(benchmark: Benchmark, honest: Experiment) -> Outcome:
    """Opens what looks like labels, shows it in the traceback, wants no score."""
    made = Account("failer").run_code(methods.OPENS_AND_FAILS, seeds=1)
    assert made.state == "failed"
    nothing = "run fails: no score" if made.state == "failed" else ""
    return Outcome("looking around, then failing", 1, flags=flags_on(experiments=[made]), prevented=nothing)


@attack("notes for the next run")
def notes(benchmark: Benchmark, honest: Experiment) -> Outcome:
    """A run writes wherever it can; one of another account looks for it, in files, shared memory and processes."""
    Account("writer").run_code(methods.LEAVES_NOTES, seeds=1)
    made = Account("reader").run_code(methods.FINDS_NOTES, seeds=1)
    log = made.runs.get().log
    found = "found: nothing" not in log
    return Outcome("notes for the next run", 2, prevented="" if found else "sandboxes share nothing", note=log[:60])


@attack("answers in another format")
def formats(benchmark: Benchmark, honest: Experiment) -> Outcome:
    """Confidence, gaps, nests and labels of one's own in place of 0 and 1: each would be a channel of its own."""
    agent, bits = Account("formatter"), answers_of(honest).astype(int).tolist()
    odd = [0.9, True, "1", None, [1], -1, 2, 10**400, 1e-320]
    bodies = [{"benchmark": SLUG, "predictions": [value, *bits[1:]]} for value in odd]
    bodies += [{"benchmark": SLUG, "predictions": each} for each in (bits[:-1], [*bits, 1], {"0": bits}, "".join("01"))]
    codes = {agent.post("evaluations/", body).status_code for body in bodies}
    spent = LeakMeter.objects.filter(benchmark=benchmark).values_list("queries", flat=True).first() or 0
    refused = codes == {400} and spent == 0
    return Outcome("answers in another format", len(bodies), prevented="400, no query spent" if refused else "")


@attack("boosting by many hands")
def hands(benchmark: Benchmark, honest: Experiment) -> Outcome:
    """Thirty accounts with one random vector each, under any count per account; another puts them together."""
    rng, start = np.random.default_rng(5), answers_of(honest)
    vectors = [rng.integers(0, 2, len(start)).astype(bool) for _ in range(HANDS)]
    told = np.array([Account(f"hand-{row}").upload(vector) or 0.0 for row, vector in enumerate(vectors)])
    right = np.array([(vector == truth(benchmark, "dev")).mean() for vector in vectors])  # as good as told exactly
    evidence = 4 * (np.where(np.stack(vectors), 1, -1) * (right - right.mean())[:, None]).sum(0)
    composite, head = evidence + 0.3 * np.where(start, 1, -1) > 0, Account("head")
    head.upload(composite)
    look_at_uploads(benchmark)
    assert len(set(told)) <= 3  # the Ladder said next to nothing
    leaked = float((composite == truth(benchmark, "dev")).mean() - (start == truth(benchmark, "dev")).mean())
    return Outcome("boosting by many hands", HANDS + 1, flags=flags_on(accounts=[head]), leaked=leaked)


@attack("flips in random halves of the borderline")
def halves(benchmark: Benchmark, honest: Experiment) -> Outcome:
    """The known blind spot: steps over 2% look like new methods. What is left are Ladder and ranking."""
    agent, rng, start = Account("halver"), np.random.default_rng(8), answers_of(honest)
    borderline = rng.permutation(len(start))[: len(start) // 10]
    current, best = start, agent.upload(start) or -9.0
    for _ in range(QUERIES - 1):
        tried = current.copy()
        tried[rng.permutation(borderline)[: len(borderline) // 2]] ^= True
        told = agent.upload(tried)
        if told is not None and told > best:
            current, best = tried, told
    look_at_uploads(benchmark)
    board = str(agent.get(f"leaderboard/?benchmark={SLUG}&class=weak_to_strong").json())
    answers = truth(benchmark, "dev")
    return Outcome(
        "flips in random halves of the borderline",
        QUERIES,
        prevented="" if "halver" in board else "uploads are not ranked",
        flags=flags_on(accounts=[agent]),
        leaked=float((current == answers).mean() - (start == answers).mean()),
    )
