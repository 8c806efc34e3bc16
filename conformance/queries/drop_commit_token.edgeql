# name: drop_commit_token
# result: none
drop type CommitToken
