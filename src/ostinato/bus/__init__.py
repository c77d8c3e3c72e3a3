"""Buses: one technology per file."""
