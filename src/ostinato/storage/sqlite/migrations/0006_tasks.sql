-- What people are asked, and what they answered; a row ends with its job and goes with its run.
CREATE TABLE task (
    id           TEXT    NOT NULL PRIMARY KEY,
    run_id       TEXT    NOT NULL,
    key          TEXT    NOT NULL,
    attempt      INTEGER NOT NULL,
    workflow     TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    assignee     TEXT,
    due_at       INTEGER,
    opened_at    INTEGER NOT NULL,
    asked        BLOB    NOT NULL,
    asked_holes  TEXT,
    status       TEXT    NOT NULL,
    ended_at     INTEGER,
    done_by      TEXT,
    outcome      TEXT,
    answer       BLOB,
    answer_holes TEXT
);
CREATE INDEX task_newest ON task (opened_at, id);
CREATE INDEX task_pending ON task (opened_at, id) WHERE status = 'pending';
CREATE INDEX task_of ON task (assignee, opened_at, id) WHERE status = 'pending';
CREATE INDEX task_run ON task (run_id);
