-- Who waits for places, in the order of the numbers; who has one; buckets of rates.
CREATE TABLE turn (
    number   INTEGER PRIMARY KEY,
    run_id   TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    priority INTEGER NOT NULL,
    wants    BLOB    NOT NULL,
    UNIQUE (run_id, key)
);

CREATE TABLE place (
    name   TEXT    NOT NULL,
    n      INTEGER NOT NULL,
    run_id TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    PRIMARY KEY (name, n)
) WITHOUT ROWID;
CREATE INDEX place_owner ON place (run_id, key);

CREATE TABLE bucket (
    name    TEXT    NOT NULL PRIMARY KEY,
    full_at INTEGER NOT NULL
) WITHOUT ROWID;
