-- Each bus has its own order, and one that is away holds up no other. '': the engine's own triggers.
ALTER TABLE outbox ADD COLUMN bus text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX outbox_bus ON outbox (partition, bus, number);
