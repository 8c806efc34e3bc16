-- name: dated_commit_token
-- args: token uuid
-- result: one bool
SELECT EXISTS (SELECT FROM duet.commit_token WHERE token = $1 AND at <= clock_timestamp()) AS "?column?"
