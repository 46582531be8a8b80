"""The guards hold in every session: `session_replication_role = replica` switches ordinary triggers off."""

from django.db import migrations

# Only what refuses: counting twice what a replica was sent counted would make scores wrong.
_EACH_GUARD = """
DO $$
DECLARE
    each record;
BEGIN
    FOR each IN
        SELECT tgrelid::regclass AS guarded, tgname FROM pg_trigger
        JOIN pg_proc ON pg_proc.oid = tgfoid
        WHERE NOT tgisinternal AND proname IN ('forum_refuse', 'forum_links_closed')
    LOOP
        EXECUTE format('ALTER TABLE %s {verb} TRIGGER %I', each.guarded, each.tgname);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('forum', '0004_title_search'),
    ]

    operations = [
        migrations.RunSQL(_EACH_GUARD.replace("{verb}", "ENABLE ALWAYS"), _EACH_GUARD.replace("{verb}", "ENABLE")),
    ]
