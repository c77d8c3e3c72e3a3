"""How Ostinato tells what it does: logs.

logs  structlog, to stderr: readable lines on a terminal, JSON elsewhere
"""
