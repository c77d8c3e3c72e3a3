-- What runs tell each other, in the order of the numbers, until it is taken.
CREATE TABLE mail (
    number  INTEGER PRIMARY KEY,
    kind    TEXT    NOT NULL,
    told    TEXT    NOT NULL,
    caller  TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    attempt INTEGER NOT NULL,
    body    BLOB    NOT NULL,
    UNIQUE (caller, key, attempt, kind)
);
