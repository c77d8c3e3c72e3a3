-- One row when all of this was moved to another store: then nobody opens this one by mistake.
CREATE TABLE moved (
    place TEXT    NOT NULL,
    at    INTEGER NOT NULL
);
