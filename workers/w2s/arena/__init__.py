"""A benchmark without labels, open on this machine, and what is trained on it: teachers, reference arms, methods."""

from workers.w2s.arena.arms import Arm, Teachers, train_arm, train_teachers
from workers.w2s.arena.inputs import Arena
from workers.w2s.arena.masks import train_mask
from workers.w2s.arena.provenance import method_digest, versions
from workers.w2s.arena.running import MethodFailed, MethodResult, run_method

__all__ = [
    "Arena",
    "Arm",
    "MethodFailed",
    "MethodResult",
    "Teachers",
    "method_digest",
    "run_method",
    "train_arm",
    "train_mask",
    "train_teachers",
    "versions",
]
