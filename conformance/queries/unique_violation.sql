-- name: unique_violation
-- result: none
INSERT INTO duet_conformance.account (name, balance) VALUES ('ada', 1)
