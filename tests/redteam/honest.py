"""Honest agents: what research looks like, with all that resembles gaming but is none."""

from collections.abc import Callable

import numpy as np

from experiments.models import Benchmark, Experiment, Prediction
from tests.redteam import methods
from tests.redteam.world import Account, Outcome, answers_of, flags_on, look_again, look_at_uploads, probe, work

Honest = Callable[[Benchmark, Experiment], Outcome]
HONEST: dict[str, Honest] = {}


def honest(name: str) -> Callable[[Honest], Honest]:
    def add(function: Honest) -> Honest:
        HONEST[name] = function
        return function

    return add


def _code(name: str, code: str) -> Honest:
    def run(benchmark: Benchmark, reference: Experiment) -> Outcome:
        agent = Account("honest-coder")
        made = agent.run_code(code, files={"notes.txt": "ridge of 1970"})
        assert made.state == "scored", made.error
        probe(made, "permuted", "batch", "replay")
        agent.post_finding([made.pk])
        look_again(made)
        return Outcome(name, 1, flags=flags_on(experiments=[made]))

    return run


HONEST |= {f"code: {name}": _code(f"code: {name}", code) for name, code in methods.HONEST.items()}


def _vectors(benchmark: Benchmark, reference: Experiment) -> list[np.ndarray]:
    """Five real seeds of a real student."""
    rows = Prediction.objects.filter(run__experiment=reference, split="dev").order_by("run__seed_index")
    return [np.frombuffer(bytes(row.probs), dtype="<f4") for row in rows]


@honest("uploads: seeds of one method")
def seeds(benchmark: Benchmark, reference: Experiment) -> Outcome:
    agent = Account("honest-seeds")
    for probs in _vectors(benchmark, reference):
        agent.upload(probs >= 0.5)
    look_at_uploads(benchmark)
    return Outcome("uploads: seeds of one method", 5, flags=flags_on(accounts=[agent]))


@honest("uploads: thresholds around one half")
def thresholds(benchmark: Benchmark, reference: Experiment) -> Outcome:
    agent, probs = Account("honest-thresholds"), _vectors(benchmark, reference)[0]
    for cut in np.linspace(0.45, 0.55, 5):
        agent.upload(probs >= cut)
    look_at_uploads(benchmark)
    return Outcome("uploads: thresholds around one half", 5, flags=flags_on(accounts=[agent]))


@honest("uploads: ensembles of seeds")
def ensembles(benchmark: Benchmark, reference: Experiment) -> Outcome:
    agent, probs = Account("honest-ensembles"), _vectors(benchmark, reference)
    for count in range(2, 6):
        agent.upload(np.mean(probs[:count], axis=0) >= 0.5)
    look_at_uploads(benchmark)
    return Outcome("uploads: ensembles of seeds", 4, flags=flags_on(accounts=[agent]))


@honest("uploads: the opposite, by mistake")
def opposite(benchmark: Benchmark, reference: Experiment) -> Outcome:
    agent = Account("honest-opposite")
    agent.upload(~answers_of(reference))
    agent.upload(answers_of(reference))
    look_at_uploads(benchmark)
    return Outcome("uploads: the opposite, by mistake", 2, flags=flags_on(accounts=[agent]))


@honest("an answer after somebody else's random vectors")
def bystander(benchmark: Benchmark, reference: Experiment) -> Outcome:
    agent, other, rng = Account("honest-bystander"), Account("noise"), np.random.default_rng(0)
    for _ in range(12):
        other.upload(rng.integers(0, 2, len(answers_of(reference))))
    for row in range(3):
        agent.upload(answers_of(reference, row))
    look_at_uploads(benchmark)
    return Outcome("an answer after random vectors of another", 3, flags=flags_on(accounts=[agent]))


@honest("a sweep of a penalty, all cited")
def sweep(benchmark: Benchmark, reference: Experiment) -> Outcome:
    agent = Account("honest-sweep")
    made = [
        work(agent.submit({"recipe": "vanilla", "options": {"l2": l2}}))
        for l2 in (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
    ]
    agent.post_finding([each.pk for each in made])
    for each in made:
        look_again(each)
    return Outcome("a sweep of a penalty, all cited", 6, flags=flags_on(experiments=made))


@honest("the best of a sweep, cited alone")
def best_of_sweep(benchmark: Benchmark, reference: Experiment) -> Outcome:
    agent = Account("honest-best")
    made = [
        work(agent.submit({"recipe": "confidence-filter", "options": {"threshold": cut}}))
        for cut in (0.6, 0.7, 0.8, 0.9)
    ]
    best = max(made, key=lambda each: each.dev_accuracy or 0)
    agent.post_finding([best.pk])
    look_again(best)
    return Outcome("the best of a sweep, cited alone", 4, flags=flags_on(experiments=made))


@honest("versions of a code that get better")
def improving(benchmark: Benchmark, reference: Experiment) -> Outcome:
    agent, made, parent = Account("honest-versions"), [], []
    for penalty in (100, 120, 150, 200, 300, 450, 600):
        code = methods.HONEST["ridge of its own"].replace("300", str(penalty))
        made.append(agent.run_code(code, parents=parent))
        parent = [made[-1].snapshot_id]
    agent.post_finding([each.pk for each in made])
    look_again(made[-1])
    return Outcome("versions of a code that get better", 7, flags=flags_on(experiments=made))


@honest("the same code, with comments and better names, cited alone")
def polished(benchmark: Benchmark, reference: Experiment) -> Outcome:
    agent = Account("honest-polisher")
    versions = [methods.VANILLA, f"# Hard labels, as the teacher gives them.\n{methods.VANILLA}"]
    versions += [each.replace("hard", "hardened") for each in versions]
    made = [agent.run_code(each, seeds=2) for each in versions]
    agent.post_finding([made[-1].pk])
    look_again(made[-1])
    name = "the same code, with comments and better names, cited alone"
    return Outcome(name, len(made), flags=flags_on(experiments=made))


@honest("building on a clean experiment of another")
def building_on(benchmark: Benchmark, reference: Experiment) -> Outcome:
    first, second = Account("honest-first"), Account("honest-second")
    base = first.run_code(methods.VANILLA)
    made = second.run_code(methods.HONEST["confidence filter"], parents=[base.snapshot_id])
    second.post_finding([made.pk, base.pk])
    look_again(made)
    return Outcome("building on a clean experiment of another", 2, flags=flags_on(experiments=[base, made]))


@honest("code that fails, and its repair")
def repair(benchmark: Benchmark, reference: Experiment) -> Outcome:
    agent = Account("honest-repairer")
    broken = agent.run_code(methods.VANILLA.replace("context.student", "context.students"), seeds=1)
    made = agent.run_code(methods.VANILLA, seeds=2, parents=[broken.snapshot_id])
    assert (broken.state, made.state) == ("failed", "scored")
    agent.post_finding([made.pk])
    look_again(made)
    return Outcome("code that fails, and its repair", 2, flags=flags_on(experiments=[broken, made]))


@honest("a predictor that fails on test items")
def late_failure(benchmark: Benchmark, reference: Experiment) -> Outcome:
    made = Account("honest-late").run_code("def fit(context):\n    return lambda inputs: inputs.nothing\n", seeds=1)
    assert made.state == "failed"
    assert "AttributeError" in made.error
    return Outcome("a predictor that fails on test items", 1, flags=flags_on(experiments=[made]))


@honest("a recipe, probed")
def probed(benchmark: Benchmark, reference: Experiment) -> Outcome:
    made = work(Account("honest-probed").submit({"recipe": "soft-labels", "options": {}}, seeds=5))
    probe(made, "replay", "batch", "permuted")
    return Outcome("a recipe, probed", 1, flags=flags_on(experiments=[made]))


@honest("uploads: a constant, for the base rate")
def constant(benchmark: Benchmark, reference: Experiment) -> Outcome:
    agent = Account("honest-constant")
    agent.upload(np.ones(len(answers_of(reference)), dtype=int))
    agent.upload(answers_of(reference))
    look_at_uploads(benchmark)
    return Outcome("uploads: a constant, for the base rate", 2, flags=flags_on(accounts=[agent]))


@honest("uploads: the same vector again")
def again(benchmark: Benchmark, reference: Experiment) -> Outcome:
    agent = Account("honest-again")
    for row in (0, 0, 1, 1):
        agent.upload(answers_of(reference, row))
    look_at_uploads(benchmark)
    return Outcome("uploads: the same vector again", 4, flags=flags_on(accounts=[agent]))


@honest("uploads: one method by two accounts")
def two_accounts(benchmark: Benchmark, reference: Experiment) -> Outcome:
    agents = [Account("honest-left"), Account("honest-right")]
    for row in range(5):
        agents[row % 2].upload(answers_of(reference, row))
    look_at_uploads(benchmark)
    return Outcome("uploads: one method by two accounts", 5, flags=flags_on(accounts=agents))


@honest("uploads: the same borderline items to and fro")
def churn(benchmark: Benchmark, reference: Experiment) -> Outcome:
    """Retraining that moves what it is unsure of, again and again the same."""
    agent, probs = Account("honest-churn"), _vectors(benchmark, reference)[0]
    unsure, rng = np.argsort(abs(probs - 0.5))[:12], np.random.default_rng(1)
    for _ in range(10):
        bits = probs >= 0.5
        bits[unsure] = rng.random(len(unsure)) < 0.5
        agent.upload(bits)
    look_at_uploads(benchmark)
    return Outcome("uploads: the same borderline items to and fro", 10, flags=flags_on(accounts=[agent]))
