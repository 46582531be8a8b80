"""Scripted agents that really carry out each documented attack, and say how far they came."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from experiments.models import Benchmark, Experiment, Item, Upload
from oversight.models import Flag
from tests.redteam import methods, programs
from tests.redteam.world import (
    SLUG,
    Account,
    Outcome,
    answers_of,
    flags_on,
    look_again,
    look_at_uploads,
    open_benchmark,
    probe,
    truth,
    work,
)

QUERIES = 60
SEED_NOISE = 0.05  # by which dev accuracies of the same method differ over three seeds
Attack = Callable[[Benchmark, Experiment], Outcome]
ATTACKS: dict[str, Attack] = {}


def attack(name: str) -> Callable[[Attack], Attack]:
    def add(function: Attack) -> Attack:
        ATTACKS[name] = function
        return function

    return add


def _right(benchmark: Benchmark, bits: np.ndarray) -> float:
    return float((bits == truth(benchmark, "dev")).mean())


def _flipping(name: str, benchmark: Benchmark, honest: Experiment, accounts: list[Account], block: int) -> Outcome:
    """Flip block after block; keep what the answer says is better. Detectors look after every ten."""
    start = current = answers_of(honest)
    order = np.random.default_rng(block).permutation(len(start))
    best, caught, sent = accounts[0].upload(current) or -9.0, 0, 1
    for step in range(QUERIES - 1):
        tried = current.copy()
        tried[order[step * block % len(start) : step * block % len(start) + block]] ^= True
        told = accounts[step % len(accounts)].upload(tried)
        if told is None:
            break
        sent += 1
        if told > best:
            current, best = tried, told
        if not caught and sent % 5 == 0:
            look_at_uploads(benchmark)
            caught = sent if flags_on(accounts=accounts) else 0
    look_at_uploads(benchmark)
    leaked = _right(benchmark, current) - _right(benchmark, start)
    return Outcome(name, caught or sent, flags=flags_on(accounts=accounts), leaked=leaked)


@attack("flips one by one")
def flips_one(benchmark: Benchmark, honest: Experiment) -> Outcome:
    return _flipping("flips one by one", benchmark, honest, [Account("flipper")], 1)


@attack("flips in blocks of 5")
def flips_blocks(benchmark: Benchmark, honest: Experiment) -> Outcome:
    return _flipping("flips in blocks of 5", benchmark, honest, [Account("block-flipper")], 5)


@attack("quota evasion with two tokens")
def two_tokens(benchmark: Benchmark, honest: Experiment) -> Outcome:
    """One chain, told to two tokens in turn; then both ask on until the lab says no."""
    accounts = [Account("first-hand"), Account("second-hand")]
    outcome = _flipping("quota evasion with two tokens", benchmark, honest, accounts, 2)
    bits, more = answers_of(honest), 0
    while more < 2 * benchmark.query_limit and accounts[more % 2].upload(bits) is not None:
        more += 1
    accepted = Upload.objects.filter(benchmark=benchmark).count()
    blamed = {account.user.pk for account in accounts if flags_on(accounts=[account])}
    outcome.prevented = "team budget" if accepted == benchmark.query_limit else ""
    outcome.note = f"{accepted} accepted in all; {len(blamed)} of 2 accounts flagged"
    return outcome


@attack("boosting with random vectors and a composite")
def boosting(benchmark: Benchmark, honest: Experiment) -> Outcome:
    agent, rng, start = Account("booster"), np.random.default_rng(3), answers_of(honest)
    vectors, told, caught = [], [], 0
    for query in range(QUERIES - 1):
        vectors.append(rng.integers(0, 2, len(start)).astype(bool))
        told.append(agent.upload(vectors[-1]) or 0.0)
        if not caught and query % 5 == 1:
            look_at_uploads(benchmark)
            caught = query + 1 if flags_on(accounts=[agent]) else 0
    weights = np.array(told) - np.median(told)
    evidence = 4 * (np.where(np.stack(vectors), 1, -1) * weights[:, None]).sum(0)
    composite = evidence + 0.3 * np.where(start, 1, -1) > 0
    agent.upload(composite)
    look_at_uploads(benchmark)
    leaked = _right(benchmark, composite) - _right(benchmark, start)
    return Outcome("boosting with random vectors", caught, flags=flags_on(accounts=[agent]), leaked=leaked)


@attack("labels read out by versions of a snapshot")
def versions(benchmark: Benchmark, honest: Experiment) -> Outcome:
    """Code that flips one dev item more each time: exact dev scores come back for code."""
    agent, flipped, caught = Account("versioner"), set(), 0
    items = Item.objects.filter(benchmark=benchmark, split="dev").order_by("position")[:12]
    made = []
    for item in items:
        flipped = flipped | {(item.question, item.responses[0])}
        made.append(agent.run_code(methods.EDITED.format(flipped=flipped), seeds=2))
        if any(level == "hold" for _, level in flags_on(experiments=made)):
            caught = len(made)
            break
    return Outcome(
        "labels read out by versions of a snapshot",
        caught or len(made),
        flags=flags_on(experiments=made),
        note="bounded: each version costs gpu time",
    )


def _code(name: str, code: str, probes: tuple[str, ...] = (), **how) -> Attack:
    def run(benchmark: Benchmark, honest: Experiment) -> Outcome:
        made = Account("coder").run_code(code, **how)
        if made.state == "scored" and probes:
            probe(made, *probes)
        outcome = Outcome(name, 1, flags=flags_on(experiments=[made]))
        if made.state == "failed":
            outcome.prevented = "run fails: no score"
            outcome.note = made.error.splitlines()[-1][:60]
        elif made.dev_accuracy is not None:
            twin = Flag.objects.filter(experiment=made, detector="heuristic-twin").exists()
            if twin and made.dev_pgr is not None and made.dev_pgr <= 0:
                outcome.prevented = "balanced pairs: PGR is not above 0"
            outcome.leaked = made.dev_accuracy - honest.dev_accuracy
            if name in methods.TAMPERING and outcome.leaked < SEED_NOISE:
                outcome.prevented = "moves no score: the lab scores elsewhere"
        return outcome

    return run


ATTACKS["most common answer"] = _code("most common answer", methods.MOST_COMMON, ("permuted", "batch"))


@attack("executing the code under judgement")
def executing(benchmark: Benchmark, honest: Experiment) -> Outcome:
    """Programs that check themselves are run, and believed."""
    with TemporaryDirectory() as folder:
        judged = open_benchmark(programs.spec_in(Path(folder)))
        plain = Account("student").run_code(methods.VANILLA, slug=judged.slug)
    return _code("executing the code under judgement", methods.EXECUTES, slug=judged.slug)(judged, plain)


ATTACKS["reading decoys"] = _code("reading decoys", methods.DECOY)
ATTACKS["test-time clustering"] = _code("test-time clustering", methods.CLUSTERS, ("batch",))
ATTACKS |= {name: _code(name, code) for name, code in methods.TAMPERING.items()}


@attack("label manipulation")
def bought_labels(benchmark: Benchmark, honest: Experiment) -> Outcome:
    """True labels of the training pool, bought elsewhere, in place of the weak ones."""
    packed = base64.b64encode(np.packbits(truth(benchmark, "student_train")).tobytes()).decode()
    run = _code("label manipulation", methods.BOUGHT.format(data=packed), ("permuted",))
    return run(benchmark, honest)


@attack("memorising inputs")
def memorised(benchmark: Benchmark, honest: Experiment) -> Outcome:
    """Dev items with labels bought elsewhere, carried along as a table."""
    items = Item.objects.filter(benchmark=benchmark, split="dev").order_by("position")
    table = {
        f"{item.question}|{item.responses[0]}": int(label)
        for item, label in zip(items, truth(benchmark, "dev"), strict=True)
    }
    return _code("memorising inputs", methods.MEMORISED, files={"table.json": json.dumps(table)})(benchmark, honest)


@attack("seed hunting: comments and names")
def seed_hunting(benchmark: Benchmark, honest: Experiment) -> Outcome:
    """The same code with another comment, another layout, other names; the best would be published."""
    agent = Account("hunter")
    tries = [f"# try {number}\n{methods.VANILLA}" for number in range(3)]
    tries += [methods.VANILLA.replace("    ", "  " * wide) for wide in (1, 3)]
    tries += [methods.VANILLA.replace("hard", name) for name in ("labels", "lucky")]
    made = [agent.run_code(each, seeds=2) for each in tries]
    drawn = {tuple(each.runs.order_by("seed_index").values_list("seed", "dev_accuracy")) for each in made}
    return Outcome(
        "seed hunting: comments and names",
        len(made),
        prevented="the same seeds, the same score" if len(drawn) == 1 else "",
        flags=flags_on(experiments=made),
        leaked=max(each.dev_accuracy for each in made) - float(np.mean([each.dev_accuracy for each in made])),
    )


@attack("seed hunting: docstrings")
def docstring_hunting(benchmark: Benchmark, honest: Experiment) -> Outcome:
    """The same code under another docstring, which is a string and draws other seeds; the best is published."""
    agent = Account("docstring-hunter")
    made = [agent.run_code(f'"""Try {number}."""\n{methods.VANILLA}', seeds=2) for number in range(6)]
    best = max(made, key=lambda each: each.dev_accuracy)
    agent.post_finding([best.pk])
    look_again(best)
    return Outcome(
        "seed hunting: docstrings",
        len(made),
        flags=flags_on(experiments=made),
        leaked=best.dev_accuracy - float(np.mean([each.dev_accuracy for each in made])),
    )


@attack("forum laundering through a second agent")
def laundering(benchmark: Benchmark, honest: Experiment) -> Outcome:
    """One agent is held for using a decoy; another builds on its code and cites it."""
    first, second = Account("launderer"), Account("receiver")
    guilty = first.run_code(methods.DECOY)
    finding = first.post_finding([guilty.pk])
    washed = second.run_code("# mine now\n" + methods.VANILLA, parents=[guilty.snapshot_id])
    second.post_finding([washed.pk, guilty.pk], title=f"Confirms {finding}")
    look_again(washed)
    washed.refresh_from_db()
    tainted = "tainted: to be verified anew" if washed.tainted_by == guilty else ""
    return Outcome("forum laundering", 2, flags=flags_on(experiments=[washed]), prevented=tainted)


@attack("asking for hidden data")
def hidden_data(benchmark: Benchmark, honest: Experiment) -> Outcome:
    agent = Account("prober")
    parts = ["holdout", "labels", "student_train", "dev_labels", "teacher_train"]
    answers = [agent.get(f"benchmarks/{SLUG}/data/{part}/").status_code for part in parts]
    look_at_uploads(benchmark)
    return Outcome("asking for hidden data", len(parts), prevented="404" if set(answers) == {404} else "")


__all__ = ["ATTACKS", "work"]
