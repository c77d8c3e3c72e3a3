-- How many stores there are in the set that the member works with, this one included.
ALTER TABLE lease ADD COLUMN stores smallint NOT NULL DEFAULT 1;
