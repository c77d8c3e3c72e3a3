-- Large values, once each. A row that holds some has "null" in their places, and "holes" says
-- which: [[place, digest], …]. Who uses a value is one row each; what nobody may use any more is
-- loose until it is looked at and deleted, a few at a time.
ALTER TABLE history     ADD COLUMN holes TEXT;
ALTER TABLE event       ADD COLUMN holes TEXT;
ALTER TABLE outbox      ADD COLUMN holes TEXT;
ALTER TABLE reply       ADD COLUMN holes TEXT;
ALTER TABLE dead_letter ADD COLUMN holes TEXT;
CREATE INDEX outbox_cut ON outbox (number) WHERE holes IS NOT NULL;

CREATE TABLE value (
    digest BLOB NOT NULL PRIMARY KEY,
    data   BLOB NOT NULL
);
CREATE TABLE value_use (
    owner  TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (owner, digest)
) WITHOUT ROWID;
CREATE INDEX value_used ON value_use (digest);
CREATE TABLE value_loose (digest BLOB NOT NULL PRIMARY KEY) WITHOUT ROWID;
