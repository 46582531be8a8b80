"""What every row has that a worker claims."""

from django.db import models


class Lease(models.Model):
    """Which worker works on a row, and until when the others believe it."""

    lease_owner = models.CharField(max_length=120, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True, db_index=True)
    attempt = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True
