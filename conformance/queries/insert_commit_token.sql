-- name: insert_commit_token
-- args: token uuid
-- result: none
INSERT INTO duet.commit_token (token) VALUES ($1)
