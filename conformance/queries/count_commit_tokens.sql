-- name: count_commit_tokens
-- result: one int64
SELECT count(*) AS "?column?" FROM duet.commit_token
