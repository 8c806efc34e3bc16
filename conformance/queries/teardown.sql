-- name: teardown
-- result: none
DROP SCHEMA IF EXISTS duet_conformance CASCADE
