"""Weak-to-strong experiments in torch, without Django: data, features, students, methods."""
