-- Each bus has its own order, and one that is away holds up no other. '': this engine's own triggers.
ALTER TABLE outbox ADD COLUMN bus TEXT NOT NULL DEFAULT '';
CREATE INDEX outbox_bus ON outbox (bus, number);
