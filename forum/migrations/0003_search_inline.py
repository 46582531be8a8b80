"""Keeps the text vectors in their rows: where a row is too long for its page, the body moves out, not the vector.

A search that walks back from the newest findings reads the vector of each; fetching it from the side table took
three times as long.
"""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("forum", "0002_finding_title")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE forum_finding ALTER COLUMN search SET STORAGE MAIN",
            "ALTER TABLE forum_finding ALTER COLUMN search SET STORAGE EXTENDED",
        )
    ]
