-- A random id, in the form of a UUID, that tells this store from every other one. It is written once and never changes.
ALTER TABLE counterfoil_schema ADD COLUMN store_id TEXT CHECK (length(store_id) = 36);

UPDATE counterfoil_schema SET version = 2, store_id = lower(
    hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-' ||
    hex(randomblob(6)));
