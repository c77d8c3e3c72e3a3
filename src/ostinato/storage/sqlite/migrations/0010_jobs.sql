-- What is offered to workers elsewhere, and who has it until when. A row goes when its job has ended.
CREATE TABLE job (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT    NOT NULL UNIQUE,
    run_id      TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    attempt     INTEGER NOT NULL,
    topic       TEXT    NOT NULL,
    workflow    TEXT    NOT NULL,
    priority    INTEGER NOT NULL,
    ready_at    INTEGER NOT NULL,
    brief       BLOB    NOT NULL,
    holes       TEXT,
    timeout     INTEGER,
    deaths      INTEGER NOT NULL,
    token       TEXT,
    worker      TEXT,
    claimed_at  INTEGER,
    lease_until INTEGER,
    cancelled   INTEGER NOT NULL
);
CREATE INDEX job_free ON job (topic, priority DESC, ready_at, number) WHERE token IS NULL;
CREATE INDEX job_lease ON job (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX job_newest ON job (ready_at, id);
CREATE INDEX job_run ON job (run_id);
CREATE INDEX job_held ON job (topic, worker, ready_at);
