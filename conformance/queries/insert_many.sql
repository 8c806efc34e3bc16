-- name: insert_many
-- args: n int64
-- result: none
INSERT INTO duet_conformance.account (name, balance) SELECT 'n' || i, i FROM generate_series(0::int8, $1::int8 - 1) i
