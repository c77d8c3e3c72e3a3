"""Ostinato: an event-driven, durable workflow orchestrator.

errors       the tree of errors
core         the rules, pure: graph, state, facts, decide, fold, expressions, patterns
config       settings
definitions  how a workflow is written; everything becomes one graph
ports        what the engine asks of the world
storage      memory and SQLite
runtime      engine, executor, timers, outbox, and the one loop
app          App: where adapters are chosen and wired
web, cli     the doors
testing      the kit: contracts for adapters, virtual clock, history checker
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
