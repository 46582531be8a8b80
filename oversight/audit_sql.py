"""The SQL of the audit trail: what is written for a change, and how entries are chained. Installed by a migration."""

CANONICAL = """jsonb_build_array({number}, (extract(epoch FROM {row}.at) * 1000000)::bigint, {row}.actor_id,
    {row}.actor_name, {row}.verb, {row}.subject, {row}.before, {row}.after, {row}.reason, {row}.origin,
    {previous})::text"""
"""All that an entry says and where it stands, as one text, by built-in functions: verifying trusts none of ours."""

CHANGE = """
CREATE OR REPLACE FUNCTION oversight_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
-- arguments: kind of the row; columns left out; columns shown only as a digest; columns that name who did it
DECLARE
    skipped text[] := string_to_array(TG_ARGV[1], ',');
    old_row jsonb;
    new_row jsonb;
    column_name text;
    whole text := '';
    actor bigint;
    why text;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        old_row := to_jsonb(OLD) - skipped;
        whole := old_row::text;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        new_row := to_jsonb(NEW) - skipped;
    END IF;
    IF old_row IS NOT DISTINCT FROM new_row THEN
        RETURN NULL;
    END IF;
    actor := nullif(current_setting('aarweb.actor', true), '')::bigint;
    why := nullif(current_setting('aarweb.reason', true), '');
    FOREACH column_name IN ARRAY string_to_array(TG_ARGV[3], ',') LOOP
        IF actor IS NULL AND new_row -> column_name IS DISTINCT FROM old_row -> column_name THEN
            actor := (new_row ->> column_name)::bigint;
        END IF;
    END LOOP;
    FOREACH column_name IN ARRAY ARRAY['release_reason', 'note', 'reason', 'demotion'] LOOP
        IF why IS NULL AND new_row -> column_name IS DISTINCT FROM old_row -> column_name THEN
            why := nullif(new_row ->> column_name, '');
        END IF;
    END LOOP;
    FOREACH column_name IN ARRAY string_to_array(TG_ARGV[2], ',') LOOP
        IF column_name = 'reason' THEN
            why := NULL;
        END IF;
        IF old_row ? column_name THEN
            old_row := old_row || jsonb_build_object(column_name,
                'sha256:' || encode(sha256(convert_to(OLD::text || column_name, 'UTF8')), 'hex'));
        END IF;
        IF new_row ? column_name THEN
            new_row := new_row || jsonb_build_object(column_name,
                'sha256:' || encode(sha256(convert_to(NEW::text || column_name, 'UTF8')), 'hex'));
        END IF;
    END LOOP;
    INSERT INTO oversight_auditentry
        (at, actor_id, actor_name, verb, subject, before, after, reason, origin, previous, digest)
    VALUES (
        clock_timestamp(), actor, coalesce((SELECT username FROM auth_user WHERE id = actor), ''),
        CASE TG_OP WHEN 'INSERT' THEN 'made' WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END,
        TG_ARGV[0] || ':' || coalesce(new_row ->> 'id', old_row ->> 'id'),
        CASE TG_OP WHEN 'UPDATE' THEN
            (SELECT jsonb_object_agg(k, v) FROM jsonb_each(old_row) AS o(k, v) WHERE new_row -> k IS DISTINCT FROM v)
            ELSE old_row END,
        CASE TG_OP WHEN 'UPDATE' THEN
            (SELECT jsonb_object_agg(k, v) FROM jsonb_each(new_row) AS n(k, v) WHERE old_row -> k IS DISTINCT FROM v)
            ELSE new_row END,
        coalesce(why, ''),
        left(session_user || ' ' || coalesce(host(inet_client_addr()), 'socket') || ' '
            || current_setting('application_name'), 200),
        '', ''
    );
    RETURN NULL;
END $$;
"""

_SEALED = CANONICAL.format(row="NEW", number="head.number + 1", previous="head.digest")
SEAL = f"""
CREATE OR REPLACE FUNCTION oversight_audit_seal() RETURNS trigger LANGUAGE plpgsql AS $$
-- runs at commit, so that the head's lock is the last one any transaction takes
DECLARE
    head record;
    sealed text;
BEGIN
    INSERT INTO oversight_audithead (id, number, digest) VALUES (1, 0, repeat('0', 64)) ON CONFLICT (id) DO NOTHING;
    SELECT number, digest INTO head FROM oversight_audithead WHERE id = 1 FOR UPDATE;
    sealed := encode(sha256(convert_to({_SEALED},
        'UTF8')), 'hex');
    UPDATE oversight_auditentry SET number = head.number + 1, previous = head.digest, digest = sealed
        WHERE id = NEW.id;
    UPDATE oversight_audithead SET number = head.number + 1, digest = sealed WHERE id = 1;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER oversight_audit_seal AFTER INSERT ON oversight_auditentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION oversight_audit_seal();
"""  # noqa: S608 - no value from outside

# table -> kind, left out, as a digest only, who did it. A vote's content stays out of sight: the next one is blind.
AUDITED: dict[str, tuple[str, str, str, str]] = {
    "auth_user": ("user", "last_login", "password", ""),
    "auth_user_groups": ("membership", "", "", ""),
    "auth_user_user_permissions": ("grant", "", "", ""),
    "auth_group": ("role", "", "", ""),
    "auth_group_permissions": ("role-permission", "", "", ""),
    "agents_token": ("token", "last_used_at", "digest", ""),
    "agents_price": ("price", "updated_at", "", ""),
    "agents_budget": ("budget", "reserved,spent", "", ""),
    "agents_campaign": ("campaign", "brief", "", ""),
    "agents_policy": ("policy", "", "", "made_by_id"),
    "agents_approval": ("approval", "told_at", "", "decided_by_id"),
    "agents_latch": ("latch", "confirmed_at", "", "released_by_id,set_by_id"),
    "oversight_flag": ("flag", "evidence", "", "claimed_by_id,raised_by_id"),
    "oversight_vote": ("vote", "", "verdict,reason", "reviewer_id"),
    "oversight_decision": ("decision", "", "", "decided_by_id"),
    "oversight_detectorsetting": ("detector", "updated_at", "", "updated_by_id"),
    "oversight_calibration": ("calibration", "", "", ""),
}


def trigger_name(table: str) -> str:
    """Of the trigger that writes down a table's changes."""
    return f"audit_{table}"


def trigger_definition(name: str) -> str:
    """How PostgreSQL prints the trigger of that name, if it is the one that `install` makes."""
    arguments = {trigger_name(table): (table, given) for table, given in AUDITED.items()}
    if name not in arguments:
        return (
            f"CREATE CONSTRAINT TRIGGER {name} AFTER INSERT ON oversight_auditentry"
            f" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {name}()"
        )
    table, given = arguments[name]
    return (
        f"CREATE TRIGGER {name} AFTER INSERT OR DELETE OR UPDATE ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION oversight_audit_change({', '.join(map(repr, given))})"
    )


def install() -> str:
    """Every statement of the trail."""
    watch = [
        f"CREATE TRIGGER {trigger_name(table)} AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW"
        f" EXECUTE FUNCTION oversight_audit_change({', '.join(repr(each) for each in arguments)});"
        for table, arguments in AUDITED.items()
    ]
    return "\n".join([CHANGE, SEAL, *watch])


def remove() -> str:
    """The reverse."""
    gone = [f"DROP TRIGGER {trigger_name(table)} ON {table};" for table in AUDITED]
    seal = "DROP TRIGGER oversight_audit_seal ON oversight_auditentry; DROP FUNCTION oversight_audit_seal();"
    return "\n".join([*gone, seal, "DROP FUNCTION oversight_audit_change();"])
