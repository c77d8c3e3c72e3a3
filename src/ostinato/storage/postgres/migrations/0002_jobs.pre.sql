-- What is offered to workers elsewhere, and who has it until when. A row goes when its job has ended.
CREATE TABLE job (
    number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          text COLLATE "C" NOT NULL UNIQUE,
    run_id      text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    attempt     bigint NOT NULL,
    topic       text COLLATE "C" NOT NULL,
    workflow    text COLLATE "C" NOT NULL,
    priority    bigint NOT NULL,
    ready_at    bigint NOT NULL,
    brief       bytea NOT NULL,
    holes       text,
    timeout     bigint,
    deaths      bigint NOT NULL,
    token       text COLLATE "C",
    worker      text COLLATE "C",
    claimed_at  bigint,
    lease_until bigint,
    cancelled   boolean NOT NULL
);
CREATE INDEX job_free ON job (topic, priority DESC, ready_at, number) WHERE token IS NULL;
CREATE INDEX job_lease ON job (lease_until, id) WHERE lease_until IS NOT NULL;
CREATE INDEX job_newest ON job (ready_at, id);
CREATE INDEX job_run ON job (run_id);
CREATE INDEX job_held ON job (topic, worker, ready_at);
