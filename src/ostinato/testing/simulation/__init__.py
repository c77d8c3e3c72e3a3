"""Deterministic simulation of the whole runtime, with crashes at every ``await``."""
