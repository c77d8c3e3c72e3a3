"""How Ostinato tells what it does: logs and counters.

logs     structlog, to stderr: readable lines on a terminal, JSON elsewhere
metrics  counters and gauges, in Prometheus' text form
"""
