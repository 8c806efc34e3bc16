# name: prune_commit_tokens
# args: age duration
# result: none
delete CommitToken filter .at < datetime_current() - <duration>$0
