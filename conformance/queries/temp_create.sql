-- name: temp_create
-- result: none
CREATE TEMPORARY TABLE duet_conformance_temp (n int8)
