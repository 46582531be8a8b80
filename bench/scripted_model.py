"""A scripted stand-in for a language model: nine researchers who write code, run it, share it. No intelligence in it.

Every answer follows from the transcript in the request, as a model's would: what it has called, and what came of it.
It plays through tests.agents.messages_api, so the lab's Claude researcher, its SDK and the network are the real ones.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.agents.messages_api import Fail, Say, Tool

# keep: share of the labels that are trusted. target: what of a label is learned.
IDEAS = (
    ("trust every label as it is", 1.0, "weak"),
    ("round every label", 1.0, "np.round(weak)"),
    ("keep the surer half", 0.5, "np.round(weak)"),
    ("keep the surest third", 0.33, "np.round(weak)"),
    ("keep the surer half, unrounded", 0.5, "weak"),
    ("drop the least sure fifth", 0.8, "np.round(weak)"),
    ("sharpen labels", 1.0, "weak**2 / (weak**2 + (1 - weak) ** 2)"),
    ("blunt labels", 1.0, "0.25 + weak / 2"),
    ("keep two thirds and sharpen", 0.66, "weak**2 / (weak**2 + (1 - weak) ** 2)"),
)
WITH_A_MISTAKE = 4  # whose first code is wrong
METHOD = '''"""{idea}."""

import numpy as np

KEEP = {keep}


def fit(context):
    """Train on the labels that the teacher is surest of."""
    weak = context.weak_probs
    doubt = -np.abs(weak - 0.5)
    kept = doubt <= np.quantile(doubt, KEEP)
    return context.student.fit({target}, context.weights * kept)
'''
BROKEN = '''"""{idea}, with a mistake in it."""

import numpy as np

KEEP = {keep}


def fit(context):
    """Forgets that a predictor gives probabilities."""
    return lambda inputs: np.full(len(inputs.items), np.nan)
'''
TRY = """from types import SimpleNamespace

import numpy as np

import method

numbers = np.random.default_rng(0)
told = []
student = SimpleNamespace(fit=lambda targets, weights, l2="cv": told.append((targets, weights)) or len)
method.fit(SimpleNamespace(weak_probs=numbers.random((1, 500)), weights=np.ones((1, 500)), student=student))
for targets, weights in told:
    print("targets", targets.shape, round(float(targets.min()), 3), round(float(targets.max()), 3))
    print("kept", int(weights.sum()), "of", weights.size)
print("tried")
"""


@dataclass(frozen=True)
class Did:
    """One call of the transcript, and what came of it."""

    tool: str
    arguments: dict[str, Any]
    result: str
    is_error: bool


@dataclass
class ScriptedModel:
    """Answers requests of the Messages API; safe between threads. seeds: of each experiment. faults: on or off.

    faults: every agent's calls 2, 5 and 8 fail once, each in another way. played: how often each was.
    """

    benchmark: str
    seeds: int
    faults: bool = True
    pause_seconds: float = 0.0
    played: Counter[str] = field(default_factory=Counter)
    _asked: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: dict[str, Any]) -> Say | Fail:
        if request.get("tool_choice", {}).get("name") == "verdict":  # the monitor asks, no agent
            said = {"suspicion": 0.1, "summary": "A plain method.", "speaks_to_reader": False, "evidence": []}
            return Say("", (Tool("verdict", said),))
        name = re.search(r"You are (\S+)\. Your starting point", json.dumps(request["messages"][0]))
        assert name is not None
        index = int(name[1].rpartition("-")[2]) - 1
        with self._lock:
            self._asked[name[1]] += 1
            call = self._asked[name[1]]
        fault = self._fault(index, call) if self.faults else None
        if fault is not None:
            with self._lock:
                self.played[fault[0]] += 1
            return fault[1]
        return self._answer(index, name[1], list(_did(request["messages"])))

    @staticmethod
    def _fault(index: int, call: int) -> tuple[str, Say | Fail] | None:
        kinds: tuple[tuple[str, Say | Fail], ...] = (
            ("429", Fail(429, "rate_limit_error", retry_after="1")),
            ("529", Fail(529, "overloaded_error", retry_after="1")),
            ("cut", Say("I was about to say something that", (Tool("leaderboard", {}),), cut_after=5)),
            ("in stream", Fail(200, "overloaded_error", in_stream=True)),
            ("500", Fail(500, "api_error", retry_after="1")),
            ("invalid JSON", Say("I call a tool badly.", (Tool("leaderboard", raw='{"benchmark": "'),))),
        )
        return kinds[(index + call) % len(kinds)] if call in (2, 5, 8) else None

    def _answer(self, index: int, name: str, did: list[Did]) -> Say:
        """The first move that the transcript leaves open."""
        story = Story(index % len(IDEAS), name, did, self.benchmark, self.seeds)
        text, tools = next(said for move in _MOVES if (said := move(story)) is not None)
        return Say(text, tools, thinking="What is known, and what is not?", pause=self.pause_seconds)


Said = tuple[str, tuple[Tool, ...]]


@dataclass
class Story:
    """What one researcher has done so far. number: which of IDEAS it follows."""

    number: int
    name: str
    did: list[Did]
    benchmark: str
    seeds: int

    def __post_init__(self) -> None:
        self.idea, self.keep, target = IDEAS[self.number]
        self.texts = {"idea": self.idea[0].upper() + self.idea[1:], "keep": self.keep, "target": target}
        self.done = [each for each in self.did if not each.is_error]
        self.called = Counter(each.tool for each in self.done)
        told = [re.match(r"Experiment #(\d+) of snapshot", each.result) for each in self.done]
        self.experiments = [int(each[1]) for each in told if each]
        self.read = next((each.result for each in reversed(self.done) if each.tool == "read_experiment"), "")
        code = re.search(r"code: snapshot (\d+)", self.read)
        self.snapshots = [int(code[1])] if code else []
        seen = "\n".join(each.result for each in self.done if each.tool == "search_findings")
        found = re.findall(r"finding (\d+) \(\w+\) by (\S+):", seen)
        self.others = [int(number) for number, author in found if self.name not in author]

    def submission(self, parents: list[int]) -> Tool:
        """The workspace as an experiment."""
        return Tool("submit_experiment", {
            "benchmark": self.benchmark, "workspace": True, "title": f"{self.name}: {self.idea}", "seeds": self.seeds,
            "hypothesis": f"To {self.idea} is better than naive training.", "parents": parents,
        })  # fmt: skip


def _reads(story: Story) -> Said | None:
    if story.called["search_findings"]:
        return None
    board = Tool("leaderboard", {"benchmark": story.benchmark})
    return "First I read what is known.", (Tool("search_findings", {"search": ""}), board, Tool("list_methods", {}))


def _writes(story: Story) -> Said | None:
    if story.called["write_file"]:
        return None
    code = BROKEN if story.number == WITH_A_MISTAKE else METHOD
    return f"I say what I expect, and write it down as code: {story.idea}.", (
        Tool("post_finding", {
            "kind": "hypothesis", "title": f"{story.name}: {story.idea}",
            "body": f"To {story.idea} helps, because the teacher's sure labels are more often right.",
        }),
        Tool("write_file", {"path": "method.py", "content": code.format(**story.texts)}),
        Tool("write_file", {"path": "try_it.py", "content": TRY}),
    )  # fmt: skip


def _tries(story: Story) -> Said | None:
    """Every third one also calls a tool that is not there, as models do."""
    if story.called["shell"]:
        return None
    wrong = (Tool("run_python", {"code": "1"}),) if story.number % 3 == 0 else ()
    command = "python try_it.py; ls -l; curl -s https://example.org || echo no network"
    return "I try it on numbers that I make up.", (*wrong, Tool("shell", {"command": command}))


def _submits(story: Story) -> Said | None:
    """Every third one forgets at first what an experiment needs."""
    if story.experiments:
        return None
    if story.number % 3 == 1 and all(each.tool != "submit_experiment" for each in story.did):
        return "I submit it.", (Tool("submit_experiment", {"benchmark": story.benchmark, "workspace": True}),)
    return "I submit it.", (story.submission(parents=[]),)


def _waits(story: Story) -> Said | None:
    if story.called["wait"] >= len(story.experiments):
        return None
    return "I wait for the score.", (Tool("wait", {"experiments": [story.experiments[-1]]}),)


def _looks(story: Story) -> Said | None:
    if story.called["read_experiment"] >= len(story.experiments):
        return None
    return "It has ended.", (Tool("read_experiment", {"experiment": story.experiments[-1]}),)


def _repairs(story: Story) -> Said | None:
    if ": failed" not in story.read.splitlines()[0] or len(story.experiments) > 1:
        return None
    line = f"KEEP = {story.keep}"
    return "It failed, and I see why.", (
        Tool("write_file", {"path": "method.py", "content": METHOD.format(**story.texts)}),
        Tool("edit_file", {"path": "method.py", "old": line, "new": f"{line}  # as meant"}),
        story.submission(parents=story.snapshots),
    )


def _listens(story: Story) -> Said | None:
    if story.others:
        return None
    search = Tool("search_findings", {"search": "labels", "limit": 30})
    return "What did the others find?", (search, Tool("wait", {"seconds": 1}))


def _posts(story: Story) -> Said | None:
    if story.called["post_finding"] > 1:
        return None
    number, cited = story.experiments[-1], story.others[0]
    code = [Tool("read_snapshot", {"snapshot": each, "path": "method.py"}) for each in story.snapshots]
    post = Tool("post_finding", {
        "kind": "result", "title": f"{story.name}: what came of it, to {story.idea}",
        "body": f"Dev PGR {{{{pgr exp:{number}}}}}. Compare finding {cited}.",
        "experiments": [number], "parents": [cited],
    })  # fmt: skip
    return "I say what came of it, and on whose thought it builds.", (*code, post)


def _notes(story: Story) -> Said | None:
    if story.called["notebook"]:
        return None
    cited = story.others[0]
    text = f"# {story.idea}\n\nExperiments {story.experiments}. Built on finding {cited}."
    return "I vote for what helped me, and write my notebook.", (
        Tool("vote", {"finding": cited, "value": 1}),
        Tool("comment", {"finding": cited, "body": f"I tried the next thing: to {story.idea}."}),
        Tool("notebook", {"body": text}),
    )


def _finishes(story: Story) -> Said:
    return "That is what I could find out.", (Tool("finish", {"summary": f"Tried to {story.idea}."}),)


_MOVES = (_reads, _writes, _tries, _submits, _waits, _looks, _repairs, _listens, _posts, _notes, _finishes)


def _did(messages: list[dict[str, Any]]) -> Iterator[Did]:
    """The calls of a transcript, in order."""
    results = {
        block["tool_use_id"]: (str(block["content"]), bool(block.get("is_error")))
        for message in messages
        for block in message["content"]
        if block["type"] == "tool_result"
    }
    for message in messages:
        for block in message["content"]:
            if block["type"] == "tool_use" and block["id"] in results:
                yield Did(block["name"], block["input"], *results[block["id"]])
