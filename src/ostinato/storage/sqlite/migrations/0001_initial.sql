-- What never changes again once released: a change is a new file with the next number.

PRAGMA application_id = 0x4F535449; -- "OSTI"

-- One row: who may write, and the last number given in the outbox, whose rows go away.
CREATE TABLE member (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    epoch    INTEGER NOT NULL,
    outgoing INTEGER NOT NULL
);
INSERT INTO member VALUES (1, 0, 0);

-- With a rowid: records of many runs come together and are appended side by side; only the narrow
-- index is written in many places.
CREATE TABLE history (
    run_id  TEXT    NOT NULL,
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    version INTEGER NOT NULL,
    data    BLOB    NOT NULL,
    PRIMARY KEY (run_id, seq)
);

CREATE TABLE run (
    run_id        TEXT    NOT NULL PRIMARY KEY,
    workflow      TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    status        TEXT    NOT NULL,
    started_at    INTEGER NOT NULL,
    uid           TEXT,
    doing         TEXT    NOT NULL,
    waiting_for   TEXT,
    busy          INTEGER NOT NULL,
    ended_at      INTEGER,
    error_name    TEXT,
    error_message TEXT,
    event_source  TEXT,
    event_id      TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX run_open_uid ON run (workflow, uid) WHERE ended_at IS NULL AND uid IS NOT NULL;
CREATE INDEX run_busy ON run (busy) WHERE busy = 1;
CREATE INDEX run_uid ON run (uid) WHERE uid IS NOT NULL;
CREATE INDEX run_status ON run (status);
CREATE INDEX run_workflow ON run (workflow);

-- The number tells what came before what; the newest row stays, so that none is given twice.
CREATE TABLE event (
    number      INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    time        INTEGER NOT NULL,
    subject     TEXT,
    data        BLOB    NOT NULL,
    extensions  TEXT,
    description TEXT,
    received_at INTEGER NOT NULL,
    answer      BLOB    NOT NULL,
    values_keys TEXT
);
CREATE UNIQUE INDEX event_identity ON event (id, source);
CREATE INDEX event_received ON event (received_at, type, source);

CREATE TABLE event_key (
    type        TEXT    NOT NULL,
    values_key  TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    PRIMARY KEY (type, values_key, received_at, number)
) WITHOUT ROWID;

-- "after" is the newest event's number when the wait opened.
CREATE TABLE wait (
    run_id     TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    type       TEXT    NOT NULL,
    values_key TEXT    NOT NULL,
    since      INTEGER,
    after      INTEGER NOT NULL,
    PRIMARY KEY (run_id, key, type)
) WITHOUT ROWID;
CREATE INDEX wait_looks_for ON wait (type, values_key);

CREATE TABLE timer (
    run_id TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    kind   TEXT    NOT NULL,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (run_id, key, kind)
) WITHOUT ROWID;
CREATE INDEX timer_due ON timer (due_at);

CREATE TABLE outbox (
    number INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    event  BLOB NOT NULL
);

CREATE TABLE reply (
    scope      TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    answer     BLOB    NOT NULL,
    at         INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;

CREATE TABLE version (
    workflow    TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    digest      TEXT    NOT NULL,
    document    BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    workflow_id TEXT    NOT NULL,
    retired     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workflow, version)
);

CREATE TABLE dead_letter (
    id           TEXT    NOT NULL PRIMARY KEY,
    at           INTEGER NOT NULL,
    kind         TEXT    NOT NULL,
    target       TEXT    NOT NULL,
    event_source TEXT    NOT NULL,
    event_id     TEXT    NOT NULL,
    reasons      BLOB    NOT NULL
);
CREATE INDEX dead_letter_at ON dead_letter (at, id);
