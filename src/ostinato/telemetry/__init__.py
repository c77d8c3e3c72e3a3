"""What Ostinato says of itself.

metrics  counters, in Prometheus' text form
"""
