-- name: drop_commit_token
-- result: none
DROP TABLE duet.commit_token
