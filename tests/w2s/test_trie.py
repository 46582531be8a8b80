"""Token trees: what is shared, what sees what, and how packs fill up."""

import numpy as np

from workers.w2s.trie import pack, shared_beginning, shared_length


def test_a_shared_beginning_stands_once_and_branches_see_only_their_own() -> None:
    (one,) = pack([(1, 2, 3), (1, 2, 4, 5), (1, 6)], budget=100)
    assert one.tokens.tolist() == [1, 2, 3, 4, 5, 6]
    assert one.positions.tolist() == [0, 1, 2, 2, 3, 1]
    assert one.ends.tolist() == [6, 5, 3, 5, 5, 6]
    assert one.texts == [0, 1, 2]
    assert [path.tolist() for path in one.paths] == [[0, 1, 2], [0, 1, 3, 4], [0, 5]]
    seen = [np.flatnonzero(row).tolist() for row in one.visible()]
    assert seen == [[0], [0, 1], [0, 1, 2], [0, 1, 3], [0, 1, 3, 4], [0, 5]]


def test_every_text_is_found_again_along_its_path() -> None:
    rng = np.random.default_rng(0)
    texts = [tuple(rng.integers(0, 3, size=rng.integers(1, 9)).tolist()) for _ in range(60)]
    packs = pack(texts, budget=25)
    found = {}
    for one in packs:
        assert len(one.tokens) <= 25
        for text, path in zip(one.texts, one.paths, strict=True):
            found[text] = tuple(one.tokens[path].tolist())
            assert one.positions[path].tolist() == list(range(len(path)))
            assert np.flatnonzero(one.visible()[path[-1]]).tolist() == path.tolist()
    assert found == dict(enumerate(texts))
    assert sum(len(one.tokens) for one in packs) < sum(map(len, texts))


def test_equal_texts_and_texts_that_begin_another_share_their_nodes() -> None:
    (one,) = pack([(1, 2), (1, 2), (1, 2, 3)], budget=10)
    assert one.tokens.tolist() == [1, 2, 3]
    assert sorted(map(len, one.paths)) == [2, 2, 3]


def test_a_text_above_the_budget_has_a_pack_of_its_own() -> None:
    packs = pack([(1, 2), tuple(range(3, 13)), (1, 4)], budget=5)
    assert [one.texts for one in packs] == [[0, 2], [1]]


def test_a_beginning_that_is_supplied_is_left_out() -> None:
    (one,) = pack([(9, 9, 1), (9, 9, 2, 3)], budget=10, skip=2)
    assert one.tokens.tolist() == [1, 2, 3]
    assert one.positions.tolist() == [2, 2, 3]
    assert [path.tolist() for path in one.paths] == [[0], [1, 2]]


def test_shared_lengths() -> None:
    assert shared_length((1, 2, 3), (1, 2, 4)) == 2
    assert shared_length((), (1,)) == 0
    assert shared_beginning([(1, 2, 3), (1, 2), (1, 2, 5)]) == 2
    assert shared_beginning([]) == 0
