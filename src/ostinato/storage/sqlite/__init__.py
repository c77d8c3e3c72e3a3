"""The store for one machine: one SQLite file, owned by one process.

adapter     SqliteStorage: open and close, whose turn it is, which thread does it
owner       the lock file that makes the file one process's
opened      its readers and threads
connection  how a connection is made, and what it must refuse
schema      migrations/*.sql, applied once and in order
batch       one batch, one transaction          removing  the part of it that takes away
transaction  one transaction: how it ends, what its errors mean
jobs        what is offered to workers elsewhere, and their claims
statements_jobs  … and the SQL of it
reads       what the engine reads               lists   what lists and pages read
statements  the SQL that is constant            rows    values to rows and back
values      large values, apart from their rows faults  sqlite3's errors in our words
pace        when a commit may hold up the loop
moving      a file as one end of a move         moved   what one says that was moved
"""

from ostinato.storage.sqlite.adapter import SqliteStorage

__all__ = ["SqliteStorage"]
