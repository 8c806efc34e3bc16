-- name: transfer
-- args: src str, dst str, amount int64
-- result: none
WITH src AS (UPDATE duet_conformance.account SET balance = balance - $3 WHERE name = $1 RETURNING name), dst AS (UPDATE duet_conformance.account SET balance = balance + $3 WHERE name = $2 RETURNING name) INSERT INTO duet_conformance.transfer (src, dst, amount) SELECT src.name, dst.name, $3 FROM src, dst
