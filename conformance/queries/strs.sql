-- name: strs
-- result: many str
SELECT column1 AS "?column?" FROM (VALUES (''), ('grüße'), (E'a\nb')) v
