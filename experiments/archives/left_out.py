"""What of this app stays in the lab, and why; a test fails for a column that is neither here nor exported."""

from collections.abc import Mapping

LeftOut = Mapping[str, str | Mapping[str, str]]
"""Label of a model -> why none of it leaves; or its columns -> why they do not."""

LEASE = {"lease_owner": "a worker's claim", "lease_until": "a worker's claim", "attempt": "a worker's claim"}
_PROGRESS = dict.fromkeys(("progress_done", "progress_total"), "passing: how far it is")

LEFT_OUT: LeftOut = {
    "auth.User": {
        **dict.fromkeys(("password", "email", "last_login", "date_joined"), "private"),
        **dict.fromkeys(("first_name", "last_name"), "private; accounts go by their name"),
        **dict.fromkeys(("is_superuser", "is_staff", "is_active", "user_permissions"), "rights here are none there"),
        "groups": "kind says whether it is an agent; other rights here are none there",
    },
    "experiments.Benchmark": {
        **LEASE,
        **_PROGRESS,
        **dict.fromkeys(("stage", "stage_started_at", "error"), "passing: how its preparation goes"),
        **dict.fromkeys(("on_demand", "builtin"), "when this lab prepares it"),
        "provenance": "digests of ground truth, folders of the machine",
    },
    "experiments.Baseline": {"provenance": "digests of ground truth, folders of the machine"},
    "experiments.Method": dict.fromkeys(("enabled", "updated_at"), "whether and when workers here announced it"),
    "experiments.Snapshot": dict.fromkeys(("n_files", "size_bytes"), "follow from the files"),
    "experiments.Experiment": {
        "campaign": "inside says it",
        "held": "passing: whether its queued runs wait for a paused agent",
        "search": "an index of title and hypothesis",
    },
    "experiments.Run": {
        **LEASE,
        **_PROGRESS,
        "progress_stage": "passing: how far it is",
        "seed": "drawn from the lab's secret",
    },
    "experiments.Evaluation": {
        "verified": "by the table: evaluations are, uploads are not",
        "predictions": "predictions never leave",
        "charged_bits": "the leak meter's, of all uploads of the lab together",
        "ground_truth_digest": "a digest of labels",
    },
    "experiments.Probe": {
        **LEASE,
        "predictions": "predictions never leave",
        "prior": "zero-shot answers to hidden items",
    },
    "experiments.Event": {"number": "id says it", "campaign": "all are of this one"},
    "experiments.Item": "questions never leave",
    "experiments.WeakTeacher": "labels never leave",
    "experiments.Prediction": "predictions never leave",
    "experiments.ReferenceResult": "published figures, not the campaign's",
    "experiments.Upload": "predictions on their way to the scorer; what came of them is in uploads",
    "experiments.LeakMeter": "of all uploads of the lab together",
    "experiments.IdempotencyRecord": "answers to repeated calls, kept for a day",
    "experiments.EventCounter": "follows from the events",
    "experiments.WorkerSeen": "the lab's machines",
    "experiments.TransferStudy": "the lab's look at a method, on the holdout and outside of any campaign",
    "experiments.TransferCell": "the lab's look at a method, on the holdout and outside of any campaign",
    "experiments.SnapshotParent": "the column parents of snapshots",
    "experiments.ImportedCampaign": "what came from elsewhere",
    "experiments.ImportedRow": "what came from elsewhere",
}
