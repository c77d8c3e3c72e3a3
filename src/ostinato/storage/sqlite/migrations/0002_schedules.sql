-- What is kept of a schedule; "due_at" is NULL while it is not looked at.

CREATE TABLE schedule (
    id         TEXT    NOT NULL PRIMARY KEY,
    workflow   TEXT    NOT NULL,
    says       TEXT    NOT NULL,
    next_for   INTEGER,
    due_at     INTEGER,
    planned_at INTEGER NOT NULL,
    waits_for  TEXT,
    last_for   INTEGER,
    last_at    INTEGER,
    last_run   TEXT,
    missed_for INTEGER,
    paused_at  INTEGER,
    paused_by  TEXT    NOT NULL,
    paused_why TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX schedule_due ON schedule (due_at, id) WHERE due_at IS NOT NULL;
