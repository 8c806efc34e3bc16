# name: dated_commit_token
# args: token uuid
# result: one bool
# unproven: the type was not looked up in a recording
select exists (select CommitToken filter .token = <uuid>$0 and .at <= datetime_current())
