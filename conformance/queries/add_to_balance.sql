-- name: add_to_balance
-- args: name str, amount int64
-- result: none
UPDATE duet_conformance.account SET balance = balance + $2 WHERE name = $1
