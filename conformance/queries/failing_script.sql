-- name: failing_script
-- result: none
INSERT INTO duet_conformance.account (name, balance) VALUES ('script1', 1); SELECT 1/0; INSERT INTO duet_conformance.account (name, balance) VALUES ('script2', 1);
