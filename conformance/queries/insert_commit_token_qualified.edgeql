# name: insert_commit_token_qualified
# args: token uuid
# result: none
# unproven: the type was recorded without its module
insert default::CommitToken { token := <uuid>$0 }
