GRANT SELECT ON counterfoil_schema TO app;
GRANT SELECT, INSERT, UPDATE, DELETE ON counterfoil_owner TO app;
GRANT SELECT, INSERT, DELETE ON counterfoil_token TO app;
-- All but id, tenant, owner and created_at, which never change.
GRANT UPDATE (version, digest_version, expires_at, revoked_at, revoked_detail, suspended_at, suspended_detail,
    blocked_at, blocked_detail, selector, digest, key_id, retiring_selector, retiring_digest, retiring_key_id,
    retiring_until, spent_selector, spent_digest, spent_key_id, body) ON counterfoil_token TO app;
GRANT SELECT, INSERT, DELETE ON counterfoil_selector TO app;
GRANT SELECT, INSERT, UPDATE ON counterfoil_usage TO app;
GRANT SELECT, INSERT ON counterfoil_warning TO app;
GRANT SELECT, INSERT, UPDATE, DELETE ON counterfoil_idempotency TO app;
-- Where this crate ran the migrations, and not the host's own migrator.
GRANT SELECT ON _counterfoil_migrations TO app;
