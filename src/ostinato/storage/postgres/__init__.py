"""The store for many machines: one PostgreSQL database, shared by members.

adapter     PostgresStorage: open and close, which connection is asked
members     who is there and has what              membership  the SQL of that
url         where the server is, and how a connection is made
wire        one connection, spoken to in pipelines
link        a connection that comes back          faults  PostgreSQL's errors in our words
schema      migrations/*.sql, applied once and in order, in halves
batch       one batch, one pipeline               removing  the part of it that takes away
statements  the SQL that writes                   questions  the SQL that the engine reads with
reads       what the engine reads                 lists   what lists and pages read
jobs        jobs for workers, and their claims     statements_jobs  the SQL of that
conditions  filters joined to one statement
values      large values, apart from their rows   arrays  arguments in binary
moving      a database as one end of a move       moving_sql  the SQL of that
moved       what one says that was moved           announced   where the server of a store answers
scratch     a database for a while, for measuring
"""

from ostinato.storage.postgres.adapter import PostgresStorage

__all__ = ["PostgresStorage"]
