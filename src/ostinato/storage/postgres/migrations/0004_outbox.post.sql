DROP INDEX outbox_partition;
