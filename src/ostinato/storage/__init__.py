"""Stores: one technology per folder.

memory  for tests and trials        sqlite  for one machine
cursor  where a list of events goes on, the same in each
"""
