-- name: tx_command
-- result: none
BEGIN; INSERT INTO duet_conformance.account (name, balance) VALUES ('script1', 1); COMMIT; BEGIN; INSERT INTO duet_conformance.account (name, balance) VALUES ('script2', 1); ROLLBACK;
