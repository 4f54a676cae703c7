INSERT INTO counterfoil_owner (tenant, owner) VALUES ('', 'ann');

INSERT INTO counterfoil_token (id, tenant, owner, version, digest_version, created_at, selector, digest, key_id, body)
VALUES ('019b76da-a800-76fe-8de5-1f591fbe51bd', '', 'ann', 1, 1, 1767225600000, 'Ic8Pb5yrkf9o',
    '$hmac-sha256$v=1$key=k1$T7xVOLLMGq-Ri2KbvPaJXrOEJgCR8Fr-hK7sNDBfC-s', 'k1',
    '{"public":"acme_Ic8Pb5yrkf9o","v":1}');

INSERT INTO counterfoil_selector (selector, token_id)
VALUES ('Ic8Pb5yrkf9o', '019b76da-a800-76fe-8de5-1f591fbe51bd');

INSERT INTO counterfoil_usage (token_id, at) VALUES ('019b76da-a800-76fe-8de5-1f591fbe51bd', 1767229200000);
