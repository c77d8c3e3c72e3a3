-- A run that waits for the end of another of its uid is not the open one.
DROP INDEX run_open_uid;
CREATE UNIQUE INDEX run_open_uid ON run (workflow, uid)
    WHERE ended_at IS NULL AND uid IS NOT NULL AND waiting_for IS NOT 'uid';
