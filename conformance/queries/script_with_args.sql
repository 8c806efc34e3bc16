-- name: script_with_args
-- named: a str
-- result: none
INSERT INTO duet_conformance.account (name, balance) VALUES ($a, 2)
