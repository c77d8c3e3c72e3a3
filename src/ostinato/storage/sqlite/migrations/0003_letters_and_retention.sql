-- A dead letter holds all that redriving it needs, and what became of it.
ALTER TABLE dead_letter ADD COLUMN event        TEXT;
ALTER TABLE dead_letter ADD COLUMN run_id       TEXT;
ALTER TABLE dead_letter ADD COLUMN attempts     INTEGER NOT NULL DEFAULT 1;
ALTER TABLE dead_letter ADD COLUMN redriven_at  INTEGER;
ALTER TABLE dead_letter ADD COLUMN redriven_by  TEXT;
ALTER TABLE dead_letter ADD COLUMN redriven_run TEXT;

UPDATE dead_letter SET event = (
    SELECT json_object(
        'id', event.id, 'source', event.source, 'type', event.type, 'time', event.time,
        'subject', event.subject, 'data', json(CAST(event.data AS TEXT)),
        'extensions', json(event.extensions), 'description', event.description
    )
    FROM event WHERE event.id = dead_letter.event_id AND event.source = dead_letter.event_source
) WHERE kind = 'trigger';
UPDATE dead_letter SET run_id = target WHERE kind = 'outgoing';

CREATE INDEX dead_letter_target ON dead_letter (kind, target, at, id);

-- Runs that are gone, and whose records are deleted a few at a time.
CREATE TABLE removed (run_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;

CREATE INDEX run_over ON run (workflow, status, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX reply_expires ON reply (expires_at);
