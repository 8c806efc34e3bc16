-- name: update_returning
-- args: name str, amount int64
-- result: optional {name: str, balance: int64}
UPDATE duet_conformance.account SET balance = balance + $2 WHERE name = $1 RETURNING name, balance
