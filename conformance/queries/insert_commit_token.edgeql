# name: insert_commit_token
# args: token uuid
# result: none
insert CommitToken { token := <uuid>$0 }
