-- Times are Unix milliseconds. The tenant is empty where there is none. Texts are compared byte by byte: an index in a
-- language's order goes wrong when an update of the system brings another order.

CREATE TABLE counterfoil_schema (
    single  smallint NOT NULL PRIMARY KEY CHECK (single = 1),
    version bigint   NOT NULL
);

INSERT INTO counterfoil_schema (single, version) VALUES (1, 1);

-- A row for every owner of a token: the lock under which tokens are counted and added, and nothing else.
CREATE TABLE counterfoil_owner (
    tenant text COLLATE "C" NOT NULL,
    owner  text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, owner)
) WITH (fillfactor = 80);

CREATE TABLE counterfoil_token (
    id                uuid             NOT NULL PRIMARY KEY,
    tenant            text COLLATE "C" NOT NULL,
    owner             text COLLATE "C" NOT NULL,
    version           bigint           NOT NULL,
    digest_version    bigint           NOT NULL,
    created_at        bigint           NOT NULL,
    expires_at        bigint,
    revoked_at        bigint,
    revoked_detail    text COLLATE "C",
    suspended_at      bigint,
    suspended_detail  text COLLATE "C",
    blocked_at        bigint,
    blocked_detail    text COLLATE "C",
    selector          text COLLATE "C" NOT NULL,
    digest            text COLLATE "C" NOT NULL,
    key_id            text COLLATE "C" NOT NULL,
    retiring_selector text COLLATE "C",
    retiring_digest   text COLLATE "C",
    retiring_key_id   text COLLATE "C",
    retiring_until    bigint,
    spent_selector    text COLLATE "C",
    spent_digest      text COLLATE "C",
    spent_key_id      text COLLATE "C",
    body              text COLLATE "C" NOT NULL,
    CHECK ((revoked_at IS NULL) = (revoked_detail IS NULL)),
    CHECK ((suspended_at IS NULL) = (suspended_detail IS NULL)),
    CHECK ((blocked_at IS NULL) = (blocked_detail IS NULL))
);

CREATE INDEX counterfoil_token_by_owner ON counterfoil_token (tenant, owner, id);
CREATE INDEX counterfoil_token_by_tenant ON counterfoil_token (tenant, id) WHERE tenant <> '';
CREATE INDEX counterfoil_token_by_revoked ON counterfoil_token (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX counterfoil_token_by_expiry ON counterfoil_token (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX counterfoil_token_by_key ON counterfoil_token (key_id);
CREATE INDEX counterfoil_token_by_retiring_key ON counterfoil_token (retiring_key_id) WHERE retiring_key_id IS NOT NULL;
CREATE INDEX counterfoil_token_by_spent_key ON counterfoil_token (spent_key_id) WHERE spent_key_id IS NOT NULL;

-- One row for every slot of every token: what a check looks up.
CREATE TABLE counterfoil_selector (
    selector text COLLATE "C" NOT NULL PRIMARY KEY,
    token_id uuid             NOT NULL REFERENCES counterfoil_token (id) ON DELETE CASCADE
);

CREATE INDEX counterfoil_selector_by_token ON counterfoil_selector (token_id);

-- A row for every token from its first moment, null until it is used: so a use only ever updates, which can pass over a
-- row that is locked. An insert would wait for another one of the same key.
CREATE TABLE counterfoil_usage (
    token_id uuid NOT NULL PRIMARY KEY REFERENCES counterfoil_token (id) ON DELETE CASCADE,
    at       bigint,
    address  text COLLATE "C",
    agent    text COLLATE "C"
) WITH (fillfactor = 80);

CREATE INDEX counterfoil_usage_by_at ON counterfoil_usage (at DESC, token_id) WHERE at IS NOT NULL;

CREATE TABLE counterfoil_warning (
    token_id     uuid   NOT NULL REFERENCES counterfoil_token (id) ON DELETE CASCADE,
    expiry       bigint NOT NULL,
    threshold_ms bigint NOT NULL,
    PRIMARY KEY (token_id, expiry, threshold_ms)
);

CREATE TABLE counterfoil_idempotency (
    tenant      text COLLATE "C" NOT NULL,
    owner       text COLLATE "C" NOT NULL,
    route       text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    fingerprint bytea            NOT NULL CHECK (octet_length(fingerprint) = 32),
    token_id    uuid             NOT NULL,
    selector    text COLLATE "C" NOT NULL,
    at          bigint           NOT NULL,
    completed   boolean          NOT NULL,
    PRIMARY KEY (tenant, owner, route, key)
);

CREATE INDEX counterfoil_idempotency_by_at ON counterfoil_idempotency (at);
