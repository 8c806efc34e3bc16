-- name: insert_account_named
-- named: name str, balance int64
-- result: none
INSERT INTO duet_conformance.account (name, balance) VALUES ($name, $balance)
