-- name: missing_required
-- result: none
INSERT INTO duet_conformance.account (name) VALUES ('dora')
