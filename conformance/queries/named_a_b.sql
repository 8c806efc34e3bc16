-- name: named_a_b
-- named: a str, b str
-- result: one tuple<str, str>
SELECT json_build_array($a::text, $b::text) AS "?column?"
