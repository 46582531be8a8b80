"""What a tree of method code may hold, and how two of them differ: no database needed."""

import difflib
import gzip
import io
import random
import subprocess
import tarfile
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.errors import InvalidInput, TooLarge
from experiments.snapshots import diffs
from experiments.snapshots.archives import read_archive, write_archive
from experiments.snapshots.trees import MAX_BYTES, MAX_FILES, check_tree, tree_digest

CODE = "def fit(context):\n    return context.student.fit(context.weak_probs, context.weights)\n"


def member(name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, io.BytesIO(content)


def tar_gz(*members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for info, content in members:
            tar.addfile(info, content)
    packed.seek(0)
    return packed


def test_a_tree_is_named_by_its_content_in_any_order():
    one = {"method.py": CODE, "parts/labels.py": "x = 1\n"}
    other = dict(reversed(one.items()))
    assert check_tree(one) == check_tree(other) == one
    assert tree_digest(one) == tree_digest(other)
    assert tree_digest(one) != tree_digest({"method.py": CODE, "parts/labels.py": "x = 2\n"})


def test_moving_a_boundary_between_path_and_content_changes_the_digest():
    assert tree_digest({"a": "bc"}) != tree_digest({"ab": "c"})
    assert tree_digest({"a": "1", "b": "2"}) != tree_digest({"a": "11:b1:2"})


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/etc/passwd", "absolute"),
        ("../up.py", "leads out"),
        ("a/../../up.py", "leads out"),
        ("a//b.py", "empty or ."),
        ("./a.py", "empty or ."),
        ("a/", "empty or ."),
        ("a\\b.py", "backslash"),
        ("C:/x.py", "backslash or colon"),
        ("a\0b.py", "control"),
        ("a\nb.py", "control"),
        ("a\u202eb.py", "invisible"),
        ("a\ud800b.py", "control or invisible"),
        ("n" * 101, "too long"),
        ("/".join(["d" * 90] * 3), "too long"),
        ("a /b.py", "space"),
        ("a.", "dot"),
        ("", "empty name"),
    ],
)
def test_a_bad_path_is_refused_by_name(path, problem):
    with pytest.raises(InvalidInput, match=problem) as caught:
        check_tree({"method.py": CODE, path: "x"})
    assert caught.value.pointer.startswith("#/files")
    str(caught.value).encode()  # the message itself can be sent


@pytest.mark.parametrize(
    "pair",
    [
        ("Labels.py", "labels.py"),
        ("A/x.py", "a/y.py"),
        ("thing", "thing/part.py"),
        ("straße.py", "STRASSE.py"),
        ("\u00e9.py", "e\u0301.py"),
    ],
)
def test_names_that_some_file_system_takes_for_one_are_refused(pair):
    with pytest.raises(InvalidInput, match="only in case or spelling"):
        check_tree({"method.py": CODE, **dict.fromkeys(pair, "x")})


@pytest.mark.parametrize(
    ("text", "problem"), [("a\0b", "NUL"), ("\ud800", "surrogate"), (None, "NoneType"), (b"x", "bytes"), (3, "int")]
)
def test_only_text_is_taken(text, problem):
    with pytest.raises(InvalidInput, match=problem) as caught:
        check_tree({"method.py": CODE, "part.py": text})
    assert caught.value.pointer == "#/files/part.py"


def test_the_entry_point_is_required():
    with pytest.raises(InvalidInput, match=r"no method\.py"):
        check_tree({"other.py": CODE})


def test_limits_are_exact():
    rest = MAX_BYTES - len(CODE)
    assert check_tree({"method.py": CODE, "data.txt": "x" * rest})
    with pytest.raises(TooLarge):
        check_tree({"method.py": CODE, "data.txt": "x" * (rest + 1)})
    many = {f"f{number}.py": "" for number in range(MAX_FILES - 1)}
    assert check_tree({"method.py": CODE, **many})
    with pytest.raises(TooLarge):
        check_tree({"method.py": CODE, **many, "one_more.py": ""})


def test_an_archive_is_read_with_or_without_a_leading_dot():
    plain = tar_gz(member("method.py", CODE.encode()), member("a/b.txt", "ü".encode()))
    dotted = tar_gz(
        member(".", type=tarfile.DIRTYPE),
        member("./method.py", CODE.encode()),
        member("./a", type=tarfile.DIRTYPE),
        member("./a/b.txt", "ü".encode()),
    )
    assert read_archive(plain) == read_archive(dotted) == {"method.py": CODE, "a/b.txt": "ü"}


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_come_through_in_every_format(format):
    name = f"{'d' * 60}/{'e' * 60}/f.py"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=format) as tar:
        tar.addfile(*member(name, b"x"))
    packed.seek(0)
    assert read_archive(packed) == {name: "x"}


def test_what_is_written_reads_back_and_is_always_the_same_bytes():
    files = {"method.py": CODE, "a/ü.txt": "ü\r\n", "empty.txt": ""}
    packed = write_archive(files)
    assert read_archive(io.BytesIO(packed)) == files
    assert packed == write_archive(dict(reversed(files.items())))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in tar} == {(0, 0, 0, "", 0o644)}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "symbolic link"),
        ({"type": tarfile.LNKTYPE, "linkname": "method.py"}, "hard link"),
        ({"type": tarfile.CHRTYPE}, "device"),
        ({"type": tarfile.BLKTYPE}, "device"),
        ({"type": tarfile.FIFOTYPE}, "named pipe"),
        ({"type": b"Z"}, "unknown kind"),
    ],
)
def test_anything_but_a_regular_file_is_refused_by_name(fields, kind):
    with pytest.raises(InvalidInput, match=f"'trick'.*{kind}"):
        read_archive(tar_gz(member("method.py", CODE.encode()), member("trick", **fields)))


@pytest.mark.parametrize("name", ["/etc/passwd", "../up.py", "a/../../up.py"])
def test_an_archive_cannot_name_places_outside(name):
    with pytest.raises(InvalidInput, match=r"absolute|leads out"):
        read_archive(tar_gz(member(name, b"x")))


def test_an_archive_with_one_name_twice_is_refused():
    with pytest.raises(InvalidInput, match=r"'method\.py' twice"):
        read_archive(tar_gz(member("method.py", b"a"), member("./method.py", b"b")))


def test_an_archive_with_a_file_that_is_no_text_is_refused_by_name():
    with pytest.raises(InvalidInput, match=r"'weights\.bin' is not UTF-8"):
        read_archive(tar_gz(member("weights.bin", b"\xff\xfe")))


def test_a_bomb_is_cut_off_without_being_held():
    bomb = tar_gz(member("method.py", bytes(200 * 10**6)))
    assert len(bomb.getvalue()) < 250_000
    tracemalloc.start()
    with pytest.raises(TooLarge):
        read_archive(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MAX_BYTES


def test_reading_stops_at_the_end_mark_whatever_comes_after_it():
    endless = tar_gz(member("method.py", CODE.encode())).getvalue() + gzip.compress(bytes(100 * 10**6))
    assert read_archive(io.BytesIO(endless)) == {"method.py": CODE}


def test_a_bomb_of_entries_is_cut_off():
    with pytest.raises(TooLarge, match="entries"):
        read_archive(tar_gz(*[member(f"d{number}", type=tarfile.DIRTYPE) for number in range(2000)]))


def test_a_header_that_claims_a_huge_size_costs_nothing():
    info, _ = member("method.py")
    info.size = 2**62
    packed = io.BytesIO(gzip.compress(info.tobuf(tarfile.GNU_FORMAT)))
    with pytest.raises((TooLarge, InvalidInput)):
        read_archive(packed)


def test_a_long_chain_of_name_headers_is_refused():
    link = tarfile.TarInfo("././@LongLink")
    link.type, link.size = tarfile.GNUTYPE_LONGNAME, 0
    with pytest.raises(InvalidInput):
        read_archive(io.BytesIO(gzip.compress(link.tobuf(tarfile.GNU_FORMAT) * 10_000)))


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", gzip.compress(b"not a tar" * 100, mtime=0), b"\x1f\x8b" + b"\0" * 100],
    ids=["empty", "text", "gzip of no tar", "broken gzip"],
)
def test_what_is_no_archive_is_told_so(data):
    with pytest.raises(InvalidInput):
        read_archive(io.BytesIO(data))


def test_a_cut_archive_is_told_so():
    whole = tar_gz(member("method.py", random.Random(0).randbytes(4000).hex().encode())).getvalue()
    for length in range(0, len(whole) - 8, 37):
        with pytest.raises(InvalidInput):
            read_archive(io.BytesIO(whole[:length]))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3071), st.integers(0, 255)), max_size=12))
def test_no_damaged_tar_gets_past_the_checks_or_crashes_them(changes):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(*member("method.py", CODE.encode()))
        tar.addfile(*member("n" * 90 + "/ü.py", b"x"))
    raw = bytearray(packed.getvalue()[:6144])
    for place, value in changes:
        raw[place] = value
    try:
        files = read_archive(io.BytesIO(gzip.compress(bytes(raw), compresslevel=1)))
    except (InvalidInput, TooLarge):
        return
    assert all(isinstance(text, str) and ".." not in path.split("/") for path, text in files.items())


def apply(before, unified, folder):
    """What `patch`, which did not write the difference, makes of it."""
    (folder / "f").write_bytes(before.encode())
    done = subprocess.run(
        ["patch", "-s", "--binary", str(folder / "f")], input=unified.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "f").read_bytes().decode() if (folder / "f").exists() else ""


TEXTS = st.lists(st.sampled_from(["a", "b", "c", "", "d\r"]), max_size=14).flatmap(
    lambda lines: st.sampled_from(["\n".join(lines), "".join(f"{line}\n" for line in lines)])
)


@settings(max_examples=60, deadline=None)
@given(before=TEXTS, after=TEXTS)
def test_patch_makes_the_one_text_out_of_the_other(tmp_path_factory, before, after):
    found = diffs.compare({"f": before}, {"f": after})
    if before == after:
        assert found == []
    else:
        assert apply(before, found[0].unified, tmp_path_factory.mktemp("patch")) == after


@settings(max_examples=200, deadline=None)
@given(before=TEXTS, after=TEXTS)
def test_no_shorter_list_of_changes_exists(before, after):
    old, new = diffs._lines(before), diffs._lines(after)
    kept = sum(block.size for block in diffs._Matcher(old, new, diffs._Steps(10**6)).get_matching_blocks())
    table = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]  # longest common subsequence, by the textbook
    for i, line in enumerate(old):
        for k, other in enumerate(new):
            table[i + 1][k + 1] = table[i][k] + 1 if line == other else max(table[i][k + 1], table[i + 1][k])
    assert kept == table[-1][-1]


def test_added_removed_and_changed_files_are_told_apart():
    found = diffs.compare(
        {"gone.py": "a\n", "same.py": "s\n", "x.py": "1\n2\n"}, {"new.py": "", "same.py": "s\n", "x.py": "1\n3\n"}
    )
    assert [(d.path, d.change) for d in found] == [("gone.py", "removed"), ("new.py", "added"), ("x.py", "changed")]
    assert found[2].unified == "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n 1\n-2\n+3\n"
    assert found[0].unified == "--- a/gone.py\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n"


def test_hostile_texts_cost_a_bounded_amount_and_stay_right(tmp_path):
    generator = random.Random(0)
    before = "".join(f"{generator.randrange(40)}\n" for _ in range(9000))
    after = "".join(f"{generator.randrange(40)}\n" for _ in range(9000))
    steps = diffs._Steps(diffs.MAX_STEPS)
    found = diffs._file_difference("f", before, after, steps)
    assert -2 * 20_000 < steps.left <= 0  # they ran out, and it stopped there
    assert apply(before, found.unified, tmp_path) == after


def test_texts_beyond_reading_are_said_to_differ():
    (found,) = diffs.compare({"f": "\n" * 2_000_000}, {"f": "\n" * 2_000_001})
    assert found.unified is None


def test_the_unified_form_is_that_of_difflib():
    before, after = "a\nb\nc\nd\ne\nf\ng\nh\ni\n", "a\nb\nX\nd\ne\nf\ng\nh\ni\nj\n"
    expected = "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), "a/f", "b/f"))
    assert diffs.compare({"f": before}, {"f": after})[0].unified == expected
