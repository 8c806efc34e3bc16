-- name: insert_red
-- args: name str, balance int64
-- result: none
INSERT INTO duet_conformance.account (name, balance, color, tags) VALUES ($1, $2, 'Red', '{x,y}')
