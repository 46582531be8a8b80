"""The audit trail: written for every change, also in SQL; chained; and what a superuser does to it is found."""

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from agents.models import Price, Token
from agents.services.control import pause_agent
from agents.services.tokens import create_token, revoke_token
from oversight.models import AuditEntry
from oversight.services.audit import head, verify
from oversight.services.audit_heads import keep_head, kept_heads
from oversight.services.decisions import decide_flag
from oversight.services.detectors import set_detector
from tests.api.conftest import caller, problem  # noqa: F401 - a fixture
from tests.factories import make_user
from tests.oversight.conftest import agents_experiment, raised

pytestmark = pytest.mark.django_db


def sql(statement: str, *parameters) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


def sealed() -> None:
    """As a commit does."""
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    sql("SET CONSTRAINTS ALL DEFERRED")


def latest(subject: str) -> AuditEntry:
    sealed()
    return AuditEntry.objects.filter(subject__startswith=subject).latest("id")


def as_superuser(statement: str, *parameters) -> None:
    """Somebody with the database in hand: triggers off, the change, triggers on again."""
    sealed()
    for table in ("oversight_auditentry", "oversight_audithead"):
        sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    sql(statement, *parameters)
    for table in ("oversight_auditentry", "oversight_audithead"):
        sql(f"ALTER TABLE {table} ENABLE TRIGGER ALL")


@pytest.fixture(autouse=True)
def _heads_of_this_test_alone(settings, tmp_path):
    settings.AUDIT_HEADS_DIR = tmp_path / "audit"


@pytest.fixture
def price() -> Price:
    return Price.objects.create(model="m", input=5, output=25, cache_read=1, cache_write=6)


def test_a_change_made_in_sql_is_written_down_with_before_after_and_where_it_came_from(price):
    sql("UPDATE agents_price SET input = 1 WHERE id = %s", price.pk)
    entry = latest("price:")
    assert (entry.verb, entry.before, entry.after) == ("changed", {"input": 5}, {"input": 1})
    assert (entry.actor_name, entry.subject) == ("", f"price:{price.pk}")
    assert entry.origin.startswith("aarweb ")
    sql("DELETE FROM agents_price WHERE id = %s", price.pk)
    assert (latest("price:").verb, latest("price:").before["model"]) == ("removed", "m")


def test_oversight_acts_name_who_and_why():
    experiment, rita, ada = agents_experiment(), make_user("reviewer", "rita"), make_user("admin", "adam")
    flag = raised(experiment)
    decide_flag(user=rita, flag_id=flag.pk, verdict="clean", reason="noise")
    entry = latest("decision:")
    assert (entry.actor_name, entry.reason, entry.after["verdict"]) == ("rita", "noise", "clean")
    pause_agent(user=rita, agent_id=experiment.submitter.agent.pk, reason="look")
    assert (latest("latch:").actor_name, latest("latch:").reason) == ("rita", "look")
    set_detector(user=ada, name="replay", enabled=False, overrides={"p": 0.01}, reason="noisy")
    changed = latest("detector:")
    assert (changed.actor_name, changed.after["enabled"]) == ("adam", False)


def test_roles_tokens_and_passwords_are_watched_and_no_secret_is_written():
    user = make_user("viewer", "eve")
    assert latest("membership:").verb == "made"
    user.groups.clear()
    assert latest("membership:").verb == "removed"
    user.set_password("another good one")
    user.save()
    entry = latest("user:")
    assert set(entry.after) == {"password"}
    assert entry.after["password"].startswith("sha256:")
    row, _ = create_token(name="t", role="viewer")
    assert row.digest not in str(latest("token:").after)
    revoke_token(token_id=row.pk)
    assert "revoked_at" in latest("token:").after
    count = AuditEntry.objects.count()
    Token.objects.filter(pk=row.pk).update(last_used_at=row.created_at)
    sealed()
    assert AuditEntry.objects.count() == count  # being used is no change


def test_a_blind_vote_stays_blind_in_the_trail():
    hold = raised(agents_experiment(), level="hold")
    decide_flag(user=make_user("reviewer"), flag_id=hold.pk, verdict="disqualified", reason="plain as day")
    entry = latest("vote:")
    assert "disqualified" not in f"{entry.after} {entry.reason}"
    assert "plain as day" not in f"{entry.after} {entry.reason}"


def test_the_chain_is_unbroken_numbered_from_one_and_ends_in_the_head(price):
    sealed()
    report = verify()
    assert report.problems == []
    assert report.entries == AuditEntry.objects.count() > 0
    assert sorted(AuditEntry.objects.values_list("number", flat=True)) == list(range(1, report.entries + 1))
    assert report.head == head() == f"{report.entries}:{AuditEntry.objects.latest('number').digest}"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE oversight_auditentry SET reason = 'another' WHERE number = 1",
        "UPDATE oversight_auditentry SET number = number + 1000",
        "DELETE FROM oversight_auditentry",
        "UPDATE oversight_audithead SET number = 0",
        "DELETE FROM oversight_audithead",
        "INSERT INTO oversight_audithead (id, number, digest) VALUES (2, 0, '')",
        "TRUNCATE oversight_auditentry",
    ],
)
def test_the_database_refuses_to_change_the_trail(price, statement):
    sealed()
    if statement.startswith("TRUNCATE"):
        sql("ALTER TABLE oversight_auditentry ENABLE TRIGGER ALL")  # the test run has switched this guard off
    with pytest.raises(IntegrityError, match="oversight keeps"), transaction.atomic():
        sql(statement)


TAMPERINGS = {
    "altered": ("UPDATE oversight_auditentry SET reason = 'fine' WHERE number = 3", "entry 3 was altered"),
    "altered after": (
        "UPDATE oversight_auditentry SET after = after || '{\"input\": 9}' WHERE number = 3", "entry 3 was altered"
    ),
    "another actor": ("UPDATE oversight_auditentry SET actor_name = 'eve' WHERE number = 2", "entry 2 was altered"),
    "another time": ("UPDATE oversight_auditentry SET at = at - interval '1 s' WHERE number = 2", "entry 2 was"),
    "removed": ("DELETE FROM oversight_auditentry WHERE number = 2", "entry 2 is missing"),
    "removed and renumbered": (
        "DELETE FROM oversight_auditentry WHERE number = 2; UPDATE oversight_auditentry SET number = number - 1"
        " WHERE number > 2", "does not follow the one before it",
    ),
    "removed from the end": (
        "DELETE FROM oversight_auditentry WHERE number = (SELECT max(number) FROM oversight_auditentry)",
        "rows were removed from the end",
    ),
    "inserted": (
        "INSERT INTO oversight_auditentry (at, actor_name, verb, subject, reason, origin, previous, digest) VALUES"
        " (now(), 'eve', 'made', 'price:9', '', '', '', '')", "was never sealed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_verify_finds_what_a_superuser_did(kind):
    for number in range(4):
        Price.objects.create(model=f"m{number}", input=5, output=25, cache_read=1, cache_write=6)
    sealed()
    assert verify().problems == []
    statement, said = TAMPERINGS[kind]
    for each in statement.split("; "):
        as_superuser(each)
    assert any(said in problem for problem in verify().problems), verify().problems
    with pytest.raises(CommandError, match=said):
        call_command("audit", "verify")


def test_a_rewritten_chain_is_sound_in_itself_and_betrayed_by_the_head_kept_elsewhere():
    for number in range(4):
        Price.objects.create(model=f"m{number}", input=5, output=25, cache_read=1, cache_write=6)
    sealed()
    kept = head()
    as_superuser("DELETE FROM oversight_auditentry WHERE number = (SELECT max(number) FROM oversight_auditentry)")
    as_superuser(
        "UPDATE oversight_audithead SET (number, digest) ="
        " (SELECT number, digest FROM oversight_auditentry ORDER BY number DESC LIMIT 1)"
    )
    assert verify().problems == []
    assert "kept elsewhere" in verify(known_head=kept).problems[0]


def test_a_trigger_that_was_switched_off_or_dropped_is_named():
    sealed()
    sql("ALTER TABLE agents_price DISABLE TRIGGER audit_agents_price")
    sql("DROP TRIGGER audit_agents_latch ON agents_latch")
    assert verify().problems == [
        "the trigger audit_agents_price is switched off", "the trigger audit_agents_latch is gone"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "CREATE OR REPLACE FUNCTION oversight_audit_change() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RETURN NULL; END $$",
            "the function oversight_audit_change is not the lab's",
        ),
        (
            "CREATE OR REPLACE FUNCTION oversight_audit_seal() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RETURN NULL; END $$",
            "the function oversight_audit_seal is not the lab's",
        ),
        (
            "CREATE OR REPLACE TRIGGER audit_agents_price AFTER INSERT OR UPDATE OR DELETE ON agents_price"
            " FOR EACH ROW WHEN (pg_trigger_depth() > 9)"
            " EXECUTE FUNCTION oversight_audit_change('price', 'updated_at', '', '')",
            "the trigger audit_agents_price is another one",
        ),
        (
            "CREATE OR REPLACE TRIGGER audit_agents_price AFTER INSERT OR UPDATE OR DELETE ON agents_price"
            " FOR EACH ROW EXECUTE FUNCTION oversight_audit_change('price', 'input,output', '', '')",
            "the trigger audit_agents_price is another one",
        ),
    ],
)
def test_a_trigger_or_function_that_was_hollowed_out_is_named(statement, said):
    """Present and switched on, and yet it writes nothing."""
    sealed()
    assert verify().problems == []
    sql(statement)
    assert verify().problems == [said]


def test_the_lab_keeps_heads_of_its_own_outside_of_the_database(price):
    """So that who has nothing but SQL cannot rewrite the whole chain, or cut its end off with the head, unnoticed."""
    sealed()
    keep_head()
    assert verify().problems == []
    sql("UPDATE agents_price SET input = 2 WHERE id = %s", price.pk)
    sealed()
    keep_head()
    keep_head()  # nothing new
    assert kept_heads() == [head()]  # one for each day
    last = AuditEntry.objects.latest("number")
    as_superuser(
        "DELETE FROM oversight_auditentry WHERE number = %s;"
        "UPDATE oversight_audithead SET number = %s, digest = %s",
        last.number, last.number - 1, last.previous,
    )  # fmt: skip
    (problem,) = verify().problems
    assert "kept elsewhere" in problem


def test_a_cut_chain_is_not_kept_over_what_was_kept(price):
    sealed()
    keep_head()
    kept, last = kept_heads(), AuditEntry.objects.latest("number")
    as_superuser(
        "DELETE FROM oversight_auditentry WHERE number = %s;"
        "UPDATE oversight_audithead SET number = %s, digest = %s",
        last.number, last.number - 1, last.previous,
    )  # fmt: skip
    keep_head()
    assert kept_heads() == kept
    sql("UPDATE agents_price SET input = 3 WHERE id = %s", price.pk)  # the number is reached again
    sealed()
    keep_head()
    assert kept_heads() == kept
    assert "kept elsewhere" in verify().problems[0]


def test_an_empty_trail_has_a_head_that_can_be_kept():
    assert verify(known_head="0:" + "0" * 64).problems == []


def test_admins_read_it_by_api_with_filters_and_nobody_else(caller, price):  # noqa: F811
    admin = caller("admin")
    sealed()
    rows = admin.get("audit/?kind=price").json()["results"]
    assert [each["subject"] for each in rows] == [f"price:{price.pk}"]
    assert admin.get("audit/?actor=nobody-such").json()["results"] == []
    problem(admin.get("audit/?kind=planet"), 400, "invalid")
    for role in ("viewer", "researcher", "reviewer", "agent"):
        problem(caller(role).get("audit/"), 403, "forbidden")
