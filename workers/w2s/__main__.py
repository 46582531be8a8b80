"""`python -m workers.w2s`: run a method on a benchmark, list both, look after the feature cache."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from registry import UnknownName
from workers.w2s.arena import MethodFailed
from workers.w2s.benchmarks import BUILTIN, builtin
from workers.w2s.checkpoints import CheckpointMissing
from workers.w2s.cli.experiment import Bench, check_request
from workers.w2s.cli.progress import progress_line
from workers.w2s.cli.tables import benchmark_table, entry_table, method_table, outcome_json, outcome_table, size
from workers.w2s.data import DataError
from workers.w2s.features import collect, entries
from workers.w2s.finetune.leftovers import collect_leftovers
from workers.w2s.methods import NotOffered, OptionError
from workers.w2s.models import ModelError
from workers.w2s.spec import SpecError, silent

CACHE_DIR = Path(".data/features")  # where a lab that is started in this folder keeps it too
EXPECTED = (UnknownName, OptionError, NotOffered, SpecError, DataError, CheckpointMissing, ModelError, MethodFailed)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 asked for something that cannot be, 130 interrupted."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "cache":
            return _cache(arguments)
        if arguments.command == "list":
            print(benchmark_table(BUILTIN), method_table(), sep="\n\n")
            return 0
        if not arguments.benchmark or not arguments.method:
            parser.error("say what to run: --benchmark B --method M (see `python -m workers.w2s list`)")
        return _experiment(arguments)
    except EXPECTED as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; what was extracted so far is kept", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.w2s", description=__doc__)
    parser.add_argument("--benchmark", metavar="B", help="one of the built-in benchmarks")
    parser.add_argument("--method", metavar="M", help="one of the registered methods")
    parser.add_argument("--seeds", metavar="N", type=_positive, help="runs; default: what the benchmark says")
    parser.add_argument("--options", metavar="K=V", nargs="+", default=[], type=_option, help="options of the method")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    _add_cache_dir(parser, CACHE_DIR)
    commands = parser.add_subparsers(dest="command", title="other commands", metavar="list | cache")
    commands.add_parser("list", help="benchmarks and methods")
    cache = commands.add_parser("cache", help="the feature cache").add_subparsers(dest="action", required=True)
    listing = cache.add_parser("ls", help="what is in it, the entry used last first")
    sweeping = cache.add_parser("gc", help="delete what nobody used for some days, and leftovers of killed processes")
    sweeping.add_argument(
        "--days", type=float, default=30, help="unused for so long; 0 deletes everything (default 30)"
    )
    for command in (listing, sweeping):
        command.add_argument("--json", action="store_true", help="print JSON instead of a table")
        _add_cache_dir(command, argparse.SUPPRESS)
    return parser


def _add_cache_dir(parser: argparse.ArgumentParser, default: Any) -> None:
    parser.add_argument(
        "--cache-dir",
        metavar="DIR",
        type=Path,
        default=default,
        help=f"features, converted models and baselines; default {CACHE_DIR}",
    )


def _experiment(arguments: argparse.Namespace) -> int:
    spec = builtin(arguments.benchmark)
    options = dict(arguments.options)
    check_request(spec, arguments.method, options)
    report = silent if arguments.quiet else progress_line(sys.stderr)
    bench = Bench.open(spec, seeds=arguments.seeds or spec.seeds, cache_dir=arguments.cache_dir, report=report)
    outcome = bench.run(arguments.method, options, report)
    print(json.dumps(outcome_json(outcome), indent=2) if arguments.json else outcome_table(outcome))
    return 0


def _cache(arguments: argparse.Namespace) -> int:
    if arguments.action == "ls":
        found = entries(arguments.cache_dir)
    else:
        found = collect(arguments.cache_dir, unused_seconds=arguments.days * 86_400)
        leftovers = collect_leftovers(arguments.cache_dir, unused_seconds=arguments.days * 86_400)
    if arguments.json:
        print(json.dumps([{field: getattr(one, field) for field in one.__dataclass_fields__} for one in found]))
    elif arguments.action == "ls":
        print(entry_table(found))
    else:
        freed = sum(entry.size_bytes for entry in found) + sum(one for _, one in leftovers)
        print(f"deleted {len(found)} of the cache's entries and {len(leftovers)} other files, {size(freed)}")
    return 0


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _option(text: str) -> tuple[str, Any]:
    """ "l2=0.1" to ("l2", 0.1): a JSON value where it is one, else the text itself."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


if __name__ == "__main__":
    sys.exit(main())
