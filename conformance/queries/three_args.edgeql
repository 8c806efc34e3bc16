# name: three_args
# args: n int64, s str, b bool
# result: one tuple<int64, str, bool>
select (<int64>$0 + 1, <str>$1 ++ '!', not <bool>$2)
