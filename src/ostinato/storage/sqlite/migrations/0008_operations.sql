-- Repairs of many runs: what was asked, and the runs that it is about. Outcome '' is not dealt with.
CREATE TABLE operation (
    id         TEXT    NOT NULL PRIMARY KEY,
    status     TEXT    NOT NULL,
    expires_at INTEGER,
    ended_at   INTEGER,
    data       BLOB    NOT NULL
) WITHOUT ROWID;
CREATE INDEX operation_status ON operation (status);

CREATE TABLE operation_run (
    operation TEXT NOT NULL,
    run_id    TEXT NOT NULL,
    outcome   TEXT NOT NULL DEFAULT '',
    reason    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (operation, run_id)
) WITHOUT ROWID;
CREATE INDEX operation_left ON operation_run (operation, run_id) WHERE outcome = '';
