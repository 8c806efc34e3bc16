# name: count_commit_tokens
# result: one int64
# unproven: the counting of this type was not recorded
select count(CommitToken)
