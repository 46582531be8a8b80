"""One file of a snapshot, read once: what names stand for, what lies within each node, which loops try seeds."""

import ast
from collections.abc import Iterator

from oversight.syntax import nodes_of

RUNS_TEXT = {"exec", "eval", "compile", "__import__", "runpy.run_path", "runpy.run_module", "code.interact"}
_SEEDING = {
    "numpy.random.seed", "torch.manual_seed", "numpy.random.default_rng", "random.seed", "numpy.random.RandomState",
}  # fmt: skip
_LONGEST_NAME = 200  # characters; names built on names would grow with each
_MOST_LOOPS = 20  # within each other: the interpreter takes no more
_FILE, _UP, _TEXT, _FAR, _NAME = 1, 2, 4, 8, 16  # __file__; ".."; a text; one that leads out; any variable


class Source:
    """The nodes of a file, outer ones first. All that is known of a node is worked out once, from its children.

    Raises: Unreadable, TooLarge.
    """

    def __init__(self, text: str) -> None:
        self.nodes, self._parents = nodes_of(text)
        self._names: dict[str, str] = {}
        self._modules = {"builtins"}
        self._dotted: dict[int, str] = {}
        self._within = [0] * len(self.nodes)
        self._places = {id(node): place for place, node in enumerate(self.nodes)}
        self._read_imports()
        self._read_assignments()
        self._read_inwards()
        self._seed_loops = self._read_loops()

    def dotted(self, node: ast.AST) -> str:
        """numpy.random.seed for np.random.seed; getattr(os, "_exit") counts as os._exit; else empty."""
        known = self._dotted.get(id(node))
        if known is not None:
            return known
        base, attr = "", ""
        if isinstance(node, ast.Name):
            return self._names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base, attr = self.dotted(node.value), node.attr
        elif isinstance(node, ast.Call) and len(node.args) >= 2 and self.dotted(node.func) == "getattr":
            name = node.args[1]
            if isinstance(name, ast.Constant) and type(name.value) is str:
                base, attr = self.dotted(node.args[0]), name.value
        return _joined(base, attr) if base and attr else ""

    def is_of_module(self, node: ast.AST) -> bool:
        """Whether it is an imported module, or something in one."""
        return self.dotted(node).split(".", 1)[0] in self._modules

    def opens_own_file(self, call: ast.Call) -> bool:
        """Whether the path is a constant that stays inside the snapshot, or made from __file__."""
        within = self._within[self._places[id(call)]]
        if within & _FILE:
            return not within & _UP
        of_first = self._within[self._places[id(call.args[0])]] if call.args else 0
        return bool(within & _TEXT) and not within & _FAR and not of_first & _NAME

    def is_seed_loop(self, loop: ast.For) -> bool:
        """Whether it seeds a generator with its variable, and compares."""
        return id(loop) in self._seed_loops

    def _read_imports(self) -> None:
        """Local name -> what it was imported as."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    root = alias.name.split(".", 1)[0]
                    self._name(alias.asname or root, alias.name if alias.asname else root)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    self._name(alias.asname or alias.name, _joined(node.module, alias.name))

    def _read_assignments(self) -> None:
        """e = eval; later names may stand on earlier ones."""
        for node in self.nodes:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute):
                origin = self.dotted(node.value)
                if origin and (origin in RUNS_TEXT or origin.split(".", 1)[0] in self._modules):
                    for target in node.targets:
                        if isinstance(target, ast.Name):
                            self._name(target.id, origin)

    def _name(self, name: str, origin: str) -> None:
        self._names[name] = origin[:_LONGEST_NAME]
        self._modules.add(self._names[name].split(".", 1)[0])

    def _read_inwards(self) -> None:
        """Inner nodes first, so that each finds its children done."""
        for place in range(len(self.nodes) - 1, -1, -1):
            node = self.nodes[place]
            if isinstance(node, ast.Name):
                self._within[place] |= _FILE | _NAME if node.id == "__file__" else _NAME
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
                far = _FAR if text.startswith(("/", "~")) or ".." in text else 0
                self._within[place] |= _TEXT | far | (_UP if text == ".." else 0)
            if isinstance(node, ast.Name | ast.Attribute | ast.Call):
                self._dotted[id(node)] = self.dotted(node)
            self._within[self._parents[place]] |= self._within[place]

    def _read_loops(self) -> set[int]:
        """Loops with a seeding call that names their variable, and with a comparison."""
        loops: list[ast.For | None] = []  # nearest loop around each node, itself included
        outer: dict[int, ast.For | None] = {}
        variables: dict[int, set[str]] = {}
        seeding: list[bool] = []
        seeds: set[int] = set()
        compares: set[int] = set()
        for node, parent in zip(self.nodes, self._parents, strict=True):
            around = loops[parent] if loops else None
            inside = bool(seeding) and seeding[parent]
            seeding.append(inside or (isinstance(node, ast.Call) and self.dotted(node.func) in _SEEDING))
            if isinstance(node, ast.For):
                outer[id(node)], around = around, node
                variables[id(node)] = {part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)}
            loops.append(around)
            if isinstance(node, ast.Name) and seeding[-1]:
                seeds |= {id(each) for each in _outwards(around, outer) if node.id in variables[id(each)]}
            elif isinstance(node, ast.If) and isinstance(node.test, ast.Compare):
                compares |= {id(each) for each in _outwards(around, outer)}
        return seeds & compares


def _outwards(loop: ast.For | None, outer: dict[int, ast.For | None]) -> Iterator[ast.For]:
    for _ in range(_MOST_LOOPS):
        if loop is None:
            return
        yield loop
        loop = outer[id(loop)]


def _joined(base: str, attr: str) -> str:
    """With a dot. A name that would be too long keeps its two ends."""
    whole = f"{base}.{attr}"
    return whole if len(whole) <= _LONGEST_NAME else f"{base.split('.', 1)[0]}.{attr}"[:_LONGEST_NAME]
