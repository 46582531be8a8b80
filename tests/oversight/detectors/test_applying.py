"""Whether a detector applies is asked in one place, before it looks."""

import pytest

from oversight.detectors import ExperimentDetector, Rates, known
from tests.oversight.detectors.worlds import facts


class Blind(ExperimentDetector):
    name, title, summary, source = "blind", "Blind", "Looks at nothing.", "tests"
    rates = Rates("", "", "")

    def applies(self, facts):
        return facts.decoys is not None

    def look(self, facts):
        raise AssertionError("it had nothing to look at")


def test_one_that_does_not_apply_is_not_asked():
    assert Blind().inspect(facts(decoys=None)) == []


def test_what_applies_has_not_made_sure_of_is_an_error_and_no_clean_answer():
    assert known(0) == 0
    with pytest.raises(ValueError, match="does not apply"):
        known(None)
