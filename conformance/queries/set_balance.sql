-- name: set_balance
-- args: name str, balance int64
-- result: none
UPDATE duet_conformance.account SET balance = $2 WHERE name = $1
