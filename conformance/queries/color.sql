-- name: color
-- result: one enum<Red, Green, Blue>
SELECT 'Green'::duet_conformance.color AS "?column?"
