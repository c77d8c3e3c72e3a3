"""Stores: one technology per folder.

memory  for tests and trials        sqlite  for one machine        postgres  for many
archive  where runs are written before they are removed
cursor  where a list of events goes on, the same in each
values  large values apart from the rows that hold them, the same in each
filling  and how those rows are put together again
moving  what is moved from one store to another, the same in each
"""
