-- name: upsert
-- args: name str, balance int64
-- result: none
INSERT INTO duet_conformance.account (name, balance) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET balance = $2
