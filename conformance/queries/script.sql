-- name: script
-- result: none
INSERT INTO duet_conformance.account (name, balance) VALUES ('carol', 1); UPDATE duet_conformance.account SET balance = 2 WHERE name = 'carol';
