-- name: prune_commit_tokens
-- args: age duration
-- result: none
DELETE FROM duet.commit_token WHERE at < clock_timestamp() - $1::interval
