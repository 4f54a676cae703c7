-- A random id that tells this store from every other one. It is written once and never changes.
ALTER TABLE counterfoil_schema ADD COLUMN store_id uuid;

UPDATE counterfoil_schema SET version = 3, store_id = pg_catalog.gen_random_uuid();

ALTER TABLE counterfoil_schema ALTER COLUMN store_id SET NOT NULL;
