-- name: installed
-- args: name str
-- result: one bool
SELECT to_regclass(CASE $1::text WHEN 'default::CommitToken' THEN 'duet.commit_token' ELSE 'duet_conformance.' || lower(split_part($1, '::', 2)) END) IS NOT NULL AS "?column?"
