-- name: insert_account
-- args: name str, balance int64
-- result: none
INSERT INTO duet_conformance.account (name, balance) VALUES ($1, $2)
