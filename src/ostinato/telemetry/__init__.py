"""How Ostinato tells what it does: logs and counters.

logger   the one way to a log
logs     structlog, to stderr: readable lines on a terminal, JSON elsewhere
lag      how late the loop turns
metrics  counters and gauges, in Prometheus' text form
"""
