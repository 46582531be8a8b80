"""List prices of November 2026 from platform.claude.com/docs/en/about-claude/pricing; an admin edits them afterwards."""

from django.db import migrations

# model: input, output, cache read, cache write (5 minutes), in micro-dollars per million tokens
PRICES = {
    "claude-opus-5-5*": (4_000_000, 20_000_000, 200_000, 5_000_000),
    "claude-opus-5*": (5_000_000, 25_000_000, 500_000, 6_250_000),
    "claude-opus-4-8*": (5_000_000, 25_000_000, 500_000, 6_250_000),
    "claude-opus-4-7*": (5_000_000, 25_000_000, 500_000, 6_250_000),
    "claude-opus-4-6*": (5_000_000, 25_000_000, 500_000, 6_250_000),
    "claude-opus-4-5*": (5_000_000, 25_000_000, 500_000, 6_250_000),
    "claude-fable-5-1*": (10_000_000, 50_000_000, 250_000, 12_500_000),
}


def add(apps, schema_editor):
    price = apps.get_model("agents", "Price")
    for model, (tokens_in, tokens_out, read, write) in PRICES.items():
        price.objects.get_or_create(
            model=model, defaults={"input": tokens_in, "output": tokens_out, "cache_read": read, "cache_write": write}
        )


def remove(apps, schema_editor):
    apps.get_model("agents", "Price").objects.filter(model__in=PRICES).delete()


class Migration(migrations.Migration):
    dependencies = [("agents", "0002_campaigns")]
    operations = [migrations.RunPython(add, remove)]
